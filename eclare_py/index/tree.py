"""The label tree: plain arrays, one router vector a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from eclare_py.distributed import Group
from eclare_py.errors import ModelError, UsageError
from eclare_py.index.clustering import balanced_order, cluster_bounds, clusters_for
from eclare_py.index.config import IndexConfig
from eclare_py.index.gated import GATES
from eclare_py.index.latency import frequency_order, pointers_of, starts_of
from eclare_py.index.routing import centroid_routers
from eclare_py.index.tree_checks import check_tree
from eclare_py.quantize import Rows, codes_of, four_bits_do, in_nibbles
from eclare_py.sparse import owners
from eclare_py.storage import State
from eclare_py.types import FloatArray, IntArray

SUMS = ("log-sigmoid", "dot", "last")  # numbered as kernels.LOG_SIGMOID, DOT, LAST
SCORES = (*SUMS, *GATES)


@dataclass(frozen=True, eq=False)
class LabelTree:
    """Levels of nodes under an unstored root, labels under the nodes of the last level (the leaves).

    Nodes are numbered over all levels, top level first; M is their number, C_t that of level t, C that of leaves.

    Attributes:
        level_ptr: (T+1,) nodes of level t are `level_ptr[t]` .. `level_ptr[t+1] - 1`.
        child_ptr: (M-C+1,) children of the inner node i are nodes `child_ptr[i]` .. `child_ptr[i+1] - 1`.
        leaf_ptr: (C+1,) labels of leaf c are `label_order[leaf_ptr[c]:leaf_ptr[c+1]]`.
        label_order: (n,) label in each slot: a permutation of the labels that puts those of one leaf side by side,
            n = L; or, with a gate as score, any labels, each at most once in a leaf.
        routers: (M, d) vector of each node.
        bias: (M,) added to the node's product.
        score: `log-sigmoid`, `dot` or `last`, see `beam_search`; or, for a single level, a gate (`softmax` or
            `sigmoid`, see `gated.gate_scores`): a factor of the labels' scores.
        exact_below: With fewer labels than this `search` scores them all (not with a gate).
        edges: (n,) weight in 0..1 of each slot, a factor of the path with a gate; None: all 1.
        label_count: L where it is not the number of slots.
        sharpness: Factor on the softmax of the gate.
    """

    level_ptr: IntArray
    child_ptr: IntArray
    leaf_ptr: IntArray
    label_order: IntArray
    routers: FloatArray
    bias: FloatArray
    score: str = "log-sigmoid"
    exact_below: int = 0
    edges: FloatArray | None = None
    label_count: int | None = None
    sharpness: float = 1.0

    @property
    def n_levels(self) -> int:
        """Number of levels T."""
        return len(self.level_ptr) - 1

    @property
    def n_labels(self) -> int:
        """Number of labels L."""
        return len(self.label_order) if self.label_count is None else self.label_count

    @property
    def n_leaves(self) -> int:
        """Number of leaves C."""
        return len(self.leaf_ptr) - 1

    @property
    def uneven(self) -> bool:
        """Whether paths end on different levels: such a leaf goes on as a chain of nodes with one child each."""
        return bool(np.any(np.diff(self.child_ptr) == 1))

    @cached_property
    def slot_edges(self) -> FloatArray:
        """(n,) weight of each slot."""
        return np.ones(len(self.label_order), dtype=np.float32) if self.edges is None else self.edges

    @cached_property
    def router_codes(self) -> Rows:
        """Routers by their codes: two to a byte where 4 bits are enough, else int8."""
        codes = codes_of(self.routers)
        return in_nibbles(codes) if four_bits_do(codes.values) else codes

    def level_size(self, level: int) -> int:
        """Number of nodes C_t of a level; negative levels count from the leaves."""
        level = range(self.n_levels)[level]
        return int(self.level_ptr[level + 1] - self.level_ptr[level])

    def router(self, level: int) -> tuple[FloatArray, FloatArray]:
        """Views of one level's router vectors (C_t, d) and biases (C_t,)."""
        level = range(self.n_levels)[level]
        nodes = slice(int(self.level_ptr[level]), int(self.level_ptr[level + 1]))
        return self.routers[nodes], self.bias[nodes]

    def parents(self, level: int) -> IntArray:
        """(C_t,) parent of each node of a level, numbered inside the level above; zeros (the root) for level 0."""
        level = range(self.n_levels)[level]
        if level == 0:
            return np.zeros(self.level_size(0), dtype=np.int64)
        return owners(self.child_ptr[self.level_ptr[level - 1] : self.level_ptr[level] + 1])

    def node_of_label(self, level: int = -1) -> IntArray:
        """(L,) the node above each label, numbered inside the level; the last level by default.

        Raises:
            UsageError: Labels may sit in several leaves.
        """
        if self.label_count is not None:
            raise UsageError("labels of this tree may sit in several leaves: none has a node of its own")
        level = range(self.n_levels)[level]
        nodes = np.arange(self.n_leaves)
        for below in range(self.n_levels - 1, level, -1):
            nodes = self.parents(below)[nodes]
        found = np.empty(self.n_labels, dtype=np.int64)
        found[self.label_order] = np.repeat(nodes, np.diff(self.leaf_ptr))
        return found

    def cut(self, max_leaf: int) -> LabelTree:
        """The upper part alone: nodes of at most `max_leaf` labels become the leaves.

        A tree of even levels is cut at one level, the first whose nodes are all small enough.
        """
        starts = [
            np.append(0, np.cumsum(np.bincount(self.node_of_label(level), minlength=self.level_size(level)))[:-1])
            for level in range(self.n_levels)
        ]
        kept, nodes, inside = [], [], np.zeros(self.n_labels, dtype=bool)
        for level, begins in enumerate(starts):
            own = np.flatnonzero(~inside[begins])
            sizes = np.diff(np.append(begins[own], self.n_labels))
            kept.append(begins[own])
            nodes.append(own + self.level_ptr[level])
            if sizes.max() <= max_leaf:
                break
            if self.uneven:
                small = np.repeat(sizes <= max_leaf, sizes)
                small[begins[own]] = False
                inside |= small
        level_ptr, child_ptr, leaf_ptr = pointers_of(kept, self.n_labels)
        rows = np.concatenate(nodes)
        return replace(
            self, level_ptr=level_ptr, child_ptr=child_ptr, leaf_ptr=leaf_ptr, routers=self.routers[rows],
            bias=self.bias[rows],
        )  # fmt: skip

    def with_routers(self, routers: Sequence[tuple[FloatArray, FloatArray]]) -> LabelTree:
        """The same tree with other (for instance trained) routers.

        Args:
            routers: For every level vectors (C_t, d) and biases (C_t,); d may differ from the present one.

        Raises:
            UsageError: Wrong number of levels or shapes, values not finite.
        """
        if len(routers) != self.n_levels:
            raise UsageError(f"{len(routers)} levels of routers for a tree of {self.n_levels}")
        for level, (vectors, bias) in enumerate(routers):
            expected = (self.level_size(level), routers[0][0].shape[1])
            if vectors.shape != expected or bias.shape != expected[:1]:
                raise UsageError(f"level {level}: routers {vectors.shape} and bias {bias.shape}, expected {expected}")
        stacked = np.ascontiguousarray(np.concatenate([vectors for vectors, _ in routers]), dtype=np.float32)
        biases = np.ascontiguousarray(np.concatenate([bias for _, bias in routers]), dtype=np.float32)
        if not (np.isfinite(stacked).all() and np.isfinite(biases).all()):
            raise UsageError("routers hold NaN or infinity")
        return replace(self, routers=stacked, bias=biases)

    def state(self) -> State:
        """Plain arrays and settings, for saving."""
        arrays = {name: getattr(self, name) for name in ("level_ptr", "child_ptr", "leaf_ptr", "label_order")}
        arrays |= {"routers": self.routers, "bias": self.bias}
        meta: dict[str, int | float | str] = {"score": self.score, "exact_below": self.exact_below}
        if self.edges is not None:
            arrays["edges"] = self.edges
        if self.label_count is not None:
            meta["labels"] = self.label_count
        if self.score in GATES:
            meta["sharpness"] = self.sharpness
        return State(arrays=arrays, meta=meta)

    @classmethod
    def from_state(cls, state: State) -> LabelTree:
        """Rebuild a saved tree.

        Raises:
            ModelError: An array is missing, or pointers, permutation or routers are not those of a tree.
        """
        integers: dict[str, IntArray] = {}
        for name in ("level_ptr", "child_ptr", "leaf_ptr", "label_order"):
            array = _stored(state, name)
            if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
                raise ModelError(f"label tree: {name} must be one row of integers, found {array.dtype} {array.shape}")
            integers[name] = np.ascontiguousarray(array, dtype=np.int64)
        routers = np.ascontiguousarray(_stored(state, "routers"), dtype=np.float32)
        bias = np.ascontiguousarray(_stored(state, "bias"), dtype=np.float32)
        score, exact_below = state.meta.get("score"), state.meta.get("exact_below")
        if score not in SCORES:
            raise ModelError(f"label tree: score {score!r} is not one of {', '.join(SCORES)}")
        if isinstance(exact_below, bool) or not isinstance(exact_below, int) or exact_below < 0:
            raise ModelError(f"label tree: exact_below {exact_below!r} is not a number of labels")
        tree = cls(
            **integers, routers=routers, bias=bias, score=str(score), exact_below=exact_below,
            edges=state.arrays.get("edges"), label_count=state.meta.get("labels"),
            sharpness=state.meta.get("sharpness", 1.0),
        )  # fmt: skip
        check_tree(tree)
        return tree


