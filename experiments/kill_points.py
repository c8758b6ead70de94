"""Does a kill at any point of a build, a training, a save or a prediction lose anything?

Each verb runs on a tiny data set in forked children of one warm process. A child is killed (SIGKILL) at one of the
points where `eclare_py.storage.fault.point` is called, spread evenly over the run, or at a random moment; what is found
then must be absent, the old output or the whole new one, and a restart must end in the very output of an undisturbed
run, with nothing beside it. The restart of every third kill is killed too. The same is done with a full disk.

    python experiments/kill_points.py --points 50 --random 20 --full 10 --json experiments/results/kill_points.json
"""

from __future__ import annotations

import os

# Before numba and torch load: children are forked after the parent ran kernels, which GNU OpenMP does not survive.
os.environ |= {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import argparse  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from dataclasses import asdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from crash.campaign import Campaign, Trial, summary  # noqa: E402
from crash.verbs import make_verbs  # noqa: E402

from eclare_py.storage import atomic_file, write_json  # noqa: E402

VERBS = ("build", "import", "train", "finetune", "save", "predict", "predict-npz", "experiment")
QUOTAS = (3000, 0, 500)


def main() -> None:
    """Run, print the counts, write them; exit code 1 where anything was lost."""
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="kill-points-") as folder:
        verbs = make_verbs(Path(folder))
        rows: list[dict[str, Any]] = []
        trials: list[Trial] = []
        for name in arguments.verbs:
            started = time.perf_counter()
            campaign = Campaign(verbs[name], Path(folder) / "work", arguments.seed)
            sides = {
                "kill at a point": list(campaign.kills(arguments.points)),
                "kill at a moment": list(campaign.random_kills(arguments.random)),
                "full disk": list(campaign.full_disks(arguments.full)),
                "quota": list(campaign.quotas(QUOTAS[: arguments.full])),
            }
            seconds = round(time.perf_counter() - started, 1)
            for kind, found in sides.items():
                if found:
                    line = {"verb": name, "points": len(campaign.points[True]), "disturbance": kind, **summary(found)}
                    rows.append({**line, "seconds": seconds})
                    print("  ".join(f"{key} {value}" for key, value in line.items()), flush=True)
                    trials += found
    bad = [trial for trial in trials if not trial.good]
    for trial in bad[:10]:
        print(trial, file=sys.stderr)
    if arguments.json is not None:
        write_json(arguments.json, {"rows": rows, "bad": [asdict(trial) for trial in bad]}, indent=1)
        with atomic_file(arguments.json.with_suffix(".md")) as file:
            file.write(table(rows))
    if arguments.trials is not None:
        write_json(arguments.trials, [asdict(trial) for trial in trials], indent=1)
    sys.exit(bool(bad))


def table(rows: list[dict[str, Any]]) -> str:
    """The counts as Markdown."""
    head = [name for name in rows[0] if name != "seconds"] if rows else []
    lines = [head, ["---"] * len(head), *([str(row[name]) for name in head] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=50, help="kills at points of each verb [50]")
    parser.add_argument("--random", type=int, default=0, help="kills at random moments of each verb [0]")
    parser.add_argument("--full", type=int, default=0, help="full disks for each verb, and up to three quotas [0]")
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=VERBS, help="which [all]")
    parser.add_argument("--seed", type=int, default=0, help="of random moments [0]")
    parser.add_argument("--json", type=Path, help="file for the counts, and beside it a table .md")
    parser.add_argument("--trials", type=Path, help="file for all that was tried")
    return parser.parse_args()


if __name__ == "__main__":
    main()
