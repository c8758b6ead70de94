"""Are scores probabilities? Of the labels ranked first, how many of those with a score of p are relevant?

    python experiments/calibration.py --svg docs/calibration.svg
    python experiments/calibration.py --model MODEL --data DATA --tail-boost 0

Takes the ten best labels of every test document. Prints the expected calibration error, the mean distance of score and
share in ten bins of equal width, weighted by how many labels a bin holds, and the bins.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from eclare_py import EclareClassifier, load_dataset
from eclare_py.metrics.calibration import reliability
from eclare_py.metrics.selective import Scored


def main() -> None:
    """Measure, print, draw where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("build/quickstart/model"))
    parser.add_argument("--data", type=Path, default=Path("build/quickstart/data"))
    parser.add_argument("--tail-boost", type=float, help="lift of rare labels, instead of the recipe's")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--svg", type=Path, help="file for the reliability diagram")
    arguments = parser.parse_args()
    found = measure(arguments.model, arguments.data, arguments.tail_boost)
    for row in found["bins"]:
        print(f"{row['low']:.1f}-{row['high']:.1f}  score {row['score']:.3f}  relevant {row['share']:.3f}  "
              f"({row['labels']:,} labels)")  # fmt: skip
    print(f"expected calibration error {found['error']:.4f} over {found['labels']:,} labels")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if arguments.svg is not None:
        draw(found, arguments.svg)


def measure(model: Path, data: Path, tail_boost: float | None) -> dict[str, Any]:
    """Score and share of relevant labels by bin, and the error."""
    test = load_dataset(data).test
    if test is None:
        raise SystemExit(f"{data} has no test split")
    classifier = EclareClassifier.load(model, tail_boost=tail_boost)
    ranking = classifier.predict(test.texts, 10, filter_pairs=test.filter_pairs)
    scored = Scored.of(ranking, test.labels, classifier.pipeline.frequencies)
    found = reliability(scored.scores[scored.there], scored.hit[scored.there])
    columns = [found.low, found.high, found.score, found.share, found.count]
    names = ("low", "high", "score", "share", "labels")
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(column.tolist() for column in columns), strict=True)]
    labels = int(found.count.sum())
    return {"error": found.expected_error, "labels": labels, "tail_boost": tail_boost, "bins": rows}


def draw(found: dict[str, Any], path: Path) -> None:
    """The reliability diagram."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(3.6, 3.4), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([row["score"] for row in found["bins"]], [row["share"] for row in found["bins"]], marker="o")
    axes.set(xlabel="score", ylabel="share relevant", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title(f"expected calibration error {found['error']:.3f}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
