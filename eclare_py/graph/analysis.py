"""Looking at a label graph: figures, and hand-over to networkx and PyG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from eclare_py.errors import UsageError
from eclare_py.graph.edges import row_ids
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.types import FloatArray, IntArray

if TYPE_CHECKING:
    import networkx
    from torch_geometric.data import Data

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


def _edges(graph: LabelGraph) -> tuple[IntArray, IntArray, npt.NDArray[np.bool_]]:
    """Rows and columns of all edges but self loops, and their mask over the stored entries."""
    rows, columns = row_ids(graph.adjacency), graph.adjacency.indices.astype(np.int64)
    kept = rows != columns
    return rows[kept], columns[kept], kept


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
    rows, columns, _ = _edges(graph)
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


def to_networkx(graph: LabelGraph, label_texts: Sequence[str] | None = None) -> networkx.DiGraph:
    """Directed networkx graph: an edge goes from a label to each of its neighbours; self loops are left out.

    Args:
        graph: The graph.
        label_texts: L texts, kept as node attribute "text".

    Returns:
        Nodes 0..L-1; edge attributes "weight" (raw) and "normalized".
    """
    import networkx as nx

    if label_texts is not None and len(label_texts) != graph.n_labels:
        raise UsageError(f"label_texts has {len(label_texts)} texts, the graph {graph.n_labels} labels")
    rows, columns, kept = _edges(graph)
    result = nx.DiGraph()
    for label in range(graph.n_labels):
        result.add_node(label, **({} if label_texts is None else {"text": label_texts[label]}))
    raw, scaled = graph.adjacency.data[kept].tolist(), graph.normalized.data[kept].tolist()
    for label, neighbour, weight, normalized in zip(rows.tolist(), columns.tolist(), raw, scaled, strict=True):
        result.add_edge(label, neighbour, weight=weight, normalized=normalized)
    return result


def to_pyg_data(graph: LabelGraph, features: FloatArray | None = None) -> Data:
    """PyG `Data` for layers that want an edge list, self loops included.

    In PyG messages flow from edge_index[0] to edge_index[1], so a label's neighbour stands first and the label second:
    `SimpleConv()(data.x, data.edge_index, data.edge_weight)` equals `graph.normalized @ features`.

    Args:
        graph: The graph.
        features: (L, d) vectors of the labels, optional.

    Returns:
        Data with edge_index (2, E) int64, edge_weight (E,) normalised, edge_attr (E, 1) raw, num_nodes, and x.
    """
    import torch
    from torch_geometric.data import Data

    if features is not None and len(features) != graph.n_labels:
        raise UsageError(f"features has {len(features)} rows, the graph {graph.n_labels} labels")
    matrix = graph.normalized
    ends = np.stack([matrix.indices.astype(np.int64), row_ids(matrix)])
    return Data(
        x=None if features is None else torch.from_numpy(np.asarray(features, dtype=np.float32)),
        edge_index=torch.from_numpy(ends),
        edge_weight=torch.from_numpy(matrix.data.copy()),
        edge_attr=torch.from_numpy(graph.adjacency.data.astype(np.float32)[:, None]),
        num_nodes=graph.n_labels,
    )
