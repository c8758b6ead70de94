"""Expected work of a search tree, and what information theory says can be had (methods.md 3.2).

The proxies follow a walk without a beam to a label that is drawn by its frequency: how many nodes are opened on it, and
how many products with their children are taken. A beam opens more; `linear.work.search_work` counts that.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

from eclare_py.index.clustering import clusters_for
from eclare_py.index.tree import LabelTree
from eclare_py.types import IntArray


@dataclass(frozen=True)
class Walk:
    """What a walk to a drawn label takes.

    Attributes:
        opened: Expected number of nodes whose children are scored.
        products: Expected number of these children.
    """

    opened: float
    products: float


def walk_of(masses: list[np.ndarray], widths: list[IntArray]) -> Walk:
    """The walk through nodes of given probability and number of children, level by level.

    A node with a single child is no choice, so it is not opened: it only leads on.
    """
    mass, width = np.concatenate(masses), np.concatenate(widths)
    return Walk(float(mass[width > 1].sum()), float((mass * width)[width > 1].sum()))


def tree_walk(tree: LabelTree, chance: np.ndarray) -> Walk:
    """The walk down a label tree to the labels of the leaf; `chance` (L,) are their probabilities."""
    masses: list[np.ndarray] = [np.ones(1)]
    widths: list[IntArray] = [np.array([tree.level_size(0)], dtype=np.int64)]
    for level in range(tree.n_levels):
        nodes = tree.node_of_label(level)
        masses.append(np.bincount(nodes, weights=chance, minlength=tree.level_size(level)))
        last = level == tree.n_levels - 1
        below = tree.leaf_ptr if last else tree.child_ptr[tree.level_ptr[level] : tree.level_ptr[level + 1] + 1]
        widths.append(np.diff(below))
    return walk_of(masses, widths)


def balanced_products(n_labels: int, branching: int, max_leaf: int) -> float:
    """Products of any walk down the balanced tree of these settings."""
    step, leaves = branching.bit_length() - 1, clusters_for(n_labels, max_leaf)
    depth = leaves.bit_length() - 1
    first = depth % step or min(step, depth)
    return (1 << first if first else 0) + branching * ((depth - first) // step) + n_labels / leaves


def entropy(chance: np.ndarray) -> float:
    """H(p) in bits: no binary tree has a smaller expected depth."""
    kept = chance[chance > 0]
    return float(-(kept * np.log2(kept)).sum())


def huffman_depth(chance: np.ndarray) -> float:
    """Expected depth of the best binary tree, below H(p) + 1: the sum of all merged masses (Huffman, 1952)."""
    heap = [float(p) for p in chance if p > 0]
    heapq.heapify(heap)
    total = 0.0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def work_beside_yardsticks(walk: Walk, counts: IntArray, *, branching: int, max_leaf: int) -> dict[str, float]:
    """The walk beside that of the balanced tree and beside what no tree gets below, as plain numbers.

    A choice among b children gives at most log2(b) bits for b products, and b / log2(b) is least at 3: so no tree takes
    fewer than 3 / log2(3) * H(p) products. The Huffman tree takes two a level.

    Args:
        walk: Of the tree, to a label drawn by `counts`.
        counts: (L,) train frequencies; at least one is above 0.
        branching: Of the settings.
        max_leaf: Of the settings.
    """
    chance = counts / max(int(counts.sum()), 1)
    bits = entropy(chance)
    return {
        "opened": walk.opened,
        "products": walk.products,
        "balanced_products": balanced_products(len(counts), branching, max_leaf),
        "huffman_products": 2 * huffman_depth(chance),
        "least_products": 3 / math.log2(3) * bits,
        "label_bits": bits,
    }
