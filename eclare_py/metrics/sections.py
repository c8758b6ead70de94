"""Parts of a result beyond its figures: how sure they are, what another run gives instead, which labels stand out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from eclare_py.errors import DataError
from eclare_py.metrics.bootstrap import LEVEL, bootstrap_intervals
from eclare_py.metrics.comparison import compare
from eclare_py.metrics.label_table import LabelTable
from eclare_py.metrics.per_document import DocumentScores, unpaired
from eclare_py.types import Csr, Ranking

_LEAST = 5  # test documents of a label whose recall is worth naming
_NAMED = 12  # best and worst labels
_BROWSED, _SHOWN = 30, 5  # documents to browse, labels of each
_COLUMNS = ("label", "id", "text", "train_documents", "test_positives", "hits@10", "R@10", "confused_with")


def intervals_section(scores: DocumentScores) -> dict[str, Any]:
    """Bootstrap intervals over documents: {"level": 0.95, "bins": {bin: {metric: [low, high]}}}, "all" a bin too."""
    ends = bootstrap_intervals(scores)
    bins: dict[str, dict[str, list[float]]] = {}
    for (metric, name), low, high in zip(scores.cells, ends.low.tolist(), ends.high.tolist(), strict=True):
        if np.isfinite(low):
            bins.setdefault(name, {})[metric] = [round(low, 4), round(high, 4)]
    return {"level": LEVEL, "bins": bins}


def against_section(scores: DocumentScores, base: DocumentScores, name: str) -> dict[str, Any]:
    """What this run gains over another on the same documents: {"base", "level", "differences": [..], "left_out": ".."}.

    Where the two count label frequencies differently, bins and propensity-scored figures are not among the differences,
    and "left_out" says so.

    Raises:
        DataError: The other run is of another test set.
    """
    if reason := unpaired(base, scores):
        raise DataError(f"cannot be compared with this run: {reason}", path=name)
    study = compare({"base": [base], "own": [scores]})
    differences = [dataclasses.asdict(one) for one in study.comparisons[0].differences]
    return {"base": name, "level": study.settings["level"], "differences": differences, "left_out": study.left_out}


def extremes_section(table: LabelTable) -> dict[str, Any]:
    """Labels of at least five test documents that are found best and worst: recall in the first ten, then size."""
    columns = table.columns
    sizes = np.asarray(columns["test_positives"])
    found = np.asarray(columns["hits@10"]) / np.maximum(sizes, 1)
    there = np.flatnonzero(sizes >= _LEAST)
    order = {"best": np.lexsort((-sizes[there], -found[there])), "worst": np.lexsort((-sizes[there], found[there]))}
    return {
        name: [{key: columns[key][row] for key in _COLUMNS} for row in there[ids[:_NAMED]].tolist()]
        for name, ids in order.items()
    }


def examples_section(ranking: Ranking, labels: Csr) -> dict[str, Any]:
    """First labels of documents spread evenly over the set, by row; no texts.

    Args:
        ranking: (N, k) answers, less filter pairs.
        labels: (N, L) truth.

    Returns:
        {"documents": [{"row", "labels", "scores", "relevant", "missed"}]}: label rows, their scores, which of them are
        relevant, and relevant labels that are not among them.
    """
    count = labels.shape[0]
    step = max(count // _BROWSED, 1)
    found = []
    for row in range(0, min(step * _BROWSED, count), step):
        truth = set(labels[[row]].indices.tolist())
        shown = [label for label in ranking.indices[row, :_SHOWN].tolist() if label >= 0]
        found.append(
            {
                "row": row,
                "labels": shown,
                "scores": ranking.scores[row, : len(shown)].tolist(),
                "relevant": [label in truth for label in shown],
                "missed": sorted(truth - set(shown)),
            }
        )
    return {"documents": found}
