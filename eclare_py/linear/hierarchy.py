"""What the linear ranker is trained on, level by level: nodes, and labels wherever their path ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from eclare_py.index import LabelTree
from eclare_py.sparse import row_ids
from eclare_py.types import Csr, IntArray, as_csr


@dataclass(frozen=True)
class Level:
    """The children of all parents of one level.

    Attributes:
        child_ptr: (P+1,) children of parent p; parents are the inner children of the level above, in order.
        member: (L,) child that holds each label, -1 where its path ended above.
        ends: Children that are labels themselves, ascending; the other ones are the parents of the level below.
    """

    child_ptr: IntArray
    member: IntArray
    ends: IntArray

    @property
    def inner(self) -> IntArray:
        """Children with children of their own."""
        return np.setdiff1d(np.arange(int(self.child_ptr[-1])), self.ends, assume_unique=True)

    def counts(self, labels: Csr, *, ends_only: bool = False) -> Csr:
        """(N, L) labels -> (N, n) how many of a document's labels lie under each child, or under each that ends."""
        member = self.member
        if ends_only:
            known = np.zeros(int(self.child_ptr[-1]) + 1, dtype=bool)
            known[self.ends] = True
            member = np.where(known[member], member, -1)
        labels = as_csr(labels != 0)
        rows = row_ids(labels)
        children = member[labels.indices]
        kept = children >= 0
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        shape = (labels.shape[0], int(self.child_ptr[-1]))
        return as_csr(sp.coo_array((ones, (rows[kept], children[kept])), shape=shape))


def levels_of(tree: LabelTree, *, direct: int = 0) -> tuple[list[Level], IntArray]:
    """The levels below the root, labels last.

    A leaf above the last level has its labels right below it, not below a chain of nodes with one child each.

    Args:
        tree: The labels' tree.
        direct: A leaf of at most this many labels is left out: its labels hang on the node above.

    Returns:
        The levels, and the labels (L,) in the order in which paths end: level by level, on each by child.
    """
    order, depth = tree.label_order, tree.n_levels
    slots, parents, n_parents = np.arange(len(order)), np.zeros(len(order), dtype=np.int64), 1
    leaves = [_is_leaf(tree, level) for level in range(depth)]
    above_leaf = np.zeros(len(order), dtype=bool)
    found, finished = [], []
    for level in range(depth + 1):
        nodes = tree.node_of_label(level)[order[slots]] if level < depth else slots
        sizes = np.bincount(nodes)[nodes]
        leaf = leaves[level][nodes] if level < depth else np.ones(len(slots), dtype=bool)
        own = above_leaf | (leaf & (sizes <= direct)) if level < depth else leaf
        first = np.ones(len(slots), dtype=bool)
        first[1:] = own[1:] | own[:-1] | (nodes[1:] != nodes[:-1])
        child, starts = np.cumsum(first) - 1, np.flatnonzero(first)
        member = np.full(len(order), -1, dtype=np.int64)
        member[order[slots]] = child
        child_ptr = np.searchsorted(parents[starts], np.arange(n_parents + 1)).astype(np.int64)
        found.append(Level(child_ptr, member, np.flatnonzero(own[starts]).astype(np.int64)))
        finished.append(order[slots[own]])
        turns = np.cumsum(~own[starts]) - 1
        parents, n_parents = turns[child][~own], int((~own[starts]).sum())
        slots, above_leaf = slots[~own], leaf[~own]
        if not len(slots):
            break
    return found, np.concatenate(finished)


def _is_leaf(tree: LabelTree, level: int) -> np.ndarray:
    """(C_t,) nodes with nothing but a chain of single children under them."""
    leaf = np.ones(tree.level_size(-1), dtype=bool)
    for below in range(tree.n_levels - 1, level, -1):
        parents = tree.parents(below)
        single = np.bincount(parents, minlength=tree.level_size(below - 1)) == 1
        first = np.searchsorted(parents, np.arange(tree.level_size(below - 1)))
        leaf = single & leaf[first]
    return leaf
