"""`synthetic`: a generated extreme classification set of any size that behaves like the real ones.

Labels are the leaves of a topic tree (`synthetic_topics`). A document is about one label; further labels are drawn
by popularity, mostly among its siblings and cousins, so that labels of one topic occur together and a few heads occur
everywhere. Its words come from the texts of its labels, from their topics, and from running text (noise). At the end
some of its labels are lost (missing labels), the one it is about never. Every label has a train document.

Everything is made in chunks of `CHUNK` documents, each with its own random stream: memory grows with L, not with text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eclare_py.data.benchmarks import built_card
from eclare_py.data.lf_writer import LfWriter, Split
from eclare_py.data.settings import setting
from eclare_py.data.synthetic_topics import LEVELS, MAX_TITLE, TopicTree
from eclare_py.data.synthetic_words import UintArray, make_words, mix, zipf_words
from eclare_py.errors import UsageError
from eclare_py.types import IntArray

NAME = "synthetic"
CHUNK = 32768
_NEARNESS = (0.45, 0.2, 0.1, 0.25)  # a further label is a sibling, a cousin, of the wider topic, or any label
_FROM_TITLE = 0.6  # share of the words that are no noise which stand in a label's text; the others are topic words
_DISPERSION = 1.5  # of the negative binomial number of further labels: its tail is as heavy as in the real sets
_MAX_FURTHER = 60
_MAX_LABELS_EACH = 100  # labels a train document can be made to cover before the call makes no sense


@dataclass(frozen=True)
class SyntheticSettings:
    """Settings of `synthetic`."""

    labels: int = setting(10_000, "number of labels, exactly", low=2, high=3_000_000)
    documents: int | None = setting(None, "train and test documents together (1.5 a label)", low=5, high=50_000_000)
    seed: int = setting(0, "the same seed gives the same files", low=0, high=2**32 - 1)
    test: float = setting(0.2, "share of test documents", low=0.01, high=0.9)
    density: float = setting(
        5.0, "labels drawn a document, on average; repeats merge, some are lost", low=1.0, high=40.0
    )
    words: float = setting(8.0, "words drawn a document, on average; repeats merge", low=2.0, high=200.0)
    noise: float = setting(0.15, "share of words that have nothing to do with the labels", low=0.0, high=1.0)
    missing: float = setting(0.15, "share of the further labels that are lost", low=0.0, high=0.95)
    skew: float = setting(1.0, "exponent of the power law of label popularity", low=0.0, high=2.0)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some documents; (document, value) pairs in flat arrays, documents counted from 0 and ascending.

    Attributes:
        words: (W,) word ids and `word_starts` (n+1,) where each document's begin.
        word_starts: See `words`.
        labels: (P,) label ids, ascending in a document, and `label_starts` (n+1,).
        label_starts: See `labels`.
    """

    words: IntArray
    word_starts: IntArray
    labels: IntArray
    label_starts: IntArray


def build_synthetic(out: Path, settings: SyntheticSettings) -> None:
    """Build the data folder `out`.

    Raises:
        UsageError: So few documents that labels would have none.
    """
    source = SyntheticSource(settings)
    words = make_words(source.tree.vocabulary)
    with LfWriter(out) as writer:
        for title in source.label_words():
            writer.label(" ".join([words[word] for word in title]))
        for split in ("train", "test"):
            for chunk in source.chunks(split):
                ids, starts = chunk.words.tolist(), chunk.word_starts.tolist()
                labels, label_starts = chunk.labels.tolist(), chunk.label_starts.tolist()
                for row in range(len(starts) - 1):
                    text = " ".join([words[word] for word in ids[starts[row] : starts[row + 1]]])
                    writer.document(split, text, labels[label_starts[row] : label_starts[row + 1]])
        writer.card(built_card(NAME, {"settings": asdict(settings)}))


