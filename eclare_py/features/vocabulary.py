"""A vocabulary of n-grams with a compiled look-up that compares strings: its answer is exact whatever the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    code_points,
    compiled,
    hash_slice,
    same_slice,
)

_LOW = np.uint64(0xFFFFFFFF)
_MOST_SHARED = 255  # a byte on disk


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

    @property
    def arrays(self) -> tuple[CodeArray, Int64Array, HashArray]:
        """What `look_up` takes: all terms' code points, where each begins, and the hash table."""
        return self._codes, self._bounds, self._table

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The terms in UTF-8, each without what it begins with like the one before: many bytes in sorted terms.

        Returns:
            `terms`, the bytes that are left; `lengths`, (V,) how many of each; `shared`, (V,) how many went.
        """
        encoded = [term.encode("utf-8", "surrogatepass") for term in self.terms]
        shared = [_alike(a, b) for a, b in zip([b"", *encoded], encoded, strict=False)]
        left = [term[start:] for term, start in zip(encoded, shared, strict=True)]
        return {
            "terms": np.frombuffer(b"".join(left), dtype=np.uint8).copy(),
            "lengths": np.array([len(term) for term in left], dtype=np.int64),
            "shared": np.array(shared, dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], ngrams: NgramRange) -> Vocabulary:
        """Read back what `to_arrays` gave.

        Raises:
            ModelError: Lengths that do not fit, bytes that are not UTF-8, terms out of order or repeated.
        """
        terms, lengths, shared = (arrays[name] for name in ("terms", "lengths", "shared"))
        for name, kind in (("terms", np.uint8), ("lengths", np.int64), ("shared", np.int64)):
            array = arrays[name]
            if array.dtype != kind or array.ndim != 1:
                raise ModelError(f"{name} of the vocabulary must be a row of {np.dtype(kind)}: the file is damaged")
        if lengths.min(initial=1) < 1 or lengths.max(initial=0) > len(terms) or lengths.sum() != len(terms):
            raise ModelError(f"lengths of the vocabulary do not fit its {len(terms)} bytes: the file is damaged")
        if len(shared) != len(lengths) or shared.min(initial=0) < 0 or shared.max(initial=0) > _MOST_SHARED:
            raise ModelError(f"shared is not one number up to {_MOST_SHARED} for each of {len(lengths)} terms")
        data, edges, term = terms.tobytes(), [0, *np.cumsum(lengths).tolist()], b""
        try:
            words = []
            for begin, end, start in zip(edges[:-1], edges[1:], shared.tolist(), strict=True):
                term = term[:start] + data[begin:end]
                words.append(term.decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError as error:
            raise ModelError(f"the vocabulary is not UTF-8 ({error.reason}): the file is damaged") from error
        vocabulary = cls(words, ngrams)
        if vocabulary.terms != words:
            raise ModelError("the vocabulary is not sorted: the file is damaged")
        return vocabulary


def whole_terms(offsets: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """`lengths` and `shared` of the terms of models that were saved before terms left anything out.

    Args:
        offsets: (V + 1,) where each term begins.

    Raises:
        ModelError: They are not such.
    """
    if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets) or offsets[0] != 0:
        raise ModelError("offsets of the vocabulary must be int64 from 0 on: the file is damaged")
    lengths = np.diff(offsets)
    return {"lengths": lengths, "shared": np.zeros_like(lengths)}


def _alike(a: bytes, b: bytes) -> int:
    """Bytes that both begin with, as far as they are counted."""
    most = min(len(a), len(b), _MOST_SHARED)
    return next((place for place in range(most) if a[place] != b[place]), most)


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
def look_up(
    codes: CodeArray,
    starts: Int32Array,
    lengths: Int32Array,
    hashes: HashArray,
    term_codes: CodeArray,
    bounds: Int64Array,
    table: HashArray,
) -> Any:
    """Column of each slice (hashed with seed 0), -1 where it is not in the vocabulary.

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
