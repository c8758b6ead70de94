"""Default routers of a tree, and the targets its routers are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.index.clustering import unit_rows
from eclare_py.types import Csr, FloatArray, as_csr

if TYPE_CHECKING:
    from eclare_py.index.tree import LabelTree


Routers = list[tuple[FloatArray, FloatArray]]


def centroid_routers(tree: LabelTree, vectors: FloatArray) -> Routers:
    """Default routers: each node's vector is the mean of its labels' vectors, of length one, bias 0.

    Args:
        tree: Which labels are under which node.
        vectors: (L, d) label vectors.

    Returns:
        For every level (C_t, d) vectors and (C_t,) biases.

    Raises:
        UsageError: The vectors are not one a label, or not finite.
    """
    levels = _node_means(tree, vectors, np.ones(tree.n_labels, dtype=np.float32))
    return [(unit_rows(means), np.zeros_like(weights)) for means, weights in levels]


def mass_routers(tree: LabelTree, vectors: FloatArray, bias: FloatArray) -> Routers:
    """Routers of a label scorer with biases: how much of softmax(<x, v_l> + bias_l) lies under a node, to first order.

    log sum_l exp(<x, v_l> + b_l) is tangent at x = 0 to <x, m> + log sum_l exp(b_l), with m the mean of the v_l
    weighted by exp(b_l). So a node with a frequent label under it is reached though its other labels fit badly, which
    plain means miss. (Ours; no paper.) Use with the path score `last`.

    Args:
        tree: Which labels are under which node.
        vectors: (L, d) label vectors.
        bias: (L,) label biases; -inf for a hidden label.

    Returns:
        For every level (C_t, d) vectors and (C_t,) biases.

    Raises:
        UsageError: The shapes do not fit, or vectors are not finite.
    """
    if bias.shape != (tree.n_labels,) or np.isnan(bias).any() or np.isposinf(bias).any():
        raise UsageError(f"biases {bias.shape} must be {tree.n_labels} values below infinity")
    top = float(bias.max()) if np.isfinite(bias.max()) else 0.0
    levels = _node_means(tree, vectors, np.exp(bias - np.float32(top), dtype=np.float32))
    tiny = np.finfo(np.float32).tiny
    return [(means, (np.log(np.maximum(weights, tiny)) + top).astype(np.float32)) for means, weights in levels]


def _node_means(tree: LabelTree, vectors: FloatArray, weights: FloatArray) -> Routers:
    """For every level the weighted means (C_t, d) of the vectors under its nodes, and the weights' sums (C_t,)."""
    if vectors.ndim != 2 or len(vectors) != tree.n_labels:
        raise UsageError(f"{vectors.shape} router vectors do not fit {tree.n_labels} labels")
    under = (weights[tree.label_order], tree.label_order, tree.leaf_ptr)
    members = sp.csr_array(under, shape=(tree.n_leaves, tree.n_labels))
    sums = np.asarray(members @ np.asarray(vectors, dtype=np.float32))
    masses = np.asarray(members.sum(axis=1), dtype=np.float32)
    levels: Routers = []
    for level in range(tree.n_levels - 1, -1, -1):
        safe = np.where(masses > 0, masses, 1).astype(np.float32)
        levels.append(((sums / safe[:, None]).astype(np.float32), masses))
        if level > 0:
            starts = tree.child_ptr[tree.level_ptr[level - 1] : tree.level_ptr[level]] - tree.level_ptr[level]
            sums, masses = np.add.reduceat(sums, starts, axis=0), np.add.reduceat(masses, starts)
    return levels[::-1]


def label_targets(tree: LabelTree, labels: Csr, level: int, *, counts: bool = False) -> Csr:
    """Which nodes of a level a document belongs under, for training routers.

    Args:
        tree: The tree.
        labels: (N, L) label matrix.
        level: Level of the tree; negative levels count from the leaves.
        counts: Give how many labels of the document are under the node instead of 1.

    Returns:
        (N, C_t) CSR.
    """
    if labels.shape[1] != tree.n_labels:
        raise UsageError(f"label matrix of {labels.shape[1]} labels does not fit a tree of {tree.n_labels}")
    kept = as_csr(labels).copy()  # what follows works in place, and scipy shares pointers where their width allows it
    kept.eliminate_zeros()
    nodes = tree.node_of_label(level)[kept.indices]
    ones = np.ones(len(nodes), dtype=np.float32)
    targets = as_csr(sp.csr_array((ones, nodes, kept.indptr), shape=(labels.shape[0], tree.level_size(level))))
    if not counts:
        targets.data[:] = 1
    return targets
