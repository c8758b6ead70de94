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


def centroid_routers(
    tree: LabelTree, vectors: FloatArray, *, normalize: bool = True
) -> list[tuple[FloatArray, FloatArray]]:
    """Default routers: each node's vector is the mean of its labels' vectors, bias 0.

    Args:
        tree: Which labels are under which node.
        vectors: (L, d) label vectors.
        normalize: Scale the means to length one.

    Returns:
        For every level (C_t, d) vectors and (C_t,) biases.

    Raises:
        UsageError: The vectors are not one a label, or not finite.
    """
    if vectors.ndim != 2 or len(vectors) != tree.n_labels:
        raise UsageError(f"{vectors.shape} router vectors do not fit {tree.n_labels} labels")
    ones = np.ones(tree.n_labels, dtype=np.float32)
    members = sp.csr_array((ones, tree.label_order, tree.leaf_ptr), shape=(tree.n_leaves, tree.n_labels))
    sums = np.asarray(members @ np.asarray(vectors, dtype=np.float32))
    sizes = np.diff(tree.leaf_ptr)
    levels: list[tuple[FloatArray, FloatArray]] = []
    for level in range(tree.n_levels - 1, -1, -1):
        means: FloatArray = (sums / np.maximum(sizes, 1).astype(np.float32)[:, None]).astype(np.float32)
        levels.append((unit_rows(means) if normalize else means, np.zeros(len(means), dtype=np.float32)))
        if level > 0:
            starts = tree.child_ptr[tree.level_ptr[level - 1] : tree.level_ptr[level]] - tree.level_ptr[level]
            sums, sizes = np.add.reduceat(sums, starts, axis=0), np.add.reduceat(sizes, starts)
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
    kept = as_csr(labels)
    kept.eliminate_zeros()
    nodes = tree.node_of_label(level)[kept.indices]
    ones = np.ones(len(nodes), dtype=np.float32)
    targets = as_csr(sp.csr_array((ones, nodes, kept.indptr), shape=(labels.shape[0], tree.level_size(level))))
    if not counts:
        targets.data[:] = 1
    return targets
