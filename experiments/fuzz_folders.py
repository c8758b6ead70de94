"""Do hostile and damaged folders ever crash, hang or eat the memory? Thousands of mutations, each in a process.

    python experiments/fuzz_folders.py --count 2000 --seed 0 --json fuzz.json
    python experiments/fuzz_folders.py --count 150 --model MODEL --data DATA     # of folders that are there
    python experiments/fuzz_folders.py --seed 0 --only 1234 --keep broken        # one again, to look at

Tiny models of several methods and two data folders are made first. Each mutation changes a copy of one of them: bytes,
files, or values inside with a manifest that fits. Then a fork loads it, and asks a model for labels. It may answer or
refuse with a message that names a file; anything else is wrong: a signal, another exception, more than 10 s, more than
512 MiB, a NaN among the scores. Expected: 0 wrong of 2,000. After that, single bits are turned in each model, without a
new manifest: all must be seen. Exit code 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

# GNU OpenMP ends a fork of a process that has used it, and a fork of a process with threads may hang.
os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "NUMBA_THREADING_LAYER": "workqueue"}

from fuzz import Campaign, Target  # noqa: E402
from fuzz.attempts import answering, reading  # noqa: E402
from fuzz.flips import unseen_flips  # noqa: E402
from fuzz.forgery import MODEL  # noqa: E402
from fuzz.making import KINDS, data_folder, model_folder, sparse_folder  # noqa: E402
from fuzz.texts import LF, XC  # noqa: E402

MODEL_TURNS = 4  # mutations of models for every two of data folders


def main() -> None:
    """Make the folders, run, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="mutations [2000]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--flips", type=int, default=200, help="bits turned in each model [200]")
    parser.add_argument("--only", type=int, help="number of one mutation")
    parser.add_argument("--model", type=Path, nargs="*", help="model folders; without, tiny ones are trained")
    parser.add_argument("--data", type=Path, help="a data folder in the LF format; without, a tiny one is made")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), help="models to train")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--keep", type=Path, help="a folder for the mutated copy; with --only it stays")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        targets = targets_of(arguments, Path(place))
        campaign = Campaign(targets, arguments.seed)
        numbers = range(arguments.count) if arguments.only is None else range(arguments.only, arguments.only + 1)
        work = Path(place) / "work" if arguments.keep is None else arguments.keep
        work.mkdir(parents=True, exist_ok=True)
        for case in campaign.run(numbers, work):
            if case.number % 500 == 499:
                print(f"{case.number + 1} mutations", file=sys.stderr, flush=True)
            if not case.fine or arguments.only is not None:
                print(f"{case}: {case.verdict.outcome} {case.verdict.detail}", file=sys.stderr, flush=True)
        models = {target.name: target.folder for target in targets if target.mutations is MODEL}
        unseen = {name: unseen_flips(model, arguments.flips, work) for name, model in models.items()}
    figures = campaign.figures() | {"flips": arguments.flips * len(models), "unseen_flips": unseen}
    print(campaign.table())
    print(json.dumps({key: value for key, value in figures.items() if key != "wrong"}, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if figures["wrong"] or any(unseen.values()) else 0)


def targets_of(arguments: argparse.Namespace, place: Path) -> list[Target]:
    """Models and data folders, in the order in which the mutations go round."""
    data = arguments.data or data_folder(place / "data")
    models = arguments.model or [model_folder(kind, data, place / kind) for kind in arguments.kinds]
    sparse = sparse_folder(data, place / "sparse")
    texts = [*some_texts(data), "", "words nobody knows"]
    targets = [Target(model.name, model, MODEL, answering(texts)) for model in models]
    for target in targets:  # compiled before the forks
        target.attempt(target.folder)
    readers = [Target("data LF", data, LF, reading), Target("data XC", sparse, XC, reading)]
    return [*targets * max(1, MODEL_TURNS // len(targets)), *readers]


def some_texts(data: Path) -> list[str]:
    """A few texts to ask about."""
    from eclare_py import load_dataset

    return load_dataset(data).train.texts[:3]


if __name__ == "__main__":
    main()
