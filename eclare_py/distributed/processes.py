"""A group of processes over torch.distributed, with gloo for processors and nccl for GPUs."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import numba
import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from eclare_py.distributed.group import Array, Group, describe, use
from eclare_py.distributed.meeting import meet
from eclare_py.errors import TrainingError

_PATIENCE = timedelta(hours=24)  # process 0 indexes and fits alone while the others wait; a dead one is noticed at once
_Call = TypeVar("_Call", bound=Callable[..., Any])


def launched() -> int:
    """Processes that torchrun started together with this one; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def restarted() -> bool:
    """Whether torchrun started these processes anew because one of them was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """Join the processes that torchrun started, until the block ends; a group of one without torchrun.

    At the end of the block all wait for all: a process that left early could not take part in a restart.

    Args:
        device: "cpu", or the GPUs are used too, each process the one of its local rank.
    """
    if launched() == 1:
        with use(Group()) as group:
            yield group
        return
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    # nccl wants a GPU for each process; where some share one, gloo takes the way through main memory.
    enough = cuda and torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    backend = "cpu:gloo,cuda:nccl" if enough else "gloo"
    store, rank, world = next(rendezvous("env://", timeout=_PATIENCE))
    store = PrefixStore(meet(store, rank, world), store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE)
    _share_cores()
    try:
        with use(Processes()) as group:
            yield group
            group.barrier()
    finally:
        dist.destroy_process_group()


def _share_cores() -> None:
    """Divide the cores among the processes of this machine."""
    threads = max(1, numba.config.NUMBA_NUM_THREADS // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)


def _told(call: _Call) -> _Call:
    """Say in plain words that another process is gone."""

    @functools.wraps(call)
    def wrapped(self: Processes, *values: Any) -> Any:
        try:
            return call(self, *values)
        except RuntimeError as error:
            raise TrainingError(
                f"process {self.rank} of {self.world} lost the others ({str(error).splitlines()[0][:200]}); under "
                "torchrun --max-restarts=N all go on from the last checkpoint, else run the same command again"
            ) from error

    return cast(_Call, wrapped)


class Processes(Group):
    """The processes of the default group of torch.distributed."""

    def __init__(self) -> None:
        super().__init__()
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        # Kept: a thread of gloo that is the last to let go of a tensor wants the interpreter, which may be leaving.
        self._beat = torch.zeros(1)

    @_told
    def sum(self, tensor: Tensor) -> Tensor:
        """See `Group.sum`; a ring of additions, in one order."""
        self._count("sum", tensor.numel() * tensor.element_size())
        dist.all_reduce(tensor)
        return tensor

    @_told
    def gather_rows(self, tensor: Tensor, counts: Sequence[int]) -> list[Tensor]:
        """See `Group.gather_rows`."""
        most = max(counts)
        padded = tensor.new_zeros((most, *tensor.shape[1:]))
        padded[: len(tensor)] = tensor
        self._count("gather_rows", padded.numel() * padded.element_size())
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        return [part[:count] for part, count in zip(parts, counts, strict=True)]

    @_told
    def gather_all(self, *arrays: Array) -> list[list[Array]]:
        """See `Group.gather_all`; types and inner dimensions must agree."""
        return self._gathered(arrays, everywhere=True)

    @_told
    def gather(self, *arrays: Array) -> list[list[Array]]:
        """See `Group.gather`."""
        return self._gathered(arrays, everywhere=False)

    @_told
    def deal(self, parts: Sequence[Sequence[Array]] | None) -> list[Array]:
        """See `Group.deal`."""
        if parts is None:
            return self._receive()
        for rank, own in enumerate(parts[1:], start=1):
            self._send([np.asarray(array, order="C") for array in own], rank)
        return list(parts[0])

    @_told
    def share(self, array: Array | None) -> Array:
        """See `Group.share`."""
        head = b"" if array is None else json.dumps(describe(array)).encode()
        size = torch.tensor([len(head)])
        dist.broadcast(size, 0)
        words = torch.zeros(int(size), dtype=torch.uint8)
        if array is not None:
            words.copy_(torch.from_numpy(np.frombuffer(head, dtype=np.uint8).copy()))
        dist.broadcast(words, 0)
        kind, shape = json.loads(words.numpy().tobytes())
        value = np.empty(shape, dtype=kind) if array is None else np.asarray(array, order="C")
        self._count("share", value.nbytes if array is not None else 0)
        if value.nbytes:
            dist.broadcast(torch.from_numpy(value.reshape(-1).view(np.uint8)), 0)
        return value

    @_told
    def any(self, *flags: bool) -> tuple[bool, ...]:
        """See `Group.any`."""
        votes = torch.tensor([int(flag) for flag in flags])
        self._count("sum", votes.numel() * votes.element_size())
        dist.all_reduce(votes)
        return tuple(vote > 0 for vote in votes.tolist())

    def lead_on(self) -> None:
        """See `Group.lead_on`."""
        if self.leads:
            threads = numba.config.NUMBA_NUM_THREADS
            numba.set_num_threads(threads)
            torch.set_num_threads(threads)

    @_told
    def barrier(self) -> None:
        """See `Group.barrier`."""
        dist.all_reduce(self._beat)  # over gloo, which waits without a GPU

    def _gathered(self, arrays: Sequence[Array], *, everywhere: bool) -> list[list[Array]]:
        """One message for all arrays, as bytes, filled up to the longest."""
        parts = [np.ascontiguousarray(array) for array in arrays]
        lengths = torch.tensor([len(part) for part in parts])
        all_lengths = [torch.empty_like(lengths) for _ in range(self.world)]
        dist.all_gather(all_lengths, lengths)
        widths = [part.dtype.itemsize * int(np.prod(part.shape[1:], dtype=np.int64)) for part in parts]
        sizes = [[int(n) * w for n, w in zip(row.tolist(), widths, strict=True)] for row in all_lengths]
        message = torch.zeros(max(max(sum(row) for row in sizes), 1), dtype=torch.uint8)
        own = np.concatenate([part.reshape(-1).view(np.uint8) for part in parts])
        message[: len(own)] = torch.from_numpy(own)
        self._count("gather_all" if everywhere else "gather", len(message))
        received = [torch.empty_like(message) for _ in range(self.world)] if everywhere or self.leads else []
        if everywhere:
            dist.all_gather(received, message)
        else:
            dist.gather(message, received if self.leads else None)
        found: list[list[Array]] = [[] for _ in parts]
        for row, raw in zip(sizes, received, strict=False):
            start = 0
            for place, (size, part) in enumerate(zip(row, parts, strict=True)):
                values = raw[start : start + size].numpy().copy().view(part.dtype)
                found[place].append(values.reshape((-1, *part.shape[1:])))
                start += size
        return found

    def _send(self, arrays: Sequence[Array], rank: int) -> None:
        head = np.frombuffer(json.dumps([describe(array) for array in arrays]).encode(), dtype=np.uint8).copy()
        dist.send(torch.tensor([len(head)]), rank)
        for array in (head, *arrays):
            self._count("deal", array.nbytes)
            if array.nbytes:
                dist.send(torch.from_numpy(array.reshape(-1).view(np.uint8)), rank)

    def _receive(self) -> list[Array]:
        size = torch.tensor([0])
        dist.recv(size, 0)
        head = torch.zeros(int(size), dtype=torch.uint8)
        dist.recv(head, 0)
        arrays: list[Array] = [np.empty(shape, dtype=kind) for kind, shape in json.loads(head.numpy().tobytes())]
        for array in arrays:
            if array.nbytes:
                dist.recv(torch.from_numpy(array.reshape(-1).view(np.uint8)), 0)
        return arrays

    def _count(self, kind: str, size: int) -> None:
        self.traffic[kind] = self.traffic.get(kind, 0) + size
