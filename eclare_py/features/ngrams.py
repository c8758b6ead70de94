"""From texts to n-grams: compiled scanning over code points, equal to scikit-learn's analyzers.

An n-gram is a slice of a normalised buffer, so that one hash and one comparison serve words and characters alike:

- words: the tokens of a text joined by single spaces; a bigram is the slice from its first to its second token;
- characters: the words of a text (split at white space) with one space on each side; slices never leave a word. That
  is scikit-learn's `char_wb` analyzer.

All work goes in blocks of texts, so that memory does not depend on their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from eclare_py.types import BoolArray

CodeArray: TypeAlias = npt.NDArray[np.uint32]
HashArray: TypeAlias = npt.NDArray[np.uint64]
Int32Array: TypeAlias = npt.NDArray[np.int32]
Int64Array: TypeAlias = npt.NDArray[np.int64]

# Words of any script, numbers, single letters; "c++" and "c#" differ from "c", "libfoo-dev" gives libfoo and dev.
TOKEN_PATTERN = r"\w+(?:\+\+|#(?!\w))?"

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
_SPACE, _PLUS, _HASH = np.uint32(32), np.uint32(43), np.uint32(35)


@dataclass(frozen=True)
class NgramRange:
    """Which n-grams one block of features counts.

    Attributes:
        characters: Character n-grams within words rather than word n-grams.
        low: Shortest n-gram.
        high: Longest n-gram.
    """

    characters: bool
    low: int
    high: int


class Slices(NamedTuple):
    """The n-grams of a block of texts, text after text, repeats included.

    Attributes:
        codes: Normalised code points of the block.
        starts: (S,) first code point of each n-gram.
        lengths: (S,) code points of each n-gram.
        hashes: (S,) 64-bit hash of each n-gram.
        pointers: (B + 1,) where the n-grams of each text begin.
    """

    codes: CodeArray
    starts: Int32Array
    lengths: Int32Array
    hashes: HashArray
    pointers: Int64Array


def compiled(function: Any) -> Any:
    """Numba compilation as all kernels here want it: kept on disk, other threads may run meanwhile."""
    return nb.njit(function, cache=True, nogil=True)


@cache
def _class_table(pattern: str) -> BoolArray:
    """Which code points a one-character pattern matches, as Python's own `re` sees it."""
    table = np.zeros(0x110000, dtype=np.bool_)
    everything = "".join(map(chr, range(0x110000)))
    for run in re.finditer(pattern + "+", everything):
        table[run.start() : run.end()] = True
    return table


def code_points(text: str) -> CodeArray:
    """Code points of a string; lone surrogates pass."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def text_blocks(texts: Sequence[str], block: int = 1 << 18) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of texts of about `block` characters each; a longer text is a block of its own."""
    start, size = 0, 0
    for position, text in enumerate(texts):
        if size and size + len(text) > block:
            yield start, position
            start, size = position, 0
        size += len(text) + 1
    if start < len(texts):
        yield start, len(texts)


def slices(texts: Sequence[str], ngrams: NgramRange, seed: int = 0) -> Slices:
    """All n-grams of a block of texts.

    Args:
        texts: B texts; lower-cased one by one, since the lower case of a letter may depend on its neighbours.
        ngrams: Which n-grams.
        seed: Start of the hash; another one resolves a collision.

    Returns:
        The slices, words or characters.
    """
    return Slices(*find_slices(*normalised(texts), class_table(ngrams), *how(ngrams), np.uint64(seed)))


def normalised(texts: Sequence[str]) -> tuple[CodeArray, Int64Array]:
    """Code points of the lower-cased texts, one behind the other, and (B+1,) where each text's begin."""
    if len(texts) == 1:  # one text is asked for often, and waited for
        codes = code_points(texts[0].lower())
        return codes, np.array([0, len(codes)])
    lowered = [text.lower() for text in texts]
    bounds = np.zeros(len(lowered) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in lowered], out=bounds[1:])
    return code_points("".join(lowered)), bounds


def class_table(ngrams: NgramRange) -> BoolArray:
    """Which code points are white space, that words are split at, or for word n-grams: which make up tokens."""
    return _class_table(r"\s" if ngrams.characters else r"\w")


def how(ngrams: NgramRange) -> tuple[bool, int, int]:
    """The n-grams as `find_slices` takes them."""
    return ngrams.characters, ngrams.low, ngrams.high


@compiled
def find_slices(
    codes: CodeArray, bounds: Int64Array, classes: BoolArray, characters: bool, low: int, high: int, seed: np.uint64
) -> Any:  # fmt: skip
    """The fields of `Slices` for texts as `normalised` gives them."""
    if characters:
        buffer, starts, ends, pointers = _pad_words(codes, bounds, classes)
        begins, lengths, hashes, pointers = _character_slices(buffer, starts, ends, pointers, low, high, seed)
    else:
        buffer, starts, ends, pointers = _join_tokens(codes, bounds, classes)
        begins, lengths, hashes, pointers = _word_slices(buffer, starts, ends, pointers, low, high, seed)
    return buffer, begins, lengths, hashes, pointers


@compiled
def _mix(value: np.uint64) -> np.uint64:
    """Finaliser of MurmurHash3: the low bits of the result depend on all bits of the polynomial."""
    value ^= value >> _SHIFT
    value *= _MIX_1
    value ^= value >> _SHIFT
    value *= _MIX_2
    return value ^ (value >> _SHIFT)


