"""What an array has to be to belong to a label tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.index.gated import GATES
from eclare_py.sparse import owners

if TYPE_CHECKING:
    from eclare_py.index.tree import LabelTree


def check_tree(tree: LabelTree) -> None:
    """Refuse arrays that are not a tree; compiled loops would read outside of them.

    Raises:
        ModelError: Says what does not fit.
    """
    level_ptr, child_ptr, leaf_ptr = tree.level_ptr, tree.child_ptr, tree.leaf_ptr
    if len(level_ptr) < 2 or level_ptr[0] != 0 or np.any(np.diff(level_ptr) < 1):
        raise ModelError("label tree: level_ptr must start at 0 and increase")
    nodes, inner = int(level_ptr[-1]), int(level_ptr[-2])
    if len(child_ptr) != inner + 1 or np.any(np.diff(child_ptr) < 1):
        raise ModelError(f"label tree: child_ptr must increase over {inner} inner nodes")
    if not np.array_equal(child_ptr[level_ptr[:-1]], level_ptr[1:]):
        raise ModelError("label tree: child_ptr does not match the levels")
    if len(leaf_ptr) != nodes - inner + 1 or leaf_ptr[0] != 0 or np.any(np.diff(leaf_ptr) < 0):
        raise ModelError(f"label tree: leaf_ptr must start at 0 and not decrease over {nodes - inner} leaves")
    if leaf_ptr[-1] != len(tree.label_order) or len(tree.label_order) == 0:
        raise ModelError(f"label tree: leaf_ptr ends at {leaf_ptr[-1]}, but there are {len(tree.label_order)} labels")
    _check_slots(tree)
    if tree.routers.ndim != 2 or len(tree.routers) != nodes or tree.bias.shape != (nodes,):
        raise ModelError(f"label tree: routers {tree.routers.shape} and bias {tree.bias.shape} for {nodes} nodes")
    if not (np.isfinite(tree.routers).all() and np.isfinite(tree.bias).all()):
        raise ModelError("label tree: routers hold NaN or infinity")


def _check_slots(tree: LabelTree) -> None:
    """Labels, edges and gate of the slots."""
    gated = tree.score in GATES
    if tree.label_count is None:
        if not np.array_equal(np.sort(tree.label_order), np.arange(tree.n_labels)):
            raise ModelError("label tree: label_order is not a permutation of the labels")
    else:
        _check_overlap(tree)
    if gated and tree.n_levels != 1:
        raise ModelError(f"label tree: the gate {tree.score} needs a single level, there are {tree.n_levels}")
    edges = tree.edges
    if edges is not None:
        if edges.dtype != np.float32 or edges.shape != tree.label_order.shape or not gated:
            raise ModelError(f"label tree: edges {edges.dtype} {edges.shape} do not fit {len(tree.label_order)} slots")
        if not (edges.min() >= 0 and edges.max() <= 1):
            raise ModelError("label tree: edges must lie in 0..1")
    sharpness = tree.sharpness
    if isinstance(sharpness, bool) or not isinstance(sharpness, int | float) or not 0 < sharpness < float("inf"):
        raise ModelError(f"label tree: sharpness {sharpness!r} must be above 0")


def _check_overlap(tree: LabelTree) -> None:
    count = tree.label_count
    if isinstance(count, bool) or not isinstance(count, int) or count < 1 or tree.score not in GATES:
        raise ModelError(f"label tree: {count!r} labels in several leaves need a number from 1 and a gate as score")
    if tree.label_order.min() < 0 or tree.label_order.max() >= count:
        raise ModelError(f"label tree: label_order holds labels outside 0..{count - 1}")
    leaves = owners(tree.leaf_ptr)
    if len(np.unique(leaves * count + tree.label_order)) != len(leaves):
        raise ModelError("label tree: a label stands twice in one leaf")
