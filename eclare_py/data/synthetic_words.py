"""Words of the synthetic set: pronounceable strings, and hashes in place of random choices that would need storing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eclare_py.types import IntArray

UintArray = npt.NDArray[np.uint64]

_SYLLABLES = [onset + vowel for onset in "b d f g h k l m n p r s t v z ch st tr".split() for vowel in "aeiou"]


def make_words(count: int) -> list[str]:
    """`count` distinct words, the frequent ones (first) short."""
    words: list[str] = []
    base, length = len(_SYLLABLES), 2
    while len(words) < count:
        size = base**length
        numbers = np.arange(min(size, count - len(words)), dtype=np.int64) * _scatter(size) % size
        digits = numbers[:, None] // base ** np.arange(length, dtype=np.int64) % base
        words += ["".join(_SYLLABLES[digit] for digit in row) for row in digits.tolist()]
        length += 1
    return words


def _scatter(size: int) -> int:
    """A factor coprime to `size` (a power of the number of syllables), near its golden section."""
    factor = int(size * 0.618) | 1
    while np.gcd(factor, size) != 1:
        factor += 2
    return factor


def mix(seed: int, *parts: npt.ArrayLike) -> UintArray:
    """Hash integers of any broadcastable shapes to uniform 64-bit numbers (the finaliser of SplitMix64, once a part).

    The same inputs give the same number on every machine, so a label's words can be made anew wherever they are
    needed, in whatever order, and nothing of the size of the text is ever held.
    """
    state = np.asarray(seed, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = state * np.uint64(0x9E3779B97F4A7C15) + np.asarray(part, dtype=np.uint64)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def unit(numbers: UintArray) -> npt.NDArray[np.float64]:
    """Hashes as numbers in [0, 1)."""
    return (numbers >> np.uint64(11)).astype(np.float64) * 2.0**-53


def zipf_words(uniform: npt.NDArray[np.float64], vocabulary: int) -> IntArray:
    """Word ids with frequency proportional to 1 / (id + 1): exp of a uniform number is log-uniform."""
    return np.minimum(np.exp(uniform * np.log(vocabulary + 1.0)).astype(np.int64) - 1, vocabulary - 1)


def topical_words(uniform: npt.NDArray[np.float64], vocabulary: int) -> IntArray:
    """Word ids for topics and labels, density falling as id^(-1/2): mostly rarer words than in running text."""
    return (uniform * uniform * vocabulary).astype(np.int64)
