"""Texts as token numbers, ragged: what a trainable transformer reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclare_py.types import BoolArray, IntArray


@dataclass(frozen=True)
class Tokens:
    """Token numbers of N texts, one after another.

    Attributes:
        ids: (T,) int32 token numbers.
        pointers: (N+1,) text i is `ids[pointers[i]:pointers[i+1]]`; no text is empty (special tokens count).
        padding: Number of the token that fills a batch up.
    """

    ids: npt.NDArray[np.int32]
    pointers: IntArray
    padding: int = 0

    @classmethod
    def of(cls, texts: list[list[int]], padding: int = 0) -> Tokens:
        """From one list of numbers a text."""
        lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
        ids = np.fromiter((one for text in texts for one in text), dtype=np.int32, count=int(lengths.sum()))
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), padding)

    def __len__(self) -> int:
        """N."""
        return len(self.pointers) - 1

    @property
    def lengths(self) -> IntArray:
        """(N,) tokens of each text."""
        return np.diff(self.pointers)

    def __getitem__(self, chosen: IntArray | slice) -> Tokens:
        """Some of the texts, in the order asked for."""
        starts, lengths = self.pointers[:-1][chosen], self.lengths[chosen]
        pointers = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(pointers[-1]) + np.repeat(starts - pointers[:-1], lengths)
        return Tokens(self.ids[places], pointers, self.padding)

    def followed_by(self, other: Tokens) -> Tokens:
        """These texts, then others of the same vocabulary."""
        pointers = np.concatenate([self.pointers, self.pointers[-1] + other.pointers[1:]])
        return Tokens(np.concatenate([self.ids, other.ids]), pointers, self.padding)

    def padded(self) -> tuple[IntArray, BoolArray]:
        """(N, T) token numbers filled up to the longest text, and which of them are the text's own."""
        own = np.arange(int(self.lengths.max(initial=0))) < self.lengths[:, None]
        grid = np.full(own.shape, self.padding, dtype=np.int64)
        grid[own] = self.ids
        return grid, own

    def by_length(self, size: int) -> Iterator[IntArray]:
        """Numbers of the texts in groups of at most `size` texts of about one length, longest first."""
        order = np.argsort(-self.lengths, kind="stable")
        for start in range(0, len(order), size):
            yield order[start : start + size]
