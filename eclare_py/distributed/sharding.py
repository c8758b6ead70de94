"""Which rows of a table belong to which process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eclare_py.distributed.group import Array, Group
from eclare_py.types import BoolArray, IntArray


@dataclass(frozen=True)
class Shard:
    """Rows of a table that one process holds: id belongs to process `id % world` and lies there at `id // world`.

    Neighbouring ids go to different processes, so that a table ordered by frequency or by topic is shared out evenly
    in work as in memory. With one process all ids stay what they are.

    Attributes:
        n: Rows of the whole table.
        rank: The process.
        world: Number of processes.
    """

    n: int
    rank: int = 0
    world: int = 1

    @classmethod
    def of(cls, n: int, group: Group) -> Shard:
        """The rows of this process."""
        return cls(n, group.rank, group.world)

    def __len__(self) -> int:
        """Rows held here."""
        return len(range(self.rank, self.n, self.world))

    @property
    def counts(self) -> list[int]:
        """Rows held by every process."""
        return [len(range(rank, self.n, self.world)) for rank in range(self.world)]

    @property
    def ids(self) -> IntArray:
        """(len,) ids of the rows held here, ascending."""
        return np.arange(self.rank, self.n, self.world, dtype=np.int64)

    @property
    def part(self) -> slice:
        """The rows held here as a slice of the whole."""
        return slice(self.rank, None, self.world)

    def mine(self, ids: IntArray) -> BoolArray:
        """(m,) whether each id is held here."""
        return np.asarray(ids % self.world == self.rank)

    def places(self, ids: IntArray) -> IntArray:
        """(m,) where each id lies in the table of the process that holds it."""
        return ids // self.world if self.world > 1 else ids

    def whole(self, parts: Sequence[Array]) -> Array:
        """The table (n, ...) of the parts of all processes."""
        if self.world == 1:
            return parts[0]
        out = np.empty((self.n, *parts[0].shape[1:]), dtype=parts[0].dtype)
        for rank, part in enumerate(parts):
            out[rank :: self.world] = part
        return out
