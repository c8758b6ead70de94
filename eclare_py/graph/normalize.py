"""Self loops and normalisation of a label graph, done once and before propagation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.sparse import row_ids, select_entries
from eclare_py.types import Csr, as_csr

NORMALIZATIONS = ("symmetric", "row", "none")
SELF_LOOPS = ("keep", "max", "one", "none")


def set_self_loops(graph: Csr, mode: str) -> Csr:
    """Give every label the self loop that decides how much of its own vector survives a hop.

    Args:
        graph: (L, L) graph of positive weights.
        mode: "keep": the diagonal as it is (walks: how often the walk came back), 1 where there is none, as in ECLARE;
            "max": as heavy as the row's heaviest edge, 1 in rows without an edge; "one": 1; "none": no self loop.

    Returns:
        (L, L) CSR float32 with sorted unique indices.

    Raises:
        UsageError: The mode is unknown.
    """
    if mode not in SELF_LOOPS:
        raise UsageError(f"self_loops={mode!r} is unknown: choose one of {', '.join(SELF_LOOPS)}")
    rows = row_ids(graph)
    off_diagonal = select_entries(graph, graph.indices != rows)
    if mode == "none":
        return as_csr(off_diagonal)
    loops = np.ones(graph.shape[0], dtype=np.float32)
    if mode == "keep":
        stored = graph.diagonal()
        loops = np.where(stored > 0, stored, loops)
    elif mode == "max":
        heaviest = np.zeros_like(loops)
        np.maximum.at(heaviest, row_ids(off_diagonal), off_diagonal.data)
        loops = np.where(heaviest > 0, heaviest, loops)
    return as_csr(off_diagonal + sp.diags_array(loops, format="csr"))


def _sums(ids: np.ndarray, weights: np.ndarray, size: int) -> npt.NDArray[np.float64]:
    """Sum of the weights of each id."""
    return np.bincount(ids, weights, minlength=size).astype(np.float64)


def _inverse(sums: npt.NDArray[np.float64], power: float) -> npt.NDArray[np.float64]:
    """Return sums ** -power, 0 for rows or columns without an edge."""
    return np.where(sums > 0, np.power(sums, -power, where=sums > 0, out=np.ones_like(sums)), 0.0)


def normalize_edges(graph: Csr, kind: str) -> Csr:
    """Scale the edges of a graph.

    "symmetric" is Dr^-1/2 G Dc^-1/2 with the weighted row and column sums of G (ECLARE, reference code). G is not
    symmetric, so neither is the result, and its rows do not sum to 1. "row" is Dr^-1 G, "none" is G.

    Args:
        graph: (L, L) graph of weights >= 0.
        kind: "symmetric", "row" or "none".

    Returns:
        (L, L) CSR float32 of the same structure.

    Raises:
        UsageError: The kind is unknown.
    """
    if kind not in NORMALIZATIONS:
        raise UsageError(f"normalization={kind!r} is unknown: choose one of {', '.join(NORMALIZATIONS)}")
    rows = row_ids(graph)
    weights = graph.data.astype(np.float64)
    if kind != "none":
        power = 0.5 if kind == "symmetric" else 1.0
        weights = weights * _inverse(_sums(rows, weights, graph.shape[0]), power)[rows]
    if kind == "symmetric":
        columns = _sums(graph.indices, graph.data, graph.shape[1])
        weights = weights * _inverse(columns, 0.5)[graph.indices]
    scaled = weights.astype(np.float32)
    return sp.csr_array((scaled, graph.indices.copy(), graph.indptr.copy()), shape=graph.shape)
