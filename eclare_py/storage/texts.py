"""Texts in one piece of UTF-8 instead of a list of strings, so that they can lie on disk.

    with spooled(folder):
        collector = TextCollector()
        for text in source: collector.add(text)
        texts = collector.finish()     # a TextStore; outside of `spooled` a list

A `TextStore` is read like a list. What it gives is decoded anew each time and not kept; a slice, a choice of rows, or
two stores one after the other are views: row numbers, 8 bytes each.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias, overload

import numpy as np

from eclare_py.storage.spool import Collector, spooling
from eclare_py.types import IntArray

_PIECE = 1 << 20  # bytes written at once
_BLOCK = 8192  # row numbers looked at at once
_Rows: TypeAlias = "range | IntArray"


class _Part(NamedTuple):
    """UTF-8 of n texts and the (n + 1,) offsets into it."""

    data: memoryview
    offsets: IntArray


class TextStore(Sequence[str]):
    """An immutable sequence of texts that are not held as strings; `of` or a `TextCollector` makes one.

    Args:
        parts: Where the texts lie, part after part.
        rows: Which of them these are, and in which order.
    """

    def __init__(self, parts: tuple[_Part, ...], rows: _Rows) -> None:
        self._parts, self._rows = parts, rows

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextStore:
        """The texts as a store; a store as it is."""
        if isinstance(texts, TextStore):
            return texts
        writer = _Writer()
        for text in texts:
            writer.add(text)
        return writer.finish()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, chosen: int) -> str: ...

    @overload
    def __getitem__(self, chosen: slice) -> TextStore: ...

    def __getitem__(self, chosen: int | slice) -> str | TextStore:
        if isinstance(chosen, slice):
            return TextStore(self._parts, self._rows[chosen])
        return self._text(int(self._rows[chosen]))

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            yield from map(self._text, _numbers(self._rows[start : start + _BLOCK]).tolist())

    def pick(self, rows: IntArray) -> TextStore:
        """Some of the texts, by number, in the order asked for."""
        return TextStore(self._parts, _numbers(self._rows)[rows])

    def followed_by(self, other: TextStore) -> TextStore:
        """These texts, then those of another store; none is copied."""
        first, second = (_numbers(store._rows) for store in (self, other))
        if other._parts is self._parts:
            return TextStore(self._parts, np.concatenate([first, second]))
        before = sum(len(part.offsets) - 1 for part in self._parts)
        return TextStore(self._parts + other._parts, np.concatenate([first, second + before]))

    def _text(self, row: int) -> str:
        for data, offsets in self._parts:
            if row < len(offsets) - 1:
                return str(data[offsets[row] : offsets[row + 1]], "utf-8", "surrogatepass")
            row -= len(offsets) - 1
        raise IndexError(f"row {row} is outside the texts")


def _numbers(rows: _Rows) -> IntArray:
    return np.arange(rows.start, rows.stop, rows.step, dtype=np.int64) if isinstance(rows, range) else rows


class _Writer:
    """Puts texts into a store, in pieces of a megabyte."""

    def __init__(self) -> None:
        self._data, self._offsets = Collector(np.uint8), Collector(np.int64)
        self._piece, self._ends, self._end = bytearray(), array("q", [0]), 0

    def add(self, text: str) -> None:
        encoded = text.encode("utf-8", "surrogatepass")
        self._piece += encoded
        self._end += len(encoded)
        self._ends.append(self._end)
        if len(self._piece) >= _PIECE:
            self._flush()

    def finish(self) -> TextStore:
        self._flush()
        part = _Part(self._data.finish().data.toreadonly(), self._offsets.finish())
        return TextStore((part,), range(len(part.offsets) - 1))

    def _flush(self) -> None:
        self._data.add(np.frombuffer(bytes(self._piece), dtype=np.uint8))
        self._offsets.add(np.array(self._ends, dtype=np.int64))
        self._piece, self._ends = bytearray(), array("q")


class TextCollector:
    """Texts one by one, into a list, or inside of `spooled` into a `TextStore`."""

    def __init__(self) -> None:
        self._writer = _Writer() if spooling() else None
        self._texts: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> None:
        """Add a text behind the others."""
        self._count += 1
        if self._writer is None:
            self._texts.append(text)
        else:
            self._writer.add(text)

    def finish(self) -> Sequence[str]:
        """All of them."""
        return self._texts if self._writer is None else self._writer.finish()


def collect_texts(texts: Iterable[str]) -> Sequence[str]:
    """The texts of an iterable, as a `TextCollector` keeps them; a store as it is."""
    if isinstance(texts, TextStore):
        return texts
    return TextStore.of(texts) if spooling() else list(texts)


def pick_texts(texts: Sequence[str], rows: IntArray) -> Sequence[str]:
    """Some of the texts, by number."""
    return texts.pick(rows) if isinstance(texts, TextStore) else [texts[row] for row in rows.tolist()]


def join_texts(first: Sequence[str], second: Sequence[str]) -> Sequence[str]:
    """Two sequences of texts as one, a store where one of them is."""
    if isinstance(first, TextStore) or isinstance(second, TextStore):
        return TextStore.of(first).followed_by(TextStore.of(second))
    return [*first, *second]
