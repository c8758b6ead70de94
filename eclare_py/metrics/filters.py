"""Filter pairs: (document, label) pairs that are left out of predictions, as the document is the label itself."""

from __future__ import annotations

import numpy as np

from eclare_py.errors import DataError
from eclare_py.types import PADDING, BoolArray, IntArray, Ranking


def filtered_slots(ranking: Ranking, pairs: IntArray) -> BoolArray:
    """(N, k) slots that hold a filter pair.

    Args:
        ranking: (N, k).
        pairs: (F, 2) of document row and label.

    Raises:
        DataError: `pairs` is not (F, 2), or a row is outside the ranking (the pairs of another split).
    """
    pairs = np.asarray(pairs, dtype=np.int64)
    if pairs.size == 0:
        return np.zeros(ranking.indices.shape, dtype=bool)
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise DataError(f"filter pairs have shape {pairs.shape}, expected (F, 2)")
    if pairs[:, 0].min() < 0 or pairs[:, 0].max() >= len(ranking):
        worst = int(pairs[:, 0].max() if pairs[:, 0].max() >= len(ranking) else pairs[:, 0].min())
        raise DataError(f"filter pairs name document {worst}, there are {len(ranking)}; are they of another split?")
    result = np.zeros(ranking.indices.shape, dtype=bool)
    affected, place = np.unique(pairs[:, 0], return_inverse=True)
    slots = ranking.indices[affected]
    width = int(max(slots.max(initial=0), pairs[:, 1].max())) + 1
    keys = np.arange(len(affected))[:, None] * width + slots
    result[affected] = np.isin(keys, place * width + pairs[:, 1]) & (slots >= 0)
    return result


def drop_filter_pairs(ranking: Ranking, pairs: IntArray) -> Ranking:
    """Take filter pairs out of a ranking; later labels move up, and rows that become shorter are padded.

    Rank as many labels more than needed as a document may have pairs: nothing can be put in the place of what is
    dropped.

    Args:
        ranking: (N, k).
        pairs: (F, 2) of document row and label.

    Raises:
        DataError: See `filtered_slots`.
    """
    dropped = filtered_slots(ranking, pairs)
    rows = dropped.any(axis=1)
    if not rows.any():
        return ranking
    order = np.argsort(dropped[rows], axis=1, kind="stable")
    indices, scores = ranking.indices.copy(), ranking.scores.copy()
    indices[rows] = np.take_along_axis(np.where(dropped[rows], PADDING, indices[rows]), order, axis=1)
    scores[rows] = np.take_along_axis(np.where(dropped[rows], -np.inf, scores[rows]), order, axis=1)
    return Ranking(indices, scores)
