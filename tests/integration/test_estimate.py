"""The estimate of a training: what it counts, and how it follows data and recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclare_py import EclareClassifier
from eclare_py.cli.estimate import Counts, count, memory_by_stage, seconds_by_stage
from eclare_py.data.dataset import Dataset
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.types import as_csr

COUNTS = Counts(
    documents=400_000, held_out=16_000, labels=1_000_000, rare=800_000, pairs=2_000_000, terms=500_000,
    text_terms=100.0, words=8.0, label_terms=50.0, hop_terms=1e7, edges=300_000, support=5_000_000.0, text_bytes=1.5e8,
)  # fmt: skip


def recipe_of(*words: str):
    return EclareClassifier.from_recipe("default", words).settings()


def test_counts_by_hand():
    texts = ["red red fox", "blue fox", "blue fox", "fox"]
    labels = as_csr(np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]]))
    train = Dataset(texts, labels, ["red", "blue", "fox fox"])
    recipe = recipe_of("features.characters=false", "features.word_ngrams=1", "graph.min_count=2")
    found = count(train, recipe, TfidfFeatures.fit(train.texts, train.label_texts, config=recipe.features))
    assert (found.documents, found.labels, found.pairs, found.rare, found.terms) == (4, 3, 6, 3, 3)
    assert found.text_terms == found.words == 7 / 4 and found.label_terms == 1
    assert found.edges == 2 and found.hop_terms == 2  # labels 0 and 1 share two documents
    assert found.support == 6 + 2  # ordered pairs of labels of one document


def test_memory_by_hand():
    recipe = recipe_of("document.dim=64", "training.batches=random", "training.soft_targets=0")
    found = memory_by_stage(COUNTS, recipe)
    rows, table = (400_000 * 100 + 1_000_000 * 50) * 8, 500_000 * 65 * 4
    kept = 620e6 + 1.5e8 + rows + 3 * 2_000_000 * 8 + 500_000 * 100 + 2 * 1_300_000 * 8 + table
    kept += table // 4  # codes that sums read
    vectors = 1_000_000 * 64 * 4
    assert found["network"] == kept + 1e7 * 8 + table + vectors
    # 1,024 documents, whose 5 labels each and no others are the labels at hand.
    halved = memory_by_stage(COUNTS, recipe, half=True)
    assert halved == found | {"network": found["network"] + 200 * 1024 * 1024 * 0.65 * 5}
    plain = memory_by_stage(COUNTS, recipe_of("document.dim=64", "document.coded=false"))
    assert plain["index"] == found["index"] - table // 4
    assert found["index"] == kept + 1e7 * 8 + 400_000 * 64 * 4 + 5 * vectors


def test_documents_that_vote_take_room_and_time():
    few, many = recipe_of(), recipe_of("rank.neighbours=30")
    memory, more_memory = memory_by_stage(COUNTS, few), memory_by_stage(COUNTS, many)
    assert more_memory == memory | {"fusion": memory["fusion"] + 400_000 * 256 * 4}
    seconds, more_seconds = seconds_by_stage(COUNTS, few), seconds_by_stage(COUNTS, many)
    assert more_seconds["fusion"] > seconds["fusion"] and more_seconds | {"fusion": 0} == seconds | {"fusion": 0}


@pytest.mark.parametrize("part", [memory_by_stage, seconds_by_stage])
def test_more_data_and_more_work_take_more(part):
    recipe = recipe_of("training.surrogate_epochs=1")
    total = sum(part(COUNTS, recipe).values())
    for name in ("documents", "labels", "pairs", "held_out", "text_terms"):
        assert sum(part(replace(COUNTS, **{name: 2 * getattr(COUNTS, name)}), recipe).values()) > total, name
    for less in ("document.dim=64", "rank.linear=false"):
        assert sum(part(COUNTS, recipe_of("training.surrogate_epochs=1", less)).values()) < total, less
    for less in ("training.batches=random", "training.soft_targets=0"):
        assert sum(part(COUNTS, recipe_of("training.surrogate_epochs=1", less)).values()) <= total, less


def test_time_of_large_data_grows_like_labels_and_their_logarithm():
    recipe = recipe_of("training.surrogate_epochs=1")
    growing = ("documents", "labels", "rare", "pairs", "hop_terms")
    sizes = [replace(COUNTS, **{name: getattr(COUNTS, name) * n for name in growing}) for n in (1, 10)]
    small, large = (sum(seconds_by_stage(one, recipe).values()) for one in sizes)
    assert 5 < large / small < 10 * np.log(10 * COUNTS.labels) / np.log(COUNTS.labels)
