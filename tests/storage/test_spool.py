"""Arrays on disk instead of in memory: the same numbers, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.storage.spool import Collector, spooled
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


def test_a_spooled_training_gives_the_same_model(tiny: Any, tmp_path: Path) -> None:
    eclare("train", tiny.recipe, "--data", tiny.data, "--out", tmp_path / "model", "--spool", tmp_path / "spool")
    assert arrays_of(tmp_path / "model") == arrays_of(tiny.model)
    assert list((tmp_path / "spool").iterdir()) == []
