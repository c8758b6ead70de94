"""The command that every experiment is: run what is missing, sum up what is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from eclare_py import load_dataset
from eclare_py.data import DataFolder
from eclare_py.errors import EclareError
from runner.execute import run
from runner.leaderboard import write_leaderboard
from runner.plan import Cell, Experiment, cells_of
from runner.progress import Display
from runner.results import Results
from runner.store import Store
from runner.summary import table, write_summary

INTERRUPTED = 130
OUT, RESULTS = Path("build/experiments"), Path("experiments/results")


def main(
    *experiments: Experiment,
    words: Sequence[str] | None = None,
    part: Callable[[DataFolder], DataFolder] = lambda folder: folder,
) -> None:
    """Run experiments; those that are given together share trained networks.

    Args:
        experiments: Which.
        words: Words of the command line; those of the process without it.
        part: What of a data set is used; all of it without.

    Raises:
        SystemExit: A wrong call, or cells that failed.
    """
    arguments = parse(experiments, words)
    try:
        _run(experiments, arguments, part)
    except (EclareError, OSError) as error:
        sys.exit(f"error: {error}")


def _run(
    experiments: Sequence[Experiment], arguments: argparse.Namespace, part: Callable[[DataFolder], DataFolder]
) -> None:
    folders = {folder.name: folder for folder in map(part, load(arguments.data).values())}
    store, failed = Store(arguments.out), []
    if not arguments.summary:
        cells: list[Cell] = []
        for one in experiments:
            plan = list(
                cells_of(
                    one, folders.values(), arguments.seeds, recipe=arguments.recipe, overrides=arguments.overrides,
                    names=arguments.variants,
                )
            )  # fmt: skip
            store.add_plan(one.name, plan)
            cells += plan
        try:
            with Display() as display:
                failed = run(cells, folders, store, display, device=arguments.device)
        except KeyboardInterrupt:
            print("interrupted: the same call goes on with what is missing", file=sys.stderr)
            sys.exit(INTERRUPTED)
    for experiment in experiments:
        results = Results.read(store, experiment, folders)
        for path in write_summary(results, arguments.results):
            print(f"written: {path}")
        for data in results.data:
            print(f"\n{experiment.question} {data}\n\n{table(results, data)}\n")
            if experiment.more is not None:
                print("\n".join([*experiment.more(results, data), ""]))
    for path in write_leaderboard(store, sort=arguments.sort):
        print(f"written: {path}")
    if failed:
        sys.exit("\n".join(["failed:", *failed]))


def parse(experiments: Sequence[Experiment], words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    questions = "\n".join(f"  {one.name}: {one.question}" for one in experiments)
    names = list(dict.fromkeys(variant.name for one in experiments for variant in one.variants))
    parser = argparse.ArgumentParser(
        description=f"{questions}\n\nStop it when you like: the same call goes on with what is missing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, nargs="+", type=Path, help="data folders, each with a test split")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="[0 1 2]")
    parser.add_argument("--recipe", default="default", help="of the variants that name none [default]")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="a setting of all variants"
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        metavar="NAME",
        choices=["all", *names],
        help=f"all, or of: {', '.join(names)}".replace("%", "%%"),
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"where cells and checkpoints are kept [{OUT}]")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"where summaries go [{RESULTS}]")
    parser.add_argument("--sort", default="PSP@5", help="metric that the leaderboard is sorted by [PSP@5]")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda [auto]")
    parser.add_argument("--summary", action="store_true", help="run nothing, sum up what is there")
    return parser.parse_args(words)


def load(paths: Sequence[Path]) -> dict[str, DataFolder]:
    """Data sets by name.

    Raises:
        SystemExit: Two have one name.
    """
    folders: dict[str, DataFolder] = {}
    for path in paths:
        folder = load_dataset(path)
        if folder.name in folders:
            sys.exit(
                f"{path} and {folders[folder.name].path} are both called {folder.name}: rename one in its card.json"
            )
        folders[folder.name] = folder
    return folders
