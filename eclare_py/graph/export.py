"""Hand-over of a label graph to networkx and PyG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.graph.edges import off_diagonal
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.sparse import row_ids
from eclare_py.types import FloatArray

if TYPE_CHECKING:
    import networkx
    from torch_geometric.data import Data


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
    rows, columns, kept = off_diagonal(graph.adjacency)
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
