"""Does memory stay flat when text grows? The same training of N and of ten times N long documents, spooled or not.

    python experiments/out_of_core.py --work build/out-of-core --json out-of-core.json
    python experiments/out_of_core.py --work build/out-of-core --limit 1200      # MB of memory a process may allocate

Documents are of 600 words, some of them of their labels, the others drawn by a power law; labels and training steps are
the same however many documents there are. Each training is a process of its own (`eclare train`), watched ten times
a second. "Anonymous" is what counts (RssAnon of Linux): the system cannot take it back. RSS has the pages of mapped
files too, which stay while there is room for them.

With --limit each training may allocate so much and no more (RLIMIT_DATA, which counts what is allocated, used or not).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

LABELS, WORDS, VOCABULARY = 300, 600, 200_000
STEPS = 100  # of the training, however many documents there are
KINDS = ("RssAnon", "VmRSS", "VmData")  # of /proc/PID/status
PERIOD = 0.1  # seconds between two looks
SETTINGS = (
    "features.characters=false", "features.max_features=100000", "document.dim=128", f"training.max_steps={STEPS}",
    "training.surrogate_epochs=1000", "training.max_validation=500", "rank.steps=300", "linear.rounds=3",
)  # fmt: skip


def main() -> None:
    """Make the data, train, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for data and models, on a disk with room")
    parser.add_argument("--documents", type=int, default=10_000, help="N [10000]")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10], help="multiples of N [1 10]")
    parser.add_argument("--limit", type=int, help="MB that a training may allocate; without it no limit")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    parser.add_argument("--only", choices=("spooled", "in-memory"), help="leave the other out")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for times in arguments.times:
        data = arguments.work / f"data-{times}x"
        if not data.exists():
            build(data, times * arguments.documents)
        for spooled in (False, True):
            if arguments.only in (None, "spooled" if spooled else "in-memory"):
                rows.append({"times": times, "spooled": spooled, **watched(data, arguments, spooled)})
                print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def build(folder: Path, n_documents: int) -> None:
    """A data folder of long documents."""
    from eclare_py.data.lf_writer import LfWriter

    with LfWriter(folder) as writer:
        for label in range(LABELS):
            writer.label(" ".join(f"topic{label}x{i}" for i in range(3)))
        for text, labels in documents(n_documents):
            writer.document("train", text, labels)


def documents(n_documents: int) -> Iterator[tuple[str, list[int]]]:
    """Texts and their labels."""
    random = np.random.default_rng(0)
    words = [f"w{random.integers(36**5):x}{i:x}" for i in range(VOCABULARY)]
    chances = 1 / np.arange(1, VOCABULARY + 1)
    ends = np.cumsum(chances / chances.sum())
    for number in range(n_documents):
        labels = sorted({number % LABELS, *random.integers(0, LABELS, random.integers(0, 3)).tolist()})
        drawn = [words[i] for i in np.minimum(np.searchsorted(ends, random.random(WORDS)), VOCABULARY - 1).tolist()]
        for label in labels:
            for place in random.integers(0, WORDS, WORDS // 30).tolist():
                drawn[place] = f"topic{label}x{place % 3}"
        yield " ".join(drawn), labels


def watched(data: Path, arguments: argparse.Namespace, spooled: bool) -> dict[str, Any]:
    """Train in a process of its own; what it took at most, by stage too."""
    out = arguments.work / "model"
    command = [sys.executable, "-m", "eclare_py.cli", "train", "default", "--data", str(data), "--out", str(out)]
    command += [word for one in (*SETTINGS, *arguments.set) for word in ("--set", one)]
    command += ["--device", "cpu", "--no-resume", *(["--spool", str(arguments.work / "spool")] if spooled else [])]
    log, started = arguments.work / "model.train" / "events.jsonl", time.perf_counter()
    log.unlink(missing_ok=True)
    with (arguments.work / "said.txt").open("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, preexec_fn=limited(arguments.limit))
        peaks: dict[str, dict[str, int]] = {}
        while process.poll() is None:
            seen, stage = memory(process.pid), last_stage(log)
            for name in ("all", stage):
                known = peaks.setdefault(name, dict.fromkeys(KINDS, 0))
                known.update({kind: max(known[kind], value) for kind, value in seen.items()})
            time.sleep(PERIOD)
        said.seek(0)
        tail = said.read().strip().splitlines()[-1:]
    whole = peaks.pop("all")
    return {
        "limit": arguments.limit, "exit": process.returncode, "said": "" if not process.returncode else "".join(tail),
        "anonymous": whole["RssAnon"], "rss": whole["VmRSS"], "allocated": whole["VmData"],
        "seconds": round(time.perf_counter() - started), "stages": {k: v["RssAnon"] for k, v in peaks.items()},
    }  # fmt: skip


def limited(megabytes: int | None) -> Any:
    """What a child does before it begins."""
    if megabytes is None:
        return None
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


def memory(pid: int) -> dict[str, int]:
    """MB of a process by kind."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {kind: int(fields[kind].split()[0]) >> 10 for kind in KINDS if kind in fields}


def last_stage(log: Path) -> str:
    """The stage a training is in; before the first one it reads."""
    try:
        lines = log.read_bytes().splitlines()
    except OSError:
        return "reading"
    stages = [json.loads(line) for line in lines if b'"stage"' in line and line.endswith(b"}")]
    names = [one["name"] for one in stages if one.get("event") == "stage"]
    return str(names[-1]) if names else "reading"


def table(rows: list[dict[str, Any]]) -> str:
    """The figures in Markdown."""
    lines = ["| text | spooled | anonymous, MB | RSS, MB | seconds | exit |", "|---|---|---|---|---|---|"]
    for row in rows:
        kind = "yes" if row["spooled"] else "no"
        lines.append(
            f"| {row['times']}x | {kind} | {row['anonymous']} | {row['rss']} | {row['seconds']} | {row['exit']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    main()
