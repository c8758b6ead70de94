"""Does the same training end in the same model, byte by byte? In fresh processes that differ in what must not matter.

    python experiments/determinism.py --data build/debian --recipe xr_linear default elias --json determinism.json
    python experiments/determinism.py --data build/debian --recipe default --device cuda --set training.ranker_epochs=1

Each recipe is trained with hash seed 0 and one thread, again so, with hash seed 1, with two threads, and with kernels
that are compiled anew (minutes). The fingerprint of the model folder (`eclare inspect`) must be the same; files that
are not are named. Expected of the CPU: all the same. Of a GPU: not, as it adds up in any order. Exit code 1 where the
CPU disagrees.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Hash seed and threads.
RUNS = {
    "first": ("0", "1"), "again": ("0", "1"), "another hash seed": ("1", "1"), "two threads": ("0", "2"),
    "just compiled": ("0", "1"),
}  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def main() -> None:
    """Train, compare, show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a data folder")
    parser.add_argument("--recipe", nargs="+", default=["default"], help="recipes [default]")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for recipe in arguments.recipe:
        with tempfile.TemporaryDirectory() as folder:
            figures[recipe] = compare(recipe, arguments, Path(folder))
        print(recipe, json.dumps(figures[recipe]), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    same = all(not run["differs"] for runs in figures.values() for run in runs.values())
    sys.exit(1 if arguments.device == "cpu" and not same else 0)


def compare(recipe: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fingerprints of all runs of a recipe, and the files that are not those of the first."""
    from eclare_py.persist import LOG, TIMES_FILE, fingerprint
    from eclare_py.storage import verify_manifest

    found: dict[str, Any] = {}
    files: dict[str, dict[str, str]] = {}
    for name, (seed, threads) in RUNS.items():
        model = folder / name.replace(" ", "-")
        started = time.perf_counter()
        fresh = {"NUMBA_CACHE_DIR": str(folder / "kernels")} if name == "just compiled" else {}
        train(recipe, arguments, model, {"PYTHONHASHSEED": seed, **dict.fromkeys(THREADS, threads), **fresh})
        seconds = round(time.perf_counter() - started, 1)
        listed = verify_manifest(model)["files"]
        files[name] = {file: entry["sha256"] for file, entry in listed.items() if file not in (LOG, TIMES_FILE)}
        differs = sorted(file for file in files["first"] if files[name].get(file) != files["first"][file])
        found[name] = {"fingerprint": fingerprint(model)[:16], "differs": differs, "seconds": seconds}
    return found


def train(recipe: str, arguments: argparse.Namespace, model: Path, settings: dict[str, str]) -> None:
    """Train in a fresh process."""
    words = [word for override in arguments.set for word in ("--set", override)]
    command = [sys.executable, "-m", "eclare_py.cli", "train", recipe, "--data", str(arguments.data)]
    command += ["--out", str(model), "--device", arguments.device, *words]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


if __name__ == "__main__":
    main()
