"""Large arrays of a training on disk instead of in memory, for data that memory does not hold.

    with spooled(folder):
        rows = features.transform(texts)   # as ever, but its values are mapped from a file

Code that makes large arrays piece by piece collects them in a `Collector`, code that fills them asks for `empty` ones,
and texts are collected by `texts.TextCollector`. All are in memory unless the call is inside of `spooled`. The numbers
are the same; only where they lie is not. Mapped pages are given back by the system when memory is short, which memory
that was allocated is not.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eclare_py.types import Csr, narrow

_folder: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def spooled(folder: str | Path | None) -> Iterator[None]:
    """Keep what is collected inside of this block in files of `folder`; None leaves it in memory.

    The files have no names: they are gone when their arrays are, whatever ends the process.
    """
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    token = _folder.set(None if folder is None else Path(folder))
    try:
        yield
    finally:
        _folder.reset(token)


def spooling() -> bool:
    """Whether what is made here lies on disk."""
    return _folder.get() is not None


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array to be filled, as `np.empty`; a mapped one holds zeros.

    Raises:
        OSError: The disk has no room for it. It is asked for all of it at once: a page that finds none when it is
            written to would end the process.
    """
    file, size = _open(), int(np.prod(shape)) * np.dtype(dtype).itemsize
    if file is None:
        return np.empty(shape, dtype)
    with file:
        if not size:
            return np.empty(shape, dtype)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS
            file.truncate(size)
        return _mapped(file, shape, np.dtype(dtype))


def _open() -> IO[bytes] | None:
    folder = _folder.get()
    return None if folder is None else tempfile.TemporaryFile(dir=folder)


def _mapped(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.asarray(np.memmap(file, dtype=dtype, mode="r+", shape=shape))


def stacked(blocks: Iterable[npt.NDArray[Any]], width: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Blocks (n_i, width) below each other, as they come."""
    collector = Collector(dtype)
    for block in blocks:
        collector.add(block.reshape(-1))
    return collector.finish().reshape(-1, width)


def stacked_rows(blocks: Iterable[Csr], columns: int) -> Csr:
    """Sparse rows (n_i, columns) below each other, as they come."""
    counts, indices, values = [np.zeros(1, np.int64)], Collector(np.int32), Collector(np.float32)
    for block in blocks:
        counts.append(np.diff(block.indptr).astype(np.int64))
        indices.add(block.indices.astype(np.int32, copy=False))
        values.add(block.data)
    pointers = narrow(np.cumsum(np.concatenate(counts)))
    return Csr((values.finish(), indices.finish(), pointers), shape=(len(pointers) - 1, columns))


class Collector:
    """Pieces of one flat array.

    Args:
        dtype: Of the array; pieces must be of it.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._pieces: list[npt.NDArray[Any]] = []
        self._file = _open()
        self._size = 0

    def add(self, piece: npt.NDArray[Any]) -> None:
        """Add a piece behind the others.

        Raises:
            ValueError: It is not flat, or of another type.
        """
        if piece.ndim != 1 or piece.dtype != self._dtype:
            raise ValueError(f"a piece is {piece.ndim}-d {piece.dtype}, expected flat {self._dtype}")
        self._size += len(piece)
        if self._file is None:
            self._pieces.append(piece)
        else:
            self._file.write(np.ascontiguousarray(piece).data)

    def finish(self) -> npt.NDArray[Any]:
        """The whole array. The collector is empty then: pieces are as large as the whole."""
        pieces, file, size = self._pieces, self._file, self._size
        self._pieces, self._file, self._size = [], None, 0
        if file is None:
            return np.concatenate([np.empty(0, self._dtype), *pieces])
        with file:
            file.flush()
            if not size:
                return np.empty(0, self._dtype)
            return _mapped(file, (size,), self._dtype)
