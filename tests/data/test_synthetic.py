"""synthetic: sizes, seeds, and the traits of real data that it must have."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.data import DataFolder, load_dataset
from eclare_py.data import synthetic as module
from eclare_py.data.synthetic import SyntheticSettings, SyntheticSource, build_synthetic
from eclare_py.data.synthetic_topics import LEAF, TopicTree
from eclare_py.data.synthetic_words import make_words, mix, unit, zipf_words
from eclare_py.errors import UsageError
from eclare_py.types import as_csr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    out = tmp_path_factory.mktemp("synthetic") / "data"
    build_synthetic(out, SyntheticSettings(labels=3000, documents=5000))
    return load_dataset(out)


@cache
def leaves() -> np.ndarray:
    """The leaf topic of each label of `built`."""
    return SyntheticSource(SyntheticSettings(labels=3000, documents=5000)).tree.places() // LEAF


def shared(one: str, other: str) -> bool:
    return bool(set(one.split()) & set(other.split()))


def test_sizes_are_exact(built: DataFolder) -> None:
    assert built.test is not None
    assert (built.train.n_labels, built.train.n_documents, built.test.n_documents) == (3000, 4000, 1000)
    assert built.train.label_frequencies.min() >= 1
    assert np.diff(built.test.labels.indptr).min() >= 1
    assert (built.name, built.propensity_a) == ("synthetic", 0.55)


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build_synthetic(tmp_path / name, SyntheticSettings(labels=120, documents=300, seed=seed))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        assert path.read_bytes() != (tmp_path / "c" / path.name).read_bytes()


def test_frequencies_follow_a_power_law(built: DataFolder) -> None:
    """A few heads, a median of few documents, and log frequency falling with log rank in between."""
    frequency = np.sort(built.train.label_frequencies)[::-1]
    assert frequency[0] > 50 * np.median(frequency)
    assert np.median(frequency) <= 4
    ranks = np.arange(5, 300)
    slope, _ = np.polyfit(np.log(ranks), np.log(frequency[ranks]), 1)
    assert -1.3 < slope < -0.5


def test_no_skew_gives_no_heads() -> None:
    def highest(skew: float) -> int:
        source = SyntheticSource(SyntheticSettings(labels=1000, documents=2000, skew=skew))
        return int(np.bincount(np.concatenate([chunk.labels for chunk in source.chunks("train")])).max())

    assert highest(0.0) * 5 < highest(1.0)


def test_words_follow_zipf(built: DataFolder) -> None:
    words, counts = np.unique(" ".join(built.train.texts).split(), return_counts=True)
    counts = np.sort(counts)[::-1]
    assert len(words) > 1500
    assert counts[0] > 8 * counts[100] > 8 * np.median(counts)


def test_siblings_occur_together_more_than_strangers(built: DataFolder) -> None:
    counts = as_csr(built.train.labels.T @ built.train.labels).tocoo()
    pairs = counts.row < counts.col
    together = np.minimum(counts.data[pairs], 1).astype(bool)
    siblings = leaves()[counts.row[pairs]] == leaves()[counts.col[pairs]]
    per_leaf = np.bincount(leaves())
    possible = int((per_leaf * (per_leaf - 1) // 2).sum())
    of_siblings = (together & siblings).sum() / possible
    of_strangers = (together & ~siblings).sum() / (3000 * 2999 // 2 - possible)
    assert of_siblings > 20 * of_strangers


def test_label_texts_share_words_with_their_documents(built: DataFolder) -> None:
    texts, titles, labels = built.train.texts, built.train.label_texts, built.train.labels.tocoo()
    own = np.mean([shared(texts[row], titles[column]) for row, column in zip(labels.row, labels.col, strict=True)])
    shuffled = np.random.default_rng(0).permutation(labels.col)
    other = np.mean([shared(texts[row], titles[column]) for row, column in zip(labels.row, shuffled, strict=True)])
    assert own > 0.6
    assert own > 3 * other


def test_label_texts_share_words_with_their_siblings(built: DataFolder) -> None:
    titles, order = built.train.label_texts, np.argsort(leaves(), kind="stable")
    near = [shared(titles[a], titles[b]) for a, b in zip(order[0::LEAF], order[1::LEAF], strict=True)]
    far = [shared(titles[a], titles[b]) for a, b in zip(order[0::LEAF], np.roll(order[1::LEAF], 99), strict=True)]
    assert np.mean(near) > 0.2
    assert np.mean(near) > 3 * np.mean(far)


def test_label_texts_are_short_and_say_no_word_twice(built: DataFolder) -> None:
    for title in built.train.label_texts:
        words = title.split()
        assert 1 <= len(words) <= 5
        assert len(set(words)) == len(words)


def test_no_test_text_is_a_train_text() -> None:
    """Texts of two or three words out of few would often meet."""
    source = SyntheticSource(SyntheticSettings(labels=4, documents=4000, words=2, density=1, test=0.5))
    train, test = (
        {tuple(chunk.words[a:b]) for chunk in source.chunks(split) for a, b in spans(chunk.word_starts)}
        for split in ("train", "test")
    )
    assert len(train) < 2000
    assert not train & test


def spans(starts: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))


def test_lost_labels_leave_the_texts_alone() -> None:
    """Losing labels takes further labels away, never the last one, and is not seen in the words."""
    whole, lossy = (
        next(iter(SyntheticSource(SyntheticSettings(labels=300, documents=900, missing=share)).chunks("train")))
        for share in (0.0, 0.5)
    )
    assert np.array_equal(whole.words, lossy.words)
    assert np.diff(lossy.label_starts).min() >= 1
    for (a, b), (c, d) in zip(spans(whole.label_starts), spans(lossy.label_starts), strict=True):
        assert set(lossy.labels[c:d]) <= set(whole.labels[a:b])
    assert len(lossy.labels) < 0.85 * len(whole.labels)


def test_noise_alone_says_nothing_about_the_labels() -> None:
    source = SyntheticSource(SyntheticSettings(labels=300, documents=900, noise=1.0))
    chunk = next(iter(source.chunks("train")))
    assert np.mean(chunk.words < 20) > 0.3  # log-uniform: as in running text, whatever the labels


def test_chunks_are_joined_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 64)
    source = SyntheticSource(SyntheticSettings(labels=150, documents=400))
    chunks = list(source.chunks("train"))
    assert [len(chunk.word_starts) - 1 for chunk in chunks] == [64] * 5
    assert set(np.concatenate([chunk.labels for chunk in chunks]).tolist()) == set(range(150))
    assert len(list(source.label_words())) == 150


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 700), st.integers(5, 500), st.integers(0, 9), st.sampled_from([0.1, 0.5]))
def test_any_size_is_exact_and_covers_every_label(labels: int, documents: int, seed: int, test: float) -> None:
    if labels > 40 * documents:
        labels = 40 * documents
    source = SyntheticSource(SyntheticSettings(labels=labels, documents=documents, seed=seed, test=test))
    seen: set[int] = set()
    total = 0
    for split in ("train", "test"):
        for chunk in source.chunks(split):
            assert np.diff(chunk.word_starts).min() >= 1
            for a, b in spans(chunk.label_starts):
                assert (np.diff(chunk.labels[a:b]) > 0).all()
            total += len(chunk.word_starts) - 1
            if split == "train":
                seen |= set(chunk.labels.tolist())
    assert total == documents
    assert seen == set(range(labels))


def test_too_few_documents_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"documents=20 .*labels=100000: give at least 1252"):
        build_synthetic(tmp_path / "out", SyntheticSettings(labels=100_000, documents=20))
    assert not (tmp_path / "out").exists()
    assert SyntheticSource(SyntheticSettings(labels=100_000, documents=1252)).n_documents["train"] == 1002


def test_card_says_how_it_was_made(tmp_path: Path) -> None:
    build_synthetic(tmp_path / "out", SyntheticSettings(labels=10, documents=20, seed=7))
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["settings"]["seed"] == 7
    with gzip.open(tmp_path / "out" / "lbl.json.gz", "rt") as lines:
        assert len(lines.readlines()) == 10


def test_drawing_inside_a_node_is_by_popularity() -> None:
    """Golden: 10 labels, nodes of 4, popularity 1..10; the last node holds places 8 and 9."""
    cumulative = np.concatenate([[0.0], np.cumsum(np.arange(1.0, 11.0)) / 55])
    tree = TopicTree(0, 100, np.arange(10), cumulative)
    near, size = np.array([2, 2, 2, 9, 9, 5]), np.array([4, 4, 4, 4, 4, 10])
    uniform = np.array([0.0, 0.15, 0.999, 0.46, 0.48, 0.5])
    # node 0..3 holds 1+2+3+4: 0 -> 0, 1.5 of 10 -> 1, 9.99 -> 3; node 8..9 holds 9+10; of all, 27.5 of 55 -> place 6
    assert tree.draw(near, size, uniform).tolist() == [0, 1, 3, 8, 9, 6]


def test_words_are_distinct_and_pronounceable() -> None:
    words = make_words(20_000)
    assert len(set(words)) == 20_000
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)
    assert max(map(len, words[:5000])) < min(map(len, words[-5000:])) + 4


def test_hashes_are_uniform_and_depend_on_each_part() -> None:
    numbers = unit(mix(5, np.arange(4000)[:, None], np.arange(3)[None, :]))
    assert numbers.shape == (4000, 3)
    assert len(np.unique(numbers)) == 12_000
    assert np.histogram(numbers, bins=10, range=(0, 1))[0] == pytest.approx(1200, rel=0.12)
    assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.05
    assert mix(5, 1, 2) != mix(5, 2, 1)


def test_zipf_words_halve_from_rank_to_double_rank() -> None:
    uniform = (np.arange(200_000) + 0.5) / 200_000
    counts = np.bincount(zipf_words(uniform, 1000), minlength=1000)
    assert len(counts) == 1000
    assert counts[20:40].sum() == pytest.approx(counts[40:80].sum(), rel=0.03)