def build_tree(
    representations: FloatArray,
    config: IndexConfig | None = None,
    *,
    seed: int = 0,
    router_vectors: FloatArray | None = None,
    counts: IntArray | None = None,
    group: Group | None = None,
) -> LabelTree:
    """Cluster labels into a tree of balanced levels (PECOS' hierarchical k-means, adjacent binary levels merged).

    With `config.latency.frequency` above 0 the tree is uneven: see `latency.frequency_order`.

    Args:
        representations: (L, e) what is clustered.
        config: Branching, leaf size, stop criteria, node score.
        seed: Picks first centres.
        router_vectors: (L, d) vectors in the space of documents that default routers are the unit means of;
            the representations where not given.
        counts: (L,) train frequencies; an uneven tree needs them.
        group: Processes that are in `descent.assist`, to help with a balanced tree.

    Raises:
        UsageError: No labels, row counts differ, values not finite, a branching that is no power of two.
    """
    config = config or IndexConfig()
    step = config.branching.bit_length() - 1
    if config.branching < 2 or config.branching != 1 << step:
        raise UsageError(f"branching={config.branching} must be a power of two from 2 on")
    if config.score not in SUMS:
        raise UsageError(f"score={config.score!r} must be one of {', '.join(SUMS)}")
    if config.max_leaf < 2:
        raise UsageError(f"max_leaf={config.max_leaf} must be at least 2")
    if config.latency.frequency == 0:
        parts = _balanced(representations, config, step, seed, group)
    else:
        parts = _uneven(representations, config, step, seed, counts)
    order, level_ptr, child_ptr, leaf_ptr = parts
    nodes = int(level_ptr[-1])
    tree = LabelTree(
        level_ptr=level_ptr,
        child_ptr=child_ptr,
        leaf_ptr=leaf_ptr,
        label_order=order,
        routers=np.zeros((nodes, 1), dtype=np.float32),
        bias=np.zeros(nodes, dtype=np.float32),
        score=config.score,
        exact_below=config.exact_below,
    )
    return tree.with_routers(centroid_routers(tree, representations if router_vectors is None else router_vectors))


