"""This library and its peers, trained and scored in one run on the same data by the same evaluator.

    python experiments/peers/run.py --data build/quickstart/data
    python experiments/peers/run.py --data DATA --only default libpecos --out build/peers/mine

Every peer gets an environment of its own under build/peers/env (made once), the same texts, and TF-IDF of words and
pairs of words; it is run with its own defaults, one after the other, and alone on the machine if you leave it alone.
Train: from texts in memory to a saved model, vectoriser included. Predict: raw texts to their top 100. One document:
raw text to its top 10, one call after the other, on all cores that the library cares to use. Filter pairs are not
predicted. Written: peers.json, peers.md and peers.svg.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py import load_dataset
from eclare_py.metrics.evaluate import evaluate
from eclare_py.types import Ranking, as_csr

HERE, BUILD = Path(__file__).resolve().parent, Path("build/peers")
OURS = ("default", "xr_linear")
PEERS = {
    "libpecos": ["numpy==1.26.4", "scipy==1.13.1", "scikit-learn==1.5.2", "libpecos==1.2.8"],
    "omikuji": ["numpy==1.26.4", "scipy==1.13.1", "scikit-learn==1.5.2", "omikuji==0.5.2"],
    "napkinxc": ["numpy==1.26.4", "scipy==1.13.1", "scikit-learn==1.5.2", "napkinxc==0.7.2"],
}
# Its wheel asks for torch and transformers, which XR-Linear does not import.
BARE = {"libpecos"}
QUALITY = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")
COSTS = (
    "train_wall_s", "train_cpu_s", "train_peak_MB", "model_MB", "predict_cpu_s", "documents_per_s", "p50_ms", "p99_ms",
)  # fmt: skip


def main() -> None:
    """Run, score, write."""
    arguments = parse()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    file = out / "peers.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() and arguments.keep else {}
    for name in arguments.only or [*OURS, *PEERS]:
        print(f"{name} ...", flush=True)
        figures = work(name, arguments.data, out)
        if figures is not None:
            found[name] = {"quality": score(arguments.data, out / name / "scores.npz"), "cost": figures}
            file.write_text(json.dumps({**found, "machine": machine()}, indent=1) + "\n", encoding="utf-8")
    rows = {name: value for name, value in found.items() if name != "machine"}
    (out / "peers.md").write_text(table(rows), encoding="utf-8")
    draw(rows, out / "peers.svg")
    print(table(rows))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("build/quickstart/data"), help="a data folder, LF format")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of {', '.join([*OURS, *PEERS])} or other recipes")
    parser.add_argument("--out", type=Path, default=BUILD, help=f"folder for results [{BUILD}]")
    parser.add_argument("--keep", action="store_true", help="keep the rows of an earlier run that are not run anew")
    arguments = parser.parse_args()
    if not (arguments.data / "trn.json.gz").is_file():
        sys.exit(f"{arguments.data} has no trn.json.gz: run `make quickstart` first, or name a folder with --data")
    return arguments


def work(name: str, data: Path, out: Path) -> dict[str, Any] | None:
    """Run one worker; None where it cannot be installed or fails, which is told."""
    target = out / name
    if name in PEERS:
        python = environment(name)
        if python is None:
            return None
        command = [str(python), str(HERE / f"{name}_worker.py"), str(data), str(target)]
    else:
        command = [sys.executable, str(HERE / "eclare_worker.py"), str(data), str(target), name]
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "log.txt", "w") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        print(f"{name} failed, see {target / 'log.txt'}")
        return None
    figures: dict[str, Any] = json.loads((target / "figures.json").read_text())
    return figures


def environment(name: str) -> Path | None:
    """The interpreter of a peer's own environment, made where it is not there yet."""
    folder = BUILD / "env" / name
    python = folder / "bin" / "python"
    if (folder / "ready").is_file():
        return python
    commands = [[sys.executable, "-m", "venv", "--clear", str(folder)]]
    *plain, peer = PEERS[name]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    commands += [[*pip, *plain], [*pip, *(["--no-deps"] if name in BARE else []), peer]]
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            print(f"{name} cannot be installed here: {' '.join(command)} failed")
            return None
    (folder / "ready").touch()
    return python


def score(data: Path, predictions: Path) -> dict[str, float]:
    """Quality of saved scores on the test split, filter pairs left out."""
    folder = load_dataset(data)
    train, test = folder.train, folder.test
    assert test is not None
    scores = as_csr(sp.load_npz(predictions))
    rows = np.repeat(np.arange(scores.shape[0], dtype=np.int64), np.diff(scores.indptr))
    hidden = test.filter_pairs[:, 0] * test.n_labels + test.filter_pairs[:, 1]
    scores.data[np.isin(rows * test.n_labels + scores.indices, hidden)] = 0
    scores.eliminate_zeros()
    result = evaluate(
        Ranking.from_csr(scores, 100), test.labels, train.label_frequencies, train.n_documents,
        filter_pairs=test.filter_pairs, propensity_a=folder.propensity_a, propensity_b=folder.propensity_b,
    )  # fmt: skip
    found = {name: result.metrics[name] for name in QUALITY}
    return {name: None if value is None else round(value, 2) for name, value in found.items()}


def machine() -> dict[str, Any]:
    """What it ran on."""
    import os

    return {"cores": os.cpu_count(), "system": platform.platform(terse=True), "python": platform.python_version()}


def table(rows: dict[str, Any]) -> str:
    """Two Markdown tables: quality in percent, and cost."""
    lines = []
    for kind, columns in (("quality", QUALITY), ("cost", COSTS)):
        titles = [column.replace("_", " ") if kind == "cost" else column for column in columns]
        lines += ["| | " + " | ".join(titles) + " |", "|---" * (len(columns) + 1) + "|"]
        for name, value in rows.items():
            lines.append(f"| {name} | " + " | ".join(f"{value[kind][column]:,}" for column in columns) + " |")
        lines.append("")
    return "\n".join(lines)


def draw(rows: dict[str, Any], path: Path) -> None:
    """Quality as bars, a group a metric."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 3.4), layout="constrained")
    width = 0.8 / max(len(rows), 1)
    for place, (name, value) in enumerate(rows.items()):
        spots = np.arange(len(QUALITY)) + (place - (len(rows) - 1) / 2) * width
        axes.bar(spots, [value["quality"][metric] for metric in QUALITY], width, label=name)
    axes.set_xticks(range(len(QUALITY)), QUALITY)
    axes.set_ylabel("percent")
    axes.legend(frameon=False, ncols=len(rows), loc="lower left", bbox_to_anchor=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
