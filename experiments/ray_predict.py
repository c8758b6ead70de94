"""Does a batch on Ray lose or double a document when a worker is killed? Against the local engine, file by file.

    python experiments/ray_predict.py --documents 1000000 --json ray_predict.json

Trains a small model on synthetic data, writes texts made of its labels' words in shards, answers them with the local
engine and with two workers on Ray, of which one is killed with SIGKILL when a third of the shards are done. Expected:
the same files byte for byte, every uid once and in its place, and with as many processors as workers less time than
the local engine takes on one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

KILL_AT = 1 / 3  # of the shards
SMALL = ("document.dim=64", "rank.steps=400", "training.surrogate_epochs=5")


def main() -> None:
    """Measure, show, write; the exit code is 1 where the two differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--labels", type=int, default=1000, help="of the synthetic data the model is trained on")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument("--address", help="of a running Ray cluster on this machine [its own]")
    parser.add_argument("--folder", type=Path, help="where to work [a temporary folder]")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        figures = measure(arguments, Path(name))
    print(json.dumps(figures, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.exit(0 if figures["same"] and figures["ray"]["in_place"] else 1)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Make everything, run both engines, compare."""
    os.chdir(folder)
    eclare("data", "build", "synthetic", "--out", "data", "--set", f"labels={arguments.labels}")
    settings = [word for one in SMALL for word in ("--set", one)] if arguments.recipe == "default" else []
    eclare("train", arguments.recipe, "--data", "data", "--out", "model", *settings)
    write_shards(Path("in"), arguments.documents, arguments.shards)
    call = ("predict", "model", "--input", "in", "--top-k", str(arguments.top_k), "--output")
    begun = time.perf_counter()
    eclare(*call, "local")
    local = time.perf_counter() - begun
    address = [] if arguments.address is None else ["--address", arguments.address]
    words = (*call, "ray", "--engine", "ray", "--workers", str(arguments.workers), *address)
    begun = time.perf_counter()
    killed = run_and_kill(words, Path("ray"), int(arguments.shards * KILL_AT))
    on_ray = time.perf_counter() - begun
    answers = {name: digest(Path(name), arguments.documents, arguments.shards) for name in ("local", "ray")}
    return {
        "documents": arguments.documents, "shards": arguments.shards, "workers": arguments.workers,
        "labels": arguments.labels, "recipe": arguments.recipe, "top_k": arguments.top_k,
        "same": answers["local"]["sha256"] == answers["ray"]["sha256"],
        "local": {"seconds": round(local, 1), **answers["local"]},
        "ray": {"seconds": round(on_ray, 1), **answers["ray"], **killed},
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "threads_of_local": os.environ.get("OMP_NUM_THREADS"), "load_average": os.getloadavg()[0],
    }  # fmt: skip


def eclare(*words: str) -> None:
    """Run the command line."""
    subprocess.run([sys.executable, "-m", "eclare_py.cli", *words], check=True)


def write_shards(folder: Path, documents: int, shards: int) -> None:
    """Texts of the words of two labels and a number, in shards that are nearly equal."""
    from eclare_py import load_dataset

    labels = load_dataset("data").train.label_texts
    folder.mkdir()
    bounds = np.linspace(0, documents, shards + 1).astype(int)
    for shard, (first, last) in enumerate(zip(bounds, bounds[1:], strict=False)):
        chosen = np.random.default_rng(shard).integers(len(labels), size=(last - first, 2))
        with open(folder / f"{shard:05}.jsonl", "w", encoding="utf-8") as file:
            for number, (one, other) in zip(range(first, last), chosen, strict=True):
                file.write(json.dumps({"uid": str(number), "text": f"{labels[one]} {labels[other]} {number}"}) + "\n")


def run_and_kill(words: tuple[str, ...], output: Path, done: int) -> dict[str, Any]:
    """Run the command line and kill a worker that is writing when `done` shards are there."""
    running = subprocess.Popen([sys.executable, "-m", "eclare_py.cli", *words])
    killed: dict[str, Any] = {}
    while running.poll() is None:
        writing = list(output.glob(".*.part-*")) if not killed else []
        finished = len(list(output.glob("*.jsonl"))) if writing else 0
        if writing and finished >= done:
            os.kill(int(writing[0].name.split("-")[-2]), signal.SIGKILL)
            killed = {"killed_after_shards": finished, "half_written_bytes": writing[0].stat().st_size}
        time.sleep(0.01)
    if running.returncode or not killed:
        sys.exit(f"the run on Ray came to {running.returncode}, killed: {killed}")
    return killed


def digest(folder: Path, documents: int, shards: int) -> dict[str, Any]:
    """SHA-256 over names and contents, rows, and whether the uids are 0 to N - 1 in their order, each once."""
    total, rows, in_place = hashlib.sha256(), 0, True
    for path in sorted(folder.glob("[!_.]*")):
        total.update(path.name.encode())
        with open(path, "rb") as file:
            for line in file:
                total.update(line)
                in_place = in_place and json.loads(line)["uid"] == str(rows)
                rows += 1
    files = len(list(folder.iterdir())) - 1  # without _job.json
    return {"sha256": total.hexdigest(), "rows": rows, "in_place": in_place and rows == documents and files == shards}


if __name__ == "__main__":
    main()