Shape = tuple[IntArray, IntArray, IntArray, IntArray]  # label_order, level_ptr, child_ptr, leaf_ptr


def _balanced(points: FloatArray, config: IndexConfig, step: int, seed: int, group: Group | None) -> Shape:
    n_labels = len(points)
    n_leaves = clusters_for(n_labels, config.max_leaf)
    order = balanced_order(
        points, n_leaves, seed=seed, max_iter=config.max_iter, tolerance=config.tolerance, group=group
    )
    depth = n_leaves.bit_length() - 1
    sizes = [1 << bits for bits in range(depth % step or min(step, depth), depth + 1, step)]
    level_ptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    counts = [np.full(upper, lower // upper) for upper, lower in zip(sizes[:-1], sizes[1:], strict=True)]
    child_ptr = sizes[0] + np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0), *counts]))]).astype(np.int64)
    return order, level_ptr, child_ptr, cluster_bounds(n_labels, n_leaves)


def _uneven(points: FloatArray, config: IndexConfig, step: int, seed: int, counts: IntArray | None) -> Shape:
    """Levels begin where those of the balanced tree do, so that lambda alone makes the difference."""
    if counts is None:
        raise UsageError(f"latency.frequency={config.latency.frequency} needs the frequencies of the labels")
    order, cuts = frequency_order(
        points, counts, config.latency, max_leaf=config.max_leaf, seed=seed, max_iter=config.max_iter,
        tolerance=config.tolerance,
    )  # fmt: skip
    depth = clusters_for(len(points), config.max_leaf).bit_length() - 1
    return order, *pointers_of(starts_of(cuts, first=depth % step or min(step, depth), step=step), len(points))


def _stored(state: State, name: str) -> np.ndarray:
    if name not in state.arrays:
        raise ModelError(f"label tree: array {name} is missing")
    return state.arrays[name]
