"""Votes of the nearest train documents: each gives its share to all of its labels (RAE-XMC, arXiv 2502.10615)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.index.selection import keep_best, sort_best
from eclare_py.rank.candidates import Candidates, look_up
from eclare_py.rank.tables import empty_table, slot_of
from eclare_py.threads import in_parts
from eclare_py.types import Csr, FloatArray, IntArray, Ranking

_TOGETHER = 64  # documents handed to a thread
LEAST_VOTE = np.float32(1e-3)  # added before the logarithm: a vote as small as this is as good as none


class Votes(NamedTuple):
    """The labels that the neighbours of B documents have.

    Attributes:
        labels: (B, J) labels with the most votes, -1 where there are fewer; J = 0 where nobody votes.
        shares: (B, J) sum of the shares of those neighbours that have the label, in 0..1.
        nearest: (B, J) cosine of the nearest of them.
    """

    labels: IntArray
    shares: FloatArray
    nearest: FloatArray

    @classmethod
    def none(cls, n: int) -> Votes:
        """Nobody votes."""
        return cls(*(np.empty((n, 0), kind) for kind in (np.int64, np.float32, np.float32)))


def cast_votes(neighbours: Ranking, label_ptr: IntArray, labels: np.ndarray, *, temperature: float, most: int) -> Votes:
    """Let the neighbours vote with shares softmax(cosine / temperature), V = softmax(q K^T / tau) Y.

    RAE-XMC adds the labels themselves to the memory and takes the sum as the score. Here the label vectors have their
    own place in the fusion, so only documents vote, and the vote is evidence.

    Args:
        neighbours: (B, n) train documents by cosine, padded where there are fewer.
        label_ptr: (N+1,) labels of the train documents.
        labels: These labels.
        temperature: The smaller, the more the nearest ones count.
        most: Labels kept per document, J.
    """
    n_documents = len(neighbours)
    votes = Votes(
        np.full((n_documents, most), -1, dtype=np.int64),
        np.zeros((n_documents, most), dtype=np.float32),
        np.zeros((n_documents, most), dtype=np.float32),
    )

    def cast(start: int, stop: int) -> None:
        found, cosines, *out = (rows[start:stop] for rows in (neighbours.indices, neighbours.scores, *votes))
        _cast(found, cosines, label_ptr, labels, np.float32(1 / temperature), *out)

    in_parts(n_documents, _TOGETHER, cast)
    return votes


def vote_evidence(votes: Votes, found: Candidates, n_labels: int) -> FloatArray:
    """(P, 3) for every candidate: log of its votes, cosines of its nearest neighbour and of the nearest that votes."""
    top = votes.nearest.max(axis=1, initial=0)
    columns = [np.log(look_up(_matrix(votes, votes.shares, n_labels), found) + LEAST_VOTE)]
    columns += [10 * look_up(_matrix(votes, votes.nearest, n_labels), found), 10 * top[found.rows]]
    return np.stack(columns, axis=1).astype(np.float32)


def voted(votes: Votes, n_labels: int) -> Csr:
    """(B, L) CSR of the shares."""
    return _matrix(votes, votes.shares, n_labels)


def _matrix(votes: Votes, values: FloatArray, n_labels: int) -> Csr:
    return Ranking(votes.labels, values).to_csr(n_labels)


@njit(cache=True, nogil=True)
def _cast(
    documents: IntArray, cosines: FloatArray, label_ptr: IntArray, labels: np.ndarray, sharpness: float,
    best: IntArray, best_shares: FloatArray, best_nearest: FloatArray,
) -> None:  # fmt: skip
    """Votes for some documents: `documents` and `cosines` (B, n), best first; the rest (B, J) as `Votes` starts."""
    for row in range(documents.shape[0]):
        size, total, entries, first = 0, np.float32(0.0), 0, cosines[row, 0]
        while size < documents.shape[1] and documents[row, size] >= 0:
            total += np.exp((cosines[row, size] - first) * sharpness)
            entries += label_ptr[documents[row, size] + 1] - label_ptr[documents[row, size]]
            size += 1
        keys = empty_table(entries)
        shares, nearest = np.zeros(keys.shape[0], np.float32), np.zeros(keys.shape[0], np.float32)
        for i in range(size):
            document, cosine = documents[row, i], cosines[row, i]
            share = np.exp((cosine - first) * sharpness) / total
            for position in range(label_ptr[document], label_ptr[document + 1]):
                slot = slot_of(keys, labels[position])
                if keys[slot] < 0:  # the nearest neighbour that has it comes first
                    keys[slot], nearest[slot] = labels[position], cosine
                shares[slot] += share
        filled = keys >= 0
        kept = keep_best(shares[filled], keys[filled], best_shares[row], best[row])
        sort_best(best_shares[row], best[row], kept)
        for j in range(kept):
            best_nearest[row, j] = nearest[slot_of(keys, best[row, j])]
