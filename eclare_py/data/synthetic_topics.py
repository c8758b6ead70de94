"""The latent structure of the synthetic set: a tree of topics with the labels at its leaves, in tree order.

Labels stand in a row of L *places*; a node of the tree is a run of places, so that a node is found by one division and
a label is drawn inside of it by one binary search over the cumulated popularity. Memory is 24 bytes a label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclare_py.data.synthetic_words import mix, topical_words, unit
from eclare_py.types import IntArray

LEAF = 8  # labels of one leaf topic: siblings
BRANCH = 8  # children of an inner node
MAX_TITLE = 5  # words of a label text, at most
LEVELS = (LEAF, LEAF * BRANCH, LEAF * BRANCH**2)  # labels below a leaf, its parent, its grandparent
_POOL = 12  # words of a topic; label texts use the first of them
_TITLE_POOL = 5
_TITLE_OWN = (True, False, True, False, False)  # words of a label text that are its own ...
_TITLE_HEIGHTS = (0, 0, 0, 1, 2)  # ... and for the others the topic they are of
_OWN, _LENGTH, _CHOICE, _TOPIC = range(4)  # kinds of hashes


@dataclass(frozen=True, eq=False)
class TopicTree:
    """Labels in a topic tree, with popularity by a power law.

    Attributes:
        seed: Seed of all words.
        vocabulary: V, number of words.
        label_at: (L,) label id of each place.
        cumulative: (L+1,) float64, popularity cumulated over the places, from 0 to 1.
    """

    seed: int
    vocabulary: int
    label_at: IntArray
    cumulative: npt.NDArray[np.float64]

    @classmethod
    def grow(cls, n_labels: int, vocabulary: int, skew: float, seed: int) -> TopicTree:
        """A tree for L labels; the label of popularity rank r is wanted in proportion to (r + 1)^-skew."""
        random = np.random.default_rng([seed, 0])
        popularity = (random.permutation(n_labels) + 1.0) ** -skew
        cumulative = np.concatenate([[0.0], np.cumsum(popularity)])
        label_at = random.permutation(n_labels).astype(np.int64)
        return cls(seed, vocabulary, label_at, cumulative / cumulative[-1])

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.label_at)

    def places(self) -> IntArray:
        """(L,) place of each label id."""
        place = np.empty_like(self.label_at)
        place[self.label_at] = np.arange(self.n_labels)
        return place

    def draw(self, near: IntArray, size: IntArray, uniform: npt.NDArray[np.float64]) -> IntArray:
        """Places drawn by popularity inside the node of `size` labels around each place of `near` (same shapes)."""
        start = near // size * size
        end = np.minimum(start + size, self.n_labels)
        low, high = self.cumulative[start], self.cumulative[end]
        found = np.searchsorted(self.cumulative, low + uniform * (high - low), side="right") - 1
        return np.clip(found, start, end - 1)

    def title_lengths(self, places: IntArray) -> IntArray:
        """Words in the text of the label at each place, 2 to `MAX_TITLE`."""
        return (2 + mix(self.seed, _LENGTH, places) % np.uint64(MAX_TITLE - 1)).astype(np.int64)

    def title_words(self, places: IntArray, slots: IntArray) -> IntArray:
        """Word `slots` of the label texts at `places` (broadcast): own, of the leaf, own, of the parent, of its parent.

        Siblings share the words of their leaf and its parents, so that correlated labels have related texts.
        """
        own = topical_words(unit(mix(self.seed, _OWN, places, slots)), self.vocabulary)
        choice = (mix(self.seed, _CHOICE, places, slots) % np.uint64(_TITLE_POOL)).astype(np.int64)
        shared = self._topic(places, np.array(_TITLE_HEIGHTS)[slots], choice)
        return np.where(np.array(_TITLE_OWN)[slots], own, shared)

    def topic_words(self, places: IntArray, height: IntArray, uniform: npt.NDArray[np.float64]) -> IntArray:
        """Words of the topics `height` levels above the leaves of `places`, known from label texts or not."""
        return self._topic(places, height, (uniform * _POOL).astype(np.int64))

    def _topic(self, places: IntArray, height: IntArray, choice: IntArray) -> IntArray:
        node = places // np.array(LEVELS)[height]
        return topical_words(unit(mix(self.seed, _TOPIC, height, node, choice)), self.vocabulary)