class SyntheticSource:
    """The generator behind `build_synthetic`, as arrays; `chunks("train")` comes before `chunks("test")`.

    Attributes:
        tree: The latent topic tree.
        n_documents: Documents of each split.
    """

    def __init__(self, settings: SyntheticSettings) -> None:
        total = settings.documents if settings.documents is not None else max(5, settings.labels * 3 // 2)
        n_test = max(1, round(total * settings.test))
        self.settings = settings
        self.n_documents: dict[Split, int] = {"train": total - n_test, "test": n_test}
        # Labels are covered in runs of `_run` neighbours, a run a train document, so that each is seen at least once.
        self._run = -(-settings.labels // self.n_documents["train"])
        if self._run > _MAX_LABELS_EACH:
            raise UsageError(
                f"synthetic: documents={total} are too few for labels={settings.labels}: give at least "
                f"{int(settings.labels / _MAX_LABELS_EACH / (1 - settings.test)) + 2}"
            )
        self._n_runs = -(-settings.labels // self._run)
        vocabulary = max(2_000, int(40 * settings.labels**0.6))
        self.tree = TopicTree.grow(settings.labels, vocabulary, settings.skew, settings.seed)
        self._seen: list[UintArray] = []  # fingerprints of the train texts

    def label_words(self) -> Iterator[list[int]]:
        """The word ids of each label's text, by label id."""
        places = self.tree.places()
        slots = np.arange(MAX_TITLE)
        for start in range(0, len(places), CHUNK):
            part = places[start : start + CHUNK]
            words = self.tree.title_words(part[:, None], slots[None, :])
            kept = slots < self.tree.title_lengths(part)[:, None]
            for slot in range(1, MAX_TITLE):
                kept[:, slot] &= (words[:, slot, None] != words[:, :slot]).all(axis=1)
            starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).tolist()
            flat = words[kept].tolist()
            yield from (flat[begin:end] for begin, end in zip(starts[:-1], starts[1:], strict=True))

    def chunks(self, split: Split) -> Iterator[Chunk]:
        """All documents of a split; a test text that is also a train text gets further words."""
        runs = self._runs(split)
        if split == "train":
            self._seen = []
        known = np.sort(np.concatenate(self._seen)) if split == "test" and self._seen else np.empty(0, dtype=np.uint64)
        for number, start in enumerate(range(0, len(runs), CHUNK)):
            random = np.random.default_rng([self.settings.seed, 1 if split == "train" else 2, number])
            rows, places, certain = self._true_pairs(runs[start : start + CHUNK], random)
            n = len(runs[start : start + CHUNK])
            words, word_starts = self._texts(rows, places, n, random)
            while split == "test" and np.isin(_fingerprints(words, word_starts), known).any():
                doubled = np.isin(_fingerprints(words, word_starts), known)
                words, word_starts = self._lengthen(words, word_starts, doubled, random)
            if split == "train":
                self._seen.append(_fingerprints(words, word_starts))
            kept = certain | (random.random(len(rows)) >= self.settings.missing)
            labels, rows = self.tree.label_at[places[kept]], rows[kept]
            order = np.lexsort((labels, rows))
            yield Chunk(words, word_starts, labels[order], np.searchsorted(rows, np.arange(n + 1)))

    def _runs(self, split: Split) -> IntArray:
        """The run of labels each document must cover, -1 for none; as often in test as in train."""
        n_train, n = self.n_documents["train"], self.n_documents[split]
        random = np.random.default_rng([self.settings.seed, 3, 1 if split == "train" else 2])
        runs = np.full(n, -1, dtype=np.int64)
        if split == "train":
            runs[random.permutation(n)[: self._n_runs]] = np.arange(self._n_runs)
            return runs
        chosen = random.random(n) < self._n_runs / n_train
        runs[chosen] = random.integers(self._n_runs, size=int(chosen.sum()))
        return runs

    def _true_pairs(self, runs: IntArray, random: np.random.Generator) -> tuple[IntArray, IntArray, np.ndarray]:
        """Documents and places of all true labels, sorted and unique, and which of them are never lost."""
        n_labels, n = self.tree.n_labels, len(runs)
        everywhere = np.full(n, n_labels)
        popular = self.tree.draw(np.zeros(n, dtype=np.int64), everywhere, random.random(n))
        about = np.where(runs >= 0, runs * self._run, popular)
        covered = np.repeat(np.where(runs >= 0, about, -n_labels), self._run) + np.tile(np.arange(self._run), n)
        inside = (covered >= 0) & (covered < n_labels)
        rows = np.concatenate([np.arange(n), np.repeat(np.arange(n), self._run)[inside]])
        certain = np.unique(rows * n_labels + np.concatenate([about, covered[inside]]))

        mean = max(self.settings.density - len(certain) / n, 0.25)
        counts = random.negative_binomial(_DISPERSION, _DISPERSION / (_DISPERSION + mean), size=n)
        rows = np.repeat(np.arange(n), np.minimum(counts, _MAX_FURTHER))
        size = np.array([*LEVELS, n_labels])[random.choice(4, p=_NEARNESS, size=len(rows))]
        further = rows * n_labels + self.tree.draw(about[rows], size, random.random(len(rows)))
        pairs = np.union1d(certain, further)
        return pairs // n_labels, pairs % n_labels, np.isin(pairs, certain)

    def _texts(
        self, rows: IntArray, places: IntArray, n: int, random: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Word ids and starts of n documents; each of the first words is about another label, the rest about any."""
        first = np.searchsorted(rows, np.arange(n + 1))
        lengths = 2 + random.poisson(self.settings.words - 2, size=n)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        owner = np.repeat(np.arange(n), lengths)
        turn = np.arange(len(owner)) - starts[owner]
        n_true = np.diff(first)[owner]
        anyone = (random.random(len(owner)) * n_true).astype(np.int64)
        place = places[first[owner] + np.where(turn < n_true, turn, anyone)]

        slot = (random.random(len(owner)) * self.tree.title_lengths(place)).astype(np.int64)
        words = self.tree.title_words(place, slot)
        height = random.choice(3, p=(0.6, 0.25, 0.15), size=len(owner))
        topical = self.tree.topic_words(place, height, random.random(len(owner)))
        words = np.where(random.random(len(owner)) < _FROM_TITLE, words, topical)
        noisy = random.random(len(owner)) < self.settings.noise
        words[noisy] = zipf_words(random.random(int(noisy.sum())), self.tree.vocabulary)
        _, kept = np.unique(owner * self.tree.vocabulary + words, return_index=True)  # a title says a word once
        kept.sort()
        return words[kept], np.searchsorted(owner[kept], np.arange(n + 1))

    def _lengthen(
        self, words: IntArray, starts: IntArray, chosen: np.ndarray, random: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Two words more, any of the vocabulary, at the end of the chosen documents."""
        places = np.repeat(starts[1:][chosen], 2)
        longer = np.insert(words, places, random.integers(self.tree.vocabulary, size=len(places)))
        return longer, starts + np.concatenate([[0], np.cumsum(2 * chosen)])


def _fingerprints(words: IntArray, starts: IntArray) -> UintArray:
    """A 64-bit hash of each text, its words in their order."""
    turn = np.arange(len(words)) - np.repeat(starts[:-1], np.diff(starts))
    return np.add.reduceat(mix(0, words, turn), starts[:-1])
