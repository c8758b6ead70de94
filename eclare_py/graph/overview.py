"""Figures of a label graph, in one look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from eclare_py.errors import UsageError
from eclare_py.graph.edges import off_diagonal
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.types import IntArray

_TAIL = 5  # a tail label has 1 to 5 train documents
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class GraphSummary:
    """Figures of a label graph; self loops are not counted as edges.

    Attributes:
        labels: L.
        edges: E.
        isolated: Labels with no edge in either direction.
        no_neighbour: Labels without a neighbour of their own, isolated ones included.
        degree_quantiles: Neighbours per label at the quantiles named by the keys.
        in_degree_quantiles: Labels that have this label as a neighbour.
        reciprocal: Share of edges whose reverse is an edge too.
        components: Weakly connected components, isolated labels included.
        largest_component: Its labels.
        tail_with_neighbour: Share of labels of 1 to 5 train documents with a neighbour; None if frequencies are unknown
            or there is no such label.
    """

    labels: int
    edges: int
    isolated: int
    no_neighbour: int
    degree_quantiles: dict[str, float]
    in_degree_quantiles: dict[str, float]
    reciprocal: float
    components: int
    largest_component: int
    tail_with_neighbour: float | None


def _quantiles(values: IntArray) -> dict[str, float]:
    if not len(values):
        return {}
    return {f"{share:g}": float(np.quantile(values, share)) for share in _QUANTILES}


def summary(graph: LabelGraph, label_frequencies: IntArray | None = None) -> GraphSummary:
    """Count what the graph looks like.

    Args:
        graph: The graph.
        label_frequencies: (L,) train documents per label, for the share of tail labels.

    Raises:
        UsageError: The frequencies do not fit the graph.
    """
    n_labels = graph.n_labels
    if label_frequencies is not None and len(label_frequencies) != n_labels:
        raise UsageError(f"label_frequencies has {len(label_frequencies)} entries, the graph {n_labels} labels")
    rows, columns, _ = off_diagonal(graph.adjacency)
    out_degree, in_degree = np.bincount(rows, minlength=n_labels), np.bincount(columns, minlength=n_labels)
    n_components, component = connected_components(graph.adjacency, directed=True, connection="weak")
    tail_share = None
    if label_frequencies is not None:
        tail = (label_frequencies >= 1) & (label_frequencies <= _TAIL)
        tail_share = float((out_degree[tail] > 0).mean()) if tail.any() else None
    # Both keys are unique per edge, so one sorted look-up tells which edges are answered.
    answered = np.isin(columns * n_labels + rows, rows * n_labels + columns)
    return GraphSummary(
        labels=n_labels,
        edges=len(rows),
        isolated=int(((out_degree == 0) & (in_degree == 0)).sum()),
        no_neighbour=int((out_degree == 0).sum()),
        degree_quantiles=_quantiles(out_degree),
        in_degree_quantiles=_quantiles(in_degree),
        reciprocal=float(answered.mean()) if len(rows) else 0.0,
        components=int(n_components),
        largest_component=int(np.bincount(component).max(initial=0)),
        tail_with_neighbour=tail_share,
    )
