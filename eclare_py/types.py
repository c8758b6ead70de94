"""The two values every part speaks: the CSR matrix and the Ranking.

Letters in shapes: N documents, L labels, B batch, K shortlist, k top-k, d embedding dimension, C clusters, E edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FloatArray: TypeAlias = npt.NDArray[np.float32]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Csr: TypeAlias = sp.csr_array

PADDING = -1  # label id of an empty slot in a Ranking; its score is -inf


def as_csr(matrix: Any, *, dtype: npt.DTypeLike = np.float32) -> Csr:
    """Convert to the one sparse form used inside: `csr_array`, sorted unique indices, `dtype` values."""
    csr = sp.csr_array(matrix, dtype=dtype)
    csr.sum_duplicates()
    csr.sort_indices()
    return csr


def row_blocks(matrix: Csr, rows: int, entries: int = 1 << 22) -> Iterator[slice]:
    """Consecutive rows to be worked on at once: at most `rows`, and `entries` entries, but one row at least."""
    return blocks_of(matrix.indptr, rows, entries)


def blocks_of(pointers: IntArray, rows: int, entries: int) -> Iterator[slice]:
    """The blocks of `row_blocks` by (R+1,) row pointers."""
    start, total = 0, len(pointers) - 1
    while start < total:
        fitting = int(np.searchsorted(pointers, pointers[start] + entries, side="right")) - 1
        stop = min(max(fitting, start + 1), start + rows, total)
        yield slice(start, stop)
        start = stop


def narrow(pointers: IntArray) -> npt.NDArray[Any]:
    """Row pointers as int32 where they fit: scipy widens the columns of a CSR to the type of its pointers."""
    return pointers.astype(np.int32) if len(pointers) and pointers[-1] < 2**31 else pointers


def check_csr(matrix: Csr, *, name: str, shape: tuple[int, int] | None = None) -> Csr:
    """Check a CSR that came from outside before anything multiplies with it.

    torch does not check indices (an out-of-range column is a segmentation fault) and scipy's reader does not either.

    Raises:
        ValueError: Wrong shape, pointers not monotone, indices out of bounds, unsorted or repeated, values not finite.
    """
    rows, columns = matrix.shape
    if shape is not None and (rows, columns) != shape:
        raise ValueError(f"{name} is {rows} x {columns}, expected {shape[0]} x {shape[1]}")
    indptr, indices = np.asarray(matrix.indptr, dtype=np.int64), np.asarray(matrix.indices, dtype=np.int64)
    if len(indptr) != rows + 1 or indptr[0] != 0 or indptr[-1] != len(indices) or len(matrix.data) != len(indices):
        raise ValueError(f"{name}: row pointers do not fit {rows} rows and {len(indices)} entries")
    if np.any(np.diff(indptr) < 0):
        raise ValueError(f"{name}: row pointers decrease at row {int(np.argmax(np.diff(indptr) < 0))}")
    if len(indices) and (indices.min() < 0 or indices.max() >= columns):
        raise ValueError(f"{name}: column index {int(indices.max())} outside 0..{columns - 1}")
    inside = np.ones(max(len(indices) - 1, 0), dtype=bool)
    starts = indptr[1:-1]
    inside[starts[(starts > 0) & (starts < len(indices))] - 1] = False
    if np.any((np.diff(indices) <= 0) & inside):
        raise ValueError(f"{name}: column indices of a row are not sorted and unique")
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return matrix


@dataclass(frozen=True)
class Ranking:
    """The best labels of each document, score descending, ties by label id ascending.

    Attributes:
        indices: (B, k) int64 label ids, `PADDING` where a row is shorter.
        scores: (B, k) float32, -inf in padded slots.
    """

    indices: IntArray
    scores: FloatArray

    def __post_init__(self) -> None:
        if self.indices.shape != self.scores.shape or self.indices.ndim != 2:
            raise ValueError(f"indices {self.indices.shape} and scores {self.scores.shape} must be one (B, k)")

    def __len__(self) -> int:
        return len(self.indices)

    def top(self, k: int) -> Ranking:
        """The first k columns."""
        return Ranking(self.indices[:, :k], self.scores[:, :k])

    def to_csr(self, n_labels: int) -> Csr:
        """(B, L) CSR of scores; padded slots are left out."""
        order = np.argsort(self.indices, axis=1)
        labels, scores = np.take_along_axis(self.indices, order, axis=1), np.take_along_axis(self.scores, order, axis=1)
        kept = labels >= 0
        pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        return as_csr(sp.csr_array((scores[kept], labels[kept], pointers), shape=(len(self), n_labels)))

    @classmethod
    def empty(cls, rows: int, k: int) -> Ranking:
        """(rows, k) of padding."""
        return cls(np.full((rows, k), PADDING, dtype=np.int64), np.full((rows, k), -np.inf, dtype=np.float32))

    @classmethod
    def stack(cls, parts: list[Ranking], k: int) -> Ranking:
        """Rankings (B_i, k) of one batch after the other as one; (0, k) where there are none."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty(0, k)
        return cls(np.concatenate([p.indices for p in parts]), np.concatenate([p.scores for p in parts]))

    @classmethod
    def from_csr(cls, matrix: Csr, k: int) -> Ranking:
        """Rank the stored entries of each row of a (B, L) score matrix."""
        counts = np.diff(matrix.indptr)
        rows = np.repeat(np.arange(matrix.shape[0]), counts)
        order = np.lexsort((matrix.indices, -matrix.data, rows))
        slot = np.arange(len(rows)) - np.repeat(matrix.indptr[:-1], counts)
        kept = slot < k
        indices = np.full((matrix.shape[0], k), PADDING, dtype=np.int64)
        scores = np.full((matrix.shape[0], k), -np.inf, dtype=np.float32)
        indices[rows[kept], slot[kept]] = matrix.indices[order][kept]
        scores[rows[kept], slot[kept]] = matrix.data[order][kept]
        return cls(indices, scores)


def rank(scores: npt.ArrayLike, k: int, labels: npt.ArrayLike | None = None) -> Ranking:
    """Top-k with defined ties (torch.topk and argsort do not keep them in order).

    Args:
        scores: (B, K) scores; -inf marks an empty slot.
        k: Columns wanted; rows with fewer labels are padded.
        labels: (B, K) label ids of the columns; the column number where not given.
    """
    values = np.asarray(scores, dtype=np.float32)
    if values.ndim != 2:
        raise ValueError(f"scores must be (B, K), got shape {values.shape}")
    ids = np.broadcast_to(np.arange(values.shape[1]), values.shape) if labels is None else np.asarray(labels)
    width = min(k, values.shape[1])
    if width < values.shape[1]:
        # Keep everything tied with the k-th score, so that the exact sort below sees all candidates of a tie.
        threshold = np.partition(values, values.shape[1] - width, axis=1)[:, values.shape[1] - width]
        contenders = int((values >= threshold[:, None]).sum(axis=1).max(initial=width))
        if contenders < values.shape[1]:
            part = np.argpartition(-values, contenders - 1, axis=1)[:, :contenders]
            values, ids = np.take_along_axis(values, part, 1), np.take_along_axis(ids, part, 1)
    order = np.lexsort((ids, -values), axis=1)[:, :width]
    indices = np.full((len(values), k), PADDING, dtype=np.int64)
    ranked = np.full((len(values), k), -np.inf, dtype=np.float32)
    ranked[:, :width] = np.take_along_axis(values, order, 1)
    indices[:, :width] = np.take_along_axis(ids, order, 1)
    indices[np.isneginf(ranked)] = PADDING
    return Ranking(indices, ranked)
