"""What the server keeps of a model is what the model gives afresh."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eclare_py.rank.explain import label_parts
from eclare_py.report.pictures.neighbourhood import neighbourhood
from eclare_py.serve import engine as module
from eclare_py.serve.engine import Engine


@pytest.fixture
def engine(tiny: Any) -> Engine:
    return Engine(tiny.classifier)


def test_parts_of_several_labels_are_those_of_each(tiny: Any) -> None:
    rows = np.array([7, 3, 61], dtype=np.int64)
    together = label_parts(tiny.classifier.pipeline, rows)
    alone = [label_parts(tiny.classifier.pipeline, rows[i : i + 1])[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    vectors = tiny.classifier.pipeline.ranker.scorer.vectors[rows]
    sums = together.sum(axis=1)  # of terms by coarse codes, so near the saved vectors
    assert ((sums * vectors).sum(axis=1) > 0.9 * np.linalg.norm(sums, axis=1) * np.linalg.norm(vectors, axis=1)).all()


def test_shares_are_the_same_from_kept_parts(engine: Engine, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tiny.folder.test.texts[0]
    first = engine.shares(text, [5, 9, 5])
    monkeypatch.setattr(module, "label_parts", None)  # not asked a second time
    assert engine.shares(text, [5, 9, 5]) == first
    assert first is not None and first[0] == first[2]
    assert first[1].total == pytest.approx(tiny.classifier.explain(text, 9).dense, abs=1e-4)


def test_no_more_parts_are_kept_than_allowed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_PARTS", 3)
    monkeypatch.setattr(module, "_KEPT_THRESHOLDS", 2)
    engine.shares("a", [1, 2, 3])
    engine.shares("a", [1, 4])
    assert list(engine._parts) == [3, 1, 4]
    assert len(engine.shares("a", [1, 2, 3, 4, 5]) or []) == 5  # more than are kept, all the same
    for precision in (0.5, 0.6, 0.7):
        engine.thresholds(precision, 10)
    assert [key[0] for key in engine._thresholds] == [0.6, 0.7]


def test_a_card_shows_the_strongest_neighbourhood(engine: Engine, tiny: Any) -> None:
    pipeline = tiny.classifier.pipeline
    for row in (0, 40):
        card, expected = engine.card(row), neighbourhood(pipeline.graph, row, limit=24)
        np.testing.assert_array_equal(card.around.labels, expected.labels)
        np.testing.assert_array_equal(card.around.ends, expected.ends)
        assert card.around.left_out == expected.left_out
        seen = pipeline.documents.pairs[pipeline.documents.pairs[:, 0] == row, 1]
        assert card.documents == [pipeline.documents.names[place] for place in seen[:5]]


def test_names_are_looked_up_without_guessing(engine: Engine) -> None:
    labels = engine.labels
    assert engine.find(labels.name(17)) == 17 and engine.find(labels.texts[17]) == 17
    assert engine.find("17x") is None and engine.find("") is None and engine.find(labels.name(17)[:-1]) is None
