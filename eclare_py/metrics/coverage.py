"""Metrics that count labels and not documents: how many distinct labels a model ever gets right, and macro F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.metrics.ranking import BoolArray
from eclare_py.types import Csr, IntArray, Ranking


@dataclass(frozen=True)
class LabelCounts:
    """What became of each label in the top k over all test documents; everything here is (L,) int64.

    Attributes:
        relevant: Documents the label is relevant for.
        predicted: Documents that have it in their top k.
        found: Documents of both kinds.
    """

    relevant: IntArray
    predicted: IntArray
    found: IntArray


def count_labels(ranking: Ranking, hit: BoolArray, labels: Csr, k: int) -> LabelCounts:
    """Count per label.

    Args:
        ranking: (N, >= k); narrower ones are taken as they are.
        hit: Its hits.
        labels: (N, L) label matrix.
        k: Ranks that count.
    """
    slots, n_labels = ranking.indices[:, :k], labels.shape[1]
    return LabelCounts(
        relevant=np.bincount(labels.indices, minlength=n_labels).astype(np.int64),
        predicted=np.bincount(slots[slots >= 0], minlength=n_labels).astype(np.int64),
        found=np.bincount(slots[hit[:, :k]], minlength=n_labels).astype(np.int64),
    )


def coverage(counts: LabelCounts, among: BoolArray | None = None) -> float | None:
    """coverage@k: of the distinct labels that are relevant somewhere in test, the share found at least once.

    Args:
        counts: Of the top k.
        among: (L,) labels to look at; all where not given. With the rare ones this is tail_coverage@k.

    Returns:
        A share from 0 to 1; None where no label qualifies.
    """
    there = _there(counts, among)
    return float((counts.found[there] > 0).mean()) if there.any() else None


def macro_f1(counts: LabelCounts, among: BoolArray | None = None) -> float | None:
    """macro_F1@k: the F1 of each label, taking the top k as the prediction, averaged over labels relevant in test.

    F1 of a label is 2 found / (predicted + relevant). Labels without test positives have none and are left out.

    Args:
        counts: Of the top k.
        among: (L,) labels to look at; all where not given.

    Returns:
        A share from 0 to 1; None where no label qualifies.
    """
    there = _there(counts, among)
    f1 = 2.0 * counts.found[there] / (counts.predicted[there] + counts.relevant[there])
    return float(f1.mean()) if there.any() else None


def micro_recall(counts: LabelCounts, among: BoolArray | None = None) -> float | None:
    """Of all relevant (document, label) pairs, the share in the top k. With the rare labels this is tail_R@k.

    Args:
        counts: Of the top k.
        among: (L,) labels whose pairs count; all where not given.

    Returns:
        A share from 0 to 1; None where there is no such pair.
    """
    there = _there(counts, among)
    return float(counts.found[there].sum() / counts.relevant[there].sum()) if there.any() else None


def _there(counts: LabelCounts, among: BoolArray | None) -> BoolArray:
    """Labels that are relevant somewhere, of those asked for."""
    there: BoolArray = counts.relevant > 0
    return there if among is None else there & among
