"""A vocabulary of n-grams with a compiled look-up that compares strings: its answer is exact whatever the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.errors import ModelError
from eclare_py.features.ngrams import (
    CodeArray,
    HashArray,
    Int32Array,
    Int64Array,
    NgramRange,
    Slices,
    code_points,
    compiled,
    hash_slice,
    same_slice,
)

_LOW = np.uint64(0xFFFFFFFF)


class Vocabulary:
    """Sorted n-grams with their columns.

    Args:
        terms: V distinct n-grams; they are sorted by code point, which makes the column order defined.
        ngrams: Which n-grams they are.
    """

    def __init__(self, terms: Sequence[str], ngrams: NgramRange) -> None:
        self.terms = sorted(terms)
        self.ngrams = ngrams
        self._codes = code_points("".join(self.terms))
        self._bounds = np.zeros(len(self.terms) + 1, dtype=np.int64)
        np.cumsum([len(term) for term in self.terms], out=self._bounds[1:])
        size = 8
        while size < 2 * len(self.terms):
            size *= 2
        self._table = np.zeros(size, dtype=np.uint64)
        if _fill_table(self._codes, self._bounds, self._table):
            raise ModelError("the vocabulary names a term twice: the file is damaged, save the model again")

    def __len__(self) -> int:
        return len(self.terms)

    def columns(self, found: Slices) -> Int32Array:
        """Column of each slice (hashed with seed 0), -1 where it is not in the vocabulary.

        Args:
            found: S slices.

        Returns:
            (S,) columns.
        """
        columns: Int32Array = _look_up(*found[:4], self._codes, self._bounds, self._table)
        return columns

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The terms as one array of UTF-8 bytes, and the (V,) bytes that each takes."""
        encoded = [term.encode("utf-8", "surrogatepass") for term in self.terms]
        lengths = np.array([len(term) for term in encoded], dtype=np.int64)
        return {"terms": np.frombuffer(b"".join(encoded), dtype=np.uint8).copy(), "lengths": lengths}

    @classmethod
    def from_arrays(cls, terms: npt.NDArray[Any], lengths: npt.NDArray[Any], ngrams: NgramRange) -> Vocabulary:
        """Read back what `to_arrays` gave.

        Raises:
            ModelError: Lengths that do not fit, bytes that are not UTF-8, terms out of order or repeated.
        """
        if terms.dtype != np.uint8 or lengths.dtype != np.int64 or terms.ndim != 1 or lengths.ndim != 1:
            raise ModelError("the vocabulary must be uint8 bytes and int64 lengths: the file is damaged")
        if lengths.min(initial=1) < 1 or lengths.max(initial=0) > len(terms) or lengths.sum() != len(terms):
            raise ModelError(f"lengths of the vocabulary do not fit its {len(terms)} bytes: the file is damaged")
        data, edges = terms.tobytes(), [0, *np.cumsum(lengths).tolist()]
        try:
            words = [data[a:b].decode("utf-8", "surrogatepass") for a, b in zip(edges[:-1], edges[1:], strict=True)]
        except UnicodeDecodeError as error:
            raise ModelError(f"the vocabulary is not UTF-8 ({error.reason}): the file is damaged") from error
        vocabulary = cls(words, ngrams)
        if vocabulary.terms != words:
            raise ModelError("the vocabulary is not sorted: the file is damaged")
        return vocabulary


@compiled
def _fill_table(codes: CodeArray, bounds: Int64Array, table: HashArray) -> bool:
    """Put all terms into an empty open-addressing table; True if a term comes twice.

    An entry holds the upper half of the hash and, in its lower half, the term + 1 (0 = empty): a probe is one access.
    """
    mask = np.uint64(len(table) - 1)
    for term in range(len(bounds) - 1):
        value = hash_slice(codes, bounds[term], bounds[term + 1], np.uint64(0))
        length = bounds[term + 1] - bounds[term]
        place = value & mask
        while table[place] != 0:
            if (table[place] ^ value) <= _LOW:
                other = np.int64(table[place] & _LOW) - 1
                if bounds[other + 1] - bounds[other] == length:
                    if same_slice(codes, bounds[term], codes, bounds[other], length):
                        return True
            place = (place + np.uint64(1)) & mask
        table[place] = (value & ~_LOW) | np.uint64(term + 1)
    return False


@compiled
def _look_up(
    codes: CodeArray,
    starts: Int32Array,
    lengths: Int32Array,
    hashes: HashArray,
    term_codes: CodeArray,
    bounds: Int64Array,
    table: HashArray,
) -> Any:
    """Column of each slice or -1.

    Two passes, since memory is what this waits for: the probes of the first are independent of each other, and so are
    the comparisons of the second.
    """
    mask = np.uint64(len(table) - 1)
    columns = np.empty(len(starts), dtype=np.int32)
    for position in range(len(starts)):
        value = hashes[position]
        place = value & mask
        while table[place] != 0 and (table[place] ^ value) > _LOW:
            place = (place + np.uint64(1)) & mask
        columns[position] = np.int32(np.int64(table[place] & _LOW) - 1)
    for position in range(len(starts)):
        term = np.int64(columns[position])
        if term < 0:
            continue
        length = bounds[term + 1] - bounds[term]
        if length == lengths[position] and same_slice(codes, starts[position], term_codes, bounds[term], length):
            continue
        columns[position] = _search(
            codes, starts[position], lengths[position], hashes[position], term_codes, bounds, table
        )
    return columns


@compiled
def _search(
    codes: CodeArray,
    start: int,
    length: int,
    value: np.uint64,
    term_codes: CodeArray,
    bounds: Int64Array,
    table: HashArray,
) -> int:
    """Column of a slice whose first match by half a hash was another string."""
    mask = np.uint64(len(table) - 1)
    place = value & mask
    while table[place] != 0:
        if (table[place] ^ value) <= _LOW:
            term = np.int64(table[place] & _LOW) - 1
            if bounds[term + 1] - bounds[term] == length and same_slice(codes, start, term_codes, bounds[term], length):
                return int(term)
        place = (place + np.uint64(1)) & mask
    return -1