@compiled
def hash_slice(codes: CodeArray, start: int, end: int, seed: np.uint64) -> np.uint64:
    """Hash of codes[start:end]: a polynomial, then mixed."""
    value = seed ^ _BASIS
    for position in range(start, end):
        value = (value ^ np.uint64(codes[position])) * _PRIME
    return _mix(value)


@compiled
def same_slice(left: CodeArray, left_start: int, right: CodeArray, right_start: int, length: int) -> bool:
    """Whether two slices of one length are equal."""
    for step in range(length):
        if left[left_start + step] != right[right_start + step]:
            return False
    return True


@compiled
def _join_tokens(codes: CodeArray, bounds: Int64Array, is_word: BoolArray) -> Any:
    """`TOKEN_PATTERN` by hand: tokens joined by single spaces, their starts and ends, and where each text's begin."""
    n_texts = len(bounds) - 1
    room = len(codes) + n_texts
    joined = np.empty(2 * room, dtype=np.uint32)
    starts = np.empty(room, dtype=np.int64)
    ends = np.empty(room, dtype=np.int64)
    pointers = np.zeros(n_texts + 1, dtype=np.int64)
    written, count = 0, 0
    for text in range(n_texts):
        position, stop = bounds[text], bounds[text + 1]
        while position < stop:
            if not is_word[codes[position]]:
                position += 1
                continue
            first = position
            while position < stop and is_word[codes[position]]:
                position += 1
            if position + 1 < stop and codes[position] == _PLUS and codes[position + 1] == _PLUS:
                position += 2
            elif position < stop and codes[position] == _HASH:
                if position + 1 == stop or not is_word[codes[position + 1]]:
                    position += 1
            starts[count] = written
            for place in range(first, position):
                joined[written] = codes[place]
                written += 1
            ends[count] = written
            joined[written] = _SPACE
            written += 1
            count += 1
        pointers[text + 1] = count
    return joined[:written], starts[:count], ends[:count], pointers


@compiled
def _pad_words(codes: CodeArray, bounds: Int64Array, is_space: BoolArray) -> Any:
    """Words (split at white space) with one space on each side; starts and ends include these spaces."""
    n_texts = len(bounds) - 1
    padded = np.empty(len(codes) + 2 * n_texts + 1, dtype=np.uint32)
    room = len(codes) // 2 + n_texts
    starts = np.empty(room, dtype=np.int64)
    ends = np.empty(room, dtype=np.int64)
    pointers = np.zeros(n_texts + 1, dtype=np.int64)
    padded[0] = _SPACE
    written, count = 1, 0
    for text in range(n_texts):
        position, stop = bounds[text], bounds[text + 1]
        while position < stop:
            if is_space[codes[position]]:
                position += 1
                continue
            starts[count] = written - 1
            while position < stop and not is_space[codes[position]]:
                padded[written] = codes[position]
                written += 1
                position += 1
            padded[written] = _SPACE
            written += 1
            ends[count] = written
            count += 1
        pointers[text + 1] = count
    return padded[:written], starts[:count], ends[:count], pointers


@compiled
def _word_slices(
    codes: CodeArray,
    token_starts: Int64Array,
    token_ends: Int64Array,
    token_pointers: Int64Array,
    low: int,
    high: int,
    seed: np.uint64,
) -> Any:
    """Slices of low..high consecutive tokens of one text."""
    n_texts = len(token_pointers) - 1
    room = len(token_starts) * (high - low + 1)
    starts = np.empty(room, dtype=np.int32)
    lengths = np.empty(room, dtype=np.int32)
    hashes = np.empty(room, dtype=np.uint64)
    pointers = np.zeros(n_texts + 1, dtype=np.int64)
    count = 0
    for text in range(n_texts):
        stop = token_pointers[text + 1]
        for token in range(token_pointers[text], stop):
            value, position = seed ^ _BASIS, token_starts[token]
            for last in range(token, min(token + high, stop)):
                while position < token_ends[last]:
                    value = (value ^ np.uint64(codes[position])) * _PRIME
                    position += 1
                if last - token + 1 >= low:
                    starts[count] = token_starts[token]
                    lengths[count] = position - token_starts[token]
                    hashes[count] = _mix(value)
                    count += 1
        pointers[text + 1] = count
    return starts[:count], lengths[:count], hashes[:count], pointers


@compiled
def _character_slices(
    codes: CodeArray,
    word_starts: Int64Array,
    word_ends: Int64Array,
    word_pointers: Int64Array,
    low: int,
    high: int,
    seed: np.uint64,
) -> Any:
    """Slices of low..high characters of each padded word; a word shorter than `low` counts once, whole."""
    n_texts = len(word_pointers) - 1
    room = (len(codes) + len(word_starts)) * (high - low + 1)
    starts = np.empty(room, dtype=np.int32)
    lengths = np.empty(room, dtype=np.int32)
    hashes = np.empty(room, dtype=np.uint64)
    pointers = np.zeros(n_texts + 1, dtype=np.int64)
    count = 0
    for text in range(n_texts):
        for word in range(word_pointers[text], word_pointers[text + 1]):
            begin, end = word_starts[word], word_ends[word]
            shortest = min(low, end - begin)
            for start in range(begin, end - shortest + 1):
                value = seed ^ _BASIS
                for position in range(start, min(start + high, end)):
                    value = (value ^ np.uint64(codes[position])) * _PRIME
                    if position - start + 1 >= shortest:
                        starts[count] = start
                        lengths[count] = position - start + 1
                        hashes[count] = _mix(value)
                        count += 1
        pointers[text + 1] = count
    return starts[:count], lengths[:count], hashes[:count], pointers
