"""The processes of a training; here the group of one, which has nobody to talk to. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Group:
    """What one process is among all, and how they exchange numbers.

    Every method but the properties is collective: all processes call it, in the same order. What travels is arrays of
    plain numbers, never code or pickled objects.

    Attributes:
        rank: Number of this process, 0..world-1.
        world: Number of processes.
        traffic: Bytes that this process gave into each kind of exchange so far, for measurements.
    """

    rank = 0
    world = 1

    def __init__(self) -> None:
        self.traffic: dict[str, int] = {}

    @property
    def leads(self) -> bool:
        """Whether this is process 0, which alone reads and writes checkpoints, logs and the model."""
        return self.rank == 0

    def sum(self, tensor: Any) -> Any:
        """A tensor added up over all processes, in place; the same bits everywhere."""
        return tensor

    def gather_rows(self, tensor: Any, counts: Sequence[int]) -> list[Any]:
        """The tensors (n_r, ...) of all processes r, everywhere; `counts` are the n_r."""
        return [tensor]

    def gather_all(self, *arrays: Array) -> list[list[Array]]:
        """For each argument what all processes gave, everywhere. Sizes may differ in the first dimension."""
        return [[array] for array in arrays]

    def gather(self, *arrays: Array) -> list[list[Array]]:
        """The same for process 0 alone; the others get empty lists."""
        return [[array] for array in arrays]

    def deal(self, parts: Sequence[Sequence[Array]] | None) -> list[Array]:
        """What process 0 has for each process (`parts` are those of process 0, 1, ...); the others give None."""
        assert parts is not None
        return list(parts[0])

    def share(self, array: Array | None) -> Array:
        """What process 0 gave, everywhere; the others give None."""
        assert array is not None
        return array

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Which flags are set in at least one process."""
        return flags

    def lead_on(self) -> None:
        """Process 0 alone goes on working here, the others will wait: it takes all cores of its machine."""

    def barrier(self) -> None:
        """Wait for all."""


_current: list[Group] = [Group()]


def current() -> Group:
    """The group that this process belongs to; a group of one unless `use` says otherwise."""
    return _current[-1]


@contextmanager
def use(group: Group) -> Iterator[Group]:
    """Make a group the current one."""
    _current.append(group)
    try:
        yield group
    finally:
        _current.pop()


def describe(array: Array) -> tuple[str, tuple[int, ...]]:
    """Type and shape of an array, which a receiver must know."""
    return np.dtype(array.dtype).str, array.shape
