"""Going down the levels of balanced 2-means, alone or with other processes.

A split looks at its own node alone, so nodes of one level are independent. The first levels have fewer nodes than
there are processes and stay with process 0; then every process gets neighbouring nodes with their points, goes down to
the leaves, and gives back the order of its rows. The result is the same to the bit for any number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.distributed import Group
from eclare_py.distributed.group import Array
from eclare_py.index.splits import split_nodes, split_wide
from eclare_py.types import FloatArray, IntArray

_WIDE_FROM = 16384  # nodes of this size use all threads inside; a constant, so that results never depend on threads
_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Descent:
    """A clustering of L rows into C clusters, as told in `clustering.balanced_order`.

    Nodes are pairs (low, high): clusters low..high-1, which hold the positions low L / C .. high L / C of the order.
    """

    n_points: int
    n_clusters: int
    seed: int
    max_iter: int
    tolerance: float

    def run(self, unit: FloatArray, order: IntArray, group: Group) -> None:
        """Order all rows.

        Args:
            unit: (L, d) unit or zero rows.
            order: (L,) their numbers, ascending; changed in place.
            group: The processes; all but process 0 are in `assist`.
        """
        low, high = np.zeros(1, dtype=np.int64), np.full(1, self.n_clusters, dtype=np.int64)
        low, high, depth = self.split(unit, order, low, high, 0, enough=group.world)
        if group.world == 1:
            return
        cuts = np.arange(group.world + 1) * len(low) // group.world
        parts: list[list[Array]] = []
        spans = []
        for first, last in zip(cuts[:-1], cuts[1:], strict=True):
            begin, end = (0, 0) if first == last else self._ends(low[first], high[last - 1])
            spans.append((begin, end))
            told = np.array([self.n_points, self.n_clusters, self.seed, self.max_iter, depth, begin], dtype=np.int64)
            parts.append([told, np.array([self.tolerance]), low[first:last], high[first:last], unit[order[begin:end]]])
        found = _go_on(*group.deal(parts))
        for (begin, end), local in zip(spans, group.gather(found)[0], strict=True):
            order[begin:end] = order[begin:end][local]

    def split(
        self, unit: FloatArray, order: IntArray, low: IntArray, high: IntArray, depth: int, *, enough: int = 1,
        offset: int = 0,
    ) -> tuple[IntArray, IntArray, int]:  # fmt: skip
        """Split nodes, level by level, to the leaves, or until there are enough nodes to share out.

        Args:
            unit: (n, d) rows.
            order: (n,) their order at positions offset..offset+n, changed in place.
            low: (M,) first clusters of the nodes.
            high: (M,) their ends.
            depth: Level of the nodes.
            enough: Stop at so many open nodes; 1 goes on to the leaves.
            offset: Position of the first row.

        Returns:
            The nodes that are left and their level.
        """
        while len(low):
            open_nodes = high - low >= 2
            low, high = low[open_nodes], high[open_nodes]
            if 1 < enough <= len(low):
                break
            middle = (low + high + 1) // 2
            bounds = np.stack([low, middle, high], axis=1) * self.n_points // self.n_clusters - offset
            starts = first_centres(bounds[:, 2] - bounds[:, 0], low, depth, self.seed)
            wide = bounds[:, 2] - bounds[:, 0] >= _WIDE_FROM
            for (begin, cut, end), (first, second) in zip(bounds[wide].tolist(), starts[wide].tolist(), strict=True):
                split_wide(unit, order[begin:end], cut - begin, first, second, self.max_iter, self.tolerance)
            split_nodes(unit, order, bounds[~wide], starts[~wide], self.max_iter, self.tolerance)
            low, high = np.stack([low, middle], axis=1).ravel(), np.stack([middle, high], axis=1).ravel()
            depth += 1
        return low, high, depth

    def _ends(self, low: int, high: int) -> tuple[int, int]:
        return int(low * self.n_points // self.n_clusters), int(high * self.n_points // self.n_clusters)


def assist(group: Group) -> None:
    """Take a share of the clustering that process 0 is at."""
    group.gather(_go_on(*group.deal(None)))


def _go_on(told: IntArray, tolerance: Array, low: IntArray, high: IntArray, points: FloatArray) -> IntArray:
    """Order some nodes' rows, which come in the order of their positions."""
    n_points, n_clusters, seed, max_iter, depth, offset = told.tolist()
    order = np.arange(len(points), dtype=np.int64)
    descent = Descent(n_points, n_clusters, seed, max_iter, float(tolerance[0]))
    descent.split(points, order, low, high, depth, offset=offset)
    return order


def first_centres(sizes: IntArray, nodes: IntArray, depth: int, seed: int) -> IntArray:
    """(M, 2) two distinct positions in each node, a function of seed, depth and node alone."""
    key = _mix(np.full(len(nodes), seed & int(_MASK), dtype=np.uint64))
    key = _mix(key ^ _mix(nodes.astype(np.uint64) * np.uint64(128) + np.uint64(depth)))
    count = sizes.astype(np.uint64)
    first = key % np.maximum(count, 1)
    second = (first + np.uint64(1) + _mix(key) % np.maximum(count - np.uint64(1), 1)) % np.maximum(count, 1)
    return np.stack([first, second], axis=1).astype(np.int64)


def _mix(values: np.ndarray) -> np.ndarray:
    """The splitmix64 finaliser: a well-mixed 64-bit hash, the same on every machine."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
