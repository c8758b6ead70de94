"""Arrays on disk instead of in memory: the same numbers, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.estimator import EclareClassifier
from eclare_py.features import counting
from eclare_py.features.ngrams import NgramRange
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.model.inputs import Inputs
from eclare_py.storage.spool import Collector, empty, spooled, stacked
from eclare_py.storage.texts import TextStore
from eclare_py.train.indexing import _leading
from tests.integration.command import eclare
from tests.tiny import arrays_of

PIECES = [np.arange(5, dtype=np.int32), np.empty(0, np.int32), np.arange(20, dtype=np.int32)[::3]]


def collected() -> Any:
    collector = Collector(np.int32)
    for piece in PIECES:
        collector.add(piece)
    return collector.finish()


def on_disk(array: Any) -> bool:
    """Whether some base of an array is mapped from a file."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def test_pieces_are_one_array_wherever_it_lies(tmp_path: Path) -> None:
    inside = collected()
    with spooled(tmp_path / "spool"):
        outside = collected()
        with spooled(None):
            assert not on_disk(collected())
    assert on_disk(outside) and not on_disk(inside) and not on_disk(collected())
    assert type(outside) is np.ndarray and outside.dtype == inside.dtype == np.int32
    assert outside.tolist() == inside.tolist() == np.concatenate(PIECES).tolist()
    assert list((tmp_path / "spool").iterdir()) == []


def test_nothing_collected_is_an_empty_array(tmp_path: Path) -> None:
    assert Collector(np.float32).finish().shape == (0,)
    with spooled(tmp_path):
        assert Collector(np.float32).finish().shape == (0,)


@pytest.mark.parametrize("piece", [np.zeros(3, np.int64), np.zeros((2, 2), np.int32)])
def test_a_piece_that_does_not_fit_is_refused(piece: Any) -> None:
    with pytest.raises(ValueError, match="expected flat int32"):
        Collector(np.int32).add(piece)


def test_rows_of_features_are_the_same(tiny: Any, tmp_path: Path) -> None:
    train = tiny.folder.train
    features = TfidfFeatures.fit(train.texts, train.label_texts)
    expected = features.transform(train.texts)
    with spooled(tmp_path):
        rows = features.transform(train.texts)
        halves = [rows[:100], rows[100:]]
        joined = _leading(halves, features.n_features - 7)
    assert on_disk(rows.data) and on_disk(rows.indices) and on_disk(joined.data)
    assert rows.shape == expected.shape and (rows != expected).nnz == 0
    assert np.array_equal(joined.toarray(), expected.toarray()[:, : features.n_features - 7])
    assert _leading([rows], features.n_features) is rows


def test_arrays_to_be_filled_lie_on_disk_and_have_their_room(tmp_path: Path) -> None:
    assert not on_disk(empty((3, 5), np.float32))
    with spooled(tmp_path):
        array = empty((3, 5), np.float32)
        assert empty((0, 5), np.float32).shape == (0, 5)
        with pytest.raises(OSError):
            empty((1 << 50,), np.int8)
    assert on_disk(array) and array.shape == (3, 5) and array.dtype == np.float32
    array[1] = 7
    assert array.sum() == 35
    assert list(tmp_path.iterdir()) == []


def test_blocks_below_each_other(tmp_path: Path) -> None:
    blocks = [np.arange(6, dtype=np.float32).reshape(2, 3), np.empty((0, 3), np.float32), np.ones((1, 3), np.float32)]
    with spooled(tmp_path):
        found = stacked(iter(blocks), 3, np.float32)
    assert on_disk(found) and np.array_equal(found, np.concatenate(blocks))
    assert stacked(iter(()), 3, np.float32).shape == (0, 3)


@pytest.mark.parametrize("characters", [False, True])
def test_a_vocabulary_counted_on_disk_is_the_same(
    characters: bool, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["", *tiny.folder.train.texts, *tiny.folder.train.label_texts, *tiny.folder.train.texts[:50]]
    monkeypatch.setattr(counting, "_PART_BLOCK", 7)
    monkeypatch.setattr(counting, "text_blocks", lambda texts: [(i, i + 9) for i in range(0, len(texts), 9)])
    for min_df, most in ((1, None), (2, None), (2, 30), (3, 10**6)):
        ngrams = NgramRange(characters, 1, 3)
        expected, counts = counting.fit_vocabulary(texts, ngrams, min_df=min_df, max_features=most)
        with spooled(tmp_path):
            found, found_counts = counting.fit_vocabulary(
                TextStore.of(texts), ngrams, min_df=min_df, max_features=most
            )
        assert found.terms == expected.terms and found_counts.tolist() == counts.tolist()


def test_inputs_behind_each_other_lie_on_disk(tiny: Any, tmp_path: Path) -> None:
    features = TfidfFeatures.fit(tiny.folder.train.texts)
    rows = features.transform(tiny.folder.train.texts)
    vectors = np.random.default_rng(0).normal(size=(rows.shape[0], 3)).astype(np.float32)
    parts = [Inputs(rows[:90], vectors[:90]), Inputs(rows[90:], vectors[90:])]
    with spooled(tmp_path):
        joined = parts[0].followed_by(parts[1])
    assert joined.embeddings is not None and on_disk(joined.rows.data) and on_disk(joined.embeddings)
    assert (joined.rows != rows).nnz == 0 and np.array_equal(joined.embeddings, vectors)


def test_a_spooled_training_gives_the_same_model(tiny: Any, tmp_path: Path) -> None:
    eclare("train", tiny.recipe, "--data", tiny.data, "--out", tmp_path / "model", "--spool", tmp_path / "spool")
    assert arrays_of(tmp_path / "model") == arrays_of(tiny.model)
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [
        ["training.label_documents=true", "rank.neighbours=20", "label.free=true", "label.bias=true"],
        ["method=linear", "linear.negatives=tfn+man"],
    ],
)
def test_whatever_is_spooled_the_model_is_the_same(tiny: Any, tmp_path: Path, settings: list[str]) -> None:
    models = []
    for folder in (None, tmp_path / "spool"):
        with spooled(folder):
            classifier = EclareClassifier.from_recipe(tiny.recipe, settings, device="cpu").fit(load_dataset(tiny.data))
        models.append(tmp_path / f"model{len(models)}")
        classifier.save(models[-1])
    assert arrays_of(models[0]) == arrays_of(models[1])
    assert list((tmp_path / "spool").iterdir()) == []
