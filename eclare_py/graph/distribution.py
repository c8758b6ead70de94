"""How degrees and component sizes of a label graph are distributed, and its hubs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from eclare_py.graph.edges import off_diagonal
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.types import IntArray


@dataclass(frozen=True)
class DegreeBin:
    """Labels by degree; bins double in width.

    Attributes:
        low: Least degree.
        high: Greatest degree.
        labels_out: Labels with so many neighbours.
        labels_in: Labels that are the neighbour of so many.
    """

    low: int
    high: int
    labels_out: int
    labels_in: int


@dataclass(frozen=True)
class SizeBin:
    """Weakly connected components by size; bins double in width.

    Attributes:
        low: Least number of labels.
        high: Greatest number of labels.
        components: Components of such a size.
        labels: Labels in them.
    """

    low: int
    high: int
    components: int
    labels: int


@dataclass(frozen=True)
class Hub:
    """A label that is the neighbour of many.

    Attributes:
        label: Its id.
        text: What it says.
        in_degree: Labels that have it as a neighbour.
        neighbours: Neighbours of its own.
        documents: Its train documents.
    """

    label: int
    text: str
    in_degree: int
    neighbours: int
    documents: int


def degrees(graph: LabelGraph) -> tuple[IntArray, IntArray]:
    """(L,) neighbours of each label, and (L,) labels that have it as a neighbour, self loops left out."""
    rows, columns, _ = off_diagonal(graph.adjacency)
    outward, inward = (np.bincount(ends, minlength=graph.n_labels).astype(np.int64) for ends in (rows, columns))
    return outward, inward


def degree_distribution(graph: LabelGraph) -> list[DegreeBin]:
    """The bins 0, 1, 2-3, 4-7, ... up to the greatest degree."""
    outward, inward = map(_by_doubling, degrees(graph))
    bins = max(len(outward), len(inward))
    counts = zip(*(np.pad(one, (0, bins - len(one))).tolist() for one in (outward, inward)), strict=True)
    return [DegreeBin(*_bounds(place), *both) for place, both in enumerate(counts)]


def component_sizes(graph: LabelGraph) -> list[SizeBin]:
    """The bins 1, 2-3, 4-7, ... up to the largest component."""
    _, component = connected_components(graph.adjacency, directed=True, connection="weak")
    sizes = np.bincount(component).astype(np.int64)
    counts = _by_doubling(sizes).tolist()
    labels = _by_doubling(sizes, sizes).tolist()
    return [SizeBin(*_bounds(place), counts[place], labels[place]) for place in range(1, len(counts))]


def hubs(graph: LabelGraph, label_texts: Sequence[str], frequencies: IntArray, *, top: int = 20) -> list[Hub]:
    """The labels that are the neighbour of most others, ties by lower id.

    Args:
        graph: The graph.
        label_texts: L texts.
        frequencies: (L,) train documents.
        top: Labels wanted; labels that are nobody's neighbour are left out.
    """
    outward, inward = degrees(graph)
    order = np.argsort(-inward, kind="stable")[:top]
    return [
        Hub(label, label_texts[label], int(inward[label]), int(outward[label]), int(frequencies[label]))
        for label in order[inward[order] > 0].tolist()
    ]


def _by_doubling(values: IntArray, weights: IntArray | None = None) -> IntArray:
    """How many values are 0, 1, 2 to 3, 4 to 7, ..., or what they weigh together."""
    # frexp gives the number of binary digits exactly, which rounding of a logarithm would not.
    return np.bincount(np.frexp(values.astype(np.float64))[1], weights).astype(np.int64)


def _bounds(place: int) -> tuple[int, int]:
    return (0, 0) if place == 0 else (1 << (place - 1), (1 << place) - 1)
