"""What a search of the linear ranker takes: expected from the tree, or counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.index.expected import Walk, walk_of
from eclare_py.linear.model import LinearRanker
from eclare_py.types import Csr, IntArray


@dataclass(frozen=True)
class Work:
    """Means over documents of what a beam search takes.

    Attributes:
        opened: Chunks.
        products: Children of these.
        weights: Non-zero weights of these.
    """

    opened: float
    products: float
    weights: float


def ranker_walk(ranker: LinearRanker, chance: np.ndarray, *, weighted: bool = False) -> Walk:
    """The walk to a label drawn by `chance` (L,); with `weighted` a child counts by its non-zero weights."""
    below, masses, widths = np.empty(0), [], []
    for level, turns in zip(reversed(ranker.levels), reversed(ranker.turns), strict=True):
        mass = np.empty(level.n_children)
        mass[turns < 0] = chance[ranker.label_order[-1 - turns[turns < 0]]]
        mass[turns >= 0] = below
        below = np.add.reduceat(mass, level.child_ptr[:-1])
        masses.append(below)
        widths.append(_weights(ranker)[len(ranker.levels) - len(masses)] if weighted else np.diff(level.child_ptr))
    return walk_of(masses, widths)


def search_work(ranker: LinearRanker, documents: Csr, *, beam: int, k: int) -> Work:
    """Count what `ranker.search` opens for documents (B, V); labels that wait close nodes between levels alone."""
    totals, weights = np.zeros(3), _weights(ranker)

    def seen(depth: int, nodes: IntArray) -> None:
        opened = nodes[nodes >= 0]
        width = np.diff(ranker.levels[depth].child_ptr)
        totals[:] += len(opened), width[opened].sum(), weights[depth][opened].sum()

    ranker.search(documents, beam=beam, last=k, seen=seen)
    return Work(*(totals / max(documents.shape[0], 1)).tolist())


def _weights(ranker: LinearRanker) -> list[IntArray]:
    """For every level (P,) non-zero weights of each chunk."""
    return [np.diff(level.entry_ptr[level.row_ptr]) for level in ranker.levels]
