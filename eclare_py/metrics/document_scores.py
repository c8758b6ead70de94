"""Scores per document of any metric at any k, over all labels or over those of one range of train frequency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from eclare_py.errors import UsageError
from eclare_py.metrics import propensity as ps
from eclare_py.metrics import ratios as rt
from eclare_py.metrics.label_influence import label_count_scores
from eclare_py.metrics.per_document import ALL, Cell, DocumentScores
from eclare_py.metrics.ranking import DoubleArray
from eclare_py.metrics.rare import EDGES, TAIL, ranges, tail_mask
from eclare_py.metrics.ratios import Ratio
from eclare_py.metrics.trial import Trial, open_trial
from eclare_py.types import Csr, IntArray, Ranking

Whole: TypeAlias = Callable[[Trial, int], Ratio]
Part: TypeAlias = Callable[[Trial, int, DoubleArray], Ratio]

# Metrics over all labels, by the part of their name before the "@".
WHOLE: Mapping[str, Whole] = {
    "P": lambda trial, k: rt.precision(trial.judged, k),
    "nDCG": lambda trial, k: rt.ndcg(trial.judged, k),
    "PSP": lambda trial, k: ps.psp(trial.judged, trial.weights, k),
    "PSP_raw": lambda trial, k: ps.psp(trial.judged, trial.weights, k, normalization="none"),
    "PSnDCG": lambda trial, k: ps.psndcg(trial.judged, trial.weights, k),
    "PSnDCG_raw": lambda trial, k: ps.psndcg(trial.judged, trial.weights, k, normalization="none"),
    "PSDCG": lambda trial, k: ps.psdcg(trial.judged, trial.weights, k),
    "PSR": lambda trial, k: ps.psr(trial.judged, trial.weights, k),
    "PSR_raw": lambda trial, k: ps.psr(trial.judged, trial.weights, k, normalization="none"),
    "micro_PSR": lambda trial, k: ps.micro_psr(trial.judged, trial.weights, k),
    "R": lambda trial, k: rt.recall(trial.judged, k),
    "micro_R": lambda trial, k: rt.pair_recall(trial.judged, k),
    "tail_R": lambda trial, k: rt.pair_recall(
        trial.judged, k, among=tail_mask(trial.frequencies, trial.tail).astype(np.float64)
    ),
    "micro_F1": lambda trial, k: rt.micro_f1(trial.judged, k),
    "hit": lambda trial, k: rt.hit_rate(trial.judged, k),
    "MRR": lambda trial, k: rt.reciprocal_rank(trial.judged, k),
}

# Metrics over the labels of one range, given as (L,) 1 or 0. P and PSP are the points of P@k and PSP@k that are owed to
# the range: they add up to the whole over the ranges, and more is better. The shares add up to 100: more of one is less
# of another.
PARTS: Mapping[str, Part] = {
    "R": lambda trial, k, among: rt.pair_recall(trial.judged, k, among=among),
    "P": lambda trial, k, among: rt.precision(trial.judged, k, among=among),
    "PSP": lambda trial, k, among: ps.psp(trial.judged, trial.weights, k, among=among),
    "P_share": lambda trial, k, among: Ratio(
        trial.judged.hits.sums(k, by_label=among), trial.judged.hits.sums(k)
    ),
    "PSP_share": lambda trial, k, among: Ratio(
        trial.judged.hits.sums(k, by_label=trial.weights.inverse * among),
        trial.judged.hits.sums(k, by_label=trial.weights.inverse),
    ),
    "micro_F1": lambda trial, k, among: rt.micro_f1(trial.judged, k, among=among),
}  # fmt: skip

_SAVED = (
    *(f"{name}@{k}" for name in ("P", "nDCG", "PSP", "PSnDCG", "PSP_raw") for k in (1, 3, 5)),
    "PSDCG@5", "PSR@10", "micro_PSR@10", "micro_PSR@100", "R@10", "R@100", "tail_R@10", "micro_F1@5", "hit@10",
    "MRR@10",
)  # fmt: skip
_SAVED_PARTS = ("R@10", "R@100", "P@5", "PSP@5")


def default_cells(edges: Sequence[int] = EDGES) -> tuple[Cell, ...]:
    """The cells that are kept beside a result: 25 figures over all labels and 4 in every range of frequency."""
    return (
        *((metric, ALL) for metric in _SAVED),
        *((metric, one.name) for metric in _SAVED_PARTS for one in ranges(edges)),
    )


def document_scores(
    ranking: Ranking,
    labels: Csr,
    train_frequencies: npt.ArrayLike,
    n_train: int,
    *,
    filter_pairs: IntArray | None = None,
    propensity_a: float = 0.55,
    propensity_b: float = 1.5,
    tail: int = TAIL,
    cells: Sequence[Cell] | None = None,
    edges: Sequence[int] = EDGES,
) -> DocumentScores:
    """Score each document; for the arguments that are not here see `open_trial`.

    Args:
        ranking: (N, k) predictions; a metric at more than k counts the labels that are missing as misses.
        labels: (N, L) test label matrix.
        train_frequencies: (L,) train documents of each label.
        n_train: Train documents in all.
        filter_pairs: (F, 2) of document row and label.
        propensity_a: A of the data set.
        propensity_b: B of the data set.
        tail: Greatest train frequency of a rare label.
        cells: Pairs of metric, as "P@7", and range of train frequency by its name, or `ALL`: see `WHOLE` and `PARTS`;
            `default_cells` where not given.
        edges: Of the ranges: `EDGES`, `decile_edges(...)` or your own.

    Raises:
        DataError: The ranking and the test set do not fit.
        UsageError: An unknown metric or range.
    """
    trial = open_trial(
        ranking, labels, train_frequencies, n_train,
        filter_pairs=filter_pairs, propensity_a=propensity_a, propensity_b=propensity_b, tail=tail,
    )  # fmt: skip
    return score_documents(trial, cells, edges)


def score_documents(
    trial: Trial, cells: Sequence[Cell] | None = None, edges: Sequence[int] = EDGES
) -> DocumentScores:  # fmt: skip
    """Score each document of a trial; see `document_scores`."""
    chosen = default_cells(edges) if cells is None else tuple(cells)
    shape = (len(chosen), trial.judged.hits.n_documents)
    gained, possible = np.empty(shape), np.empty(shape)  # filled in place: at a million documents this is all memory
    for row, cell in enumerate(chosen):
        ratio = ratio_of(trial, cell, edges)
        gained[row], possible[row] = ratio.gained, ratio.possible
    return DocumentScores(chosen, gained, possible, trial.test_set, trial.basis)


def saved_scores(trial: Trial, edges: Sequence[int] = EDGES) -> DocumentScores:
    """What is kept beside a result: the default cells, and coverage@10 and macro F1@5 by their influences."""
    bins = {ALL: np.ones(trial.n_labels, dtype=np.bool_)}
    bins |= {one.name: one.mask(trial.frequencies) for one in ranges(edges)}
    scores = score_documents(trial, edges=edges)
    for metric, k in (("coverage@10", 10), ("macro_F1@5", 5)):
        counted = label_count_scores(trial.judged, k, bins, test_set=trial.test_set)
        scores = scores.joined(counted.take([cell for cell in counted.cells if cell[0] == metric]))
    return scores


def ratio_of(trial: Trial, cell: Cell, edges: Sequence[int] = EDGES) -> Ratio:
    """One figure as a ratio of sums.

    Raises:
        UsageError: An unknown metric or range; names those there are.
    """
    metric, where = cell
    family, _, digits = metric.rpartition("@")
    known = WHOLE if where == ALL else PARTS
    if family not in known or not digits.isdecimal() or int(digits) < 1:
        raise UsageError(f"no metric {metric!r} over {where!r}: choose NAME@k of {', '.join(known)}")
    if where == ALL:
        return WHOLE[family](trial, int(digits))
    for one in ranges(edges):
        if one.name == where:
            return PARTS[family](trial, int(digits), one.mask(trial.frequencies).astype(np.float64))
    raise UsageError(f"no range of frequency {where!r}: choose of {', '.join(one.name for one in ranges(edges))}")
