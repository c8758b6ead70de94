"""The method `linear` from the command line and from Python: train, predict, evaluate, save, load, what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py import Dataset, EclareClassifier
from eclare_py.errors import ModelError, TrainingError, UsageError
from eclare_py.persist import load_pipeline
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.storage import State, read_state, write_state
from tests.integration.command import eclare, error_of, train_and_ask

SMALL = {"linear.max_leaf": 8, "linear.beam": 3}


def trained(tiny: Any, **overrides: Any) -> EclareClassifier:
    settings = SMALL | {key.replace("__", "."): value for key, value in overrides.items()}
    return EclareClassifier("xr_linear", overrides=settings).fit(tiny.folder.train)


def test_it_learns_and_is_seeded(tiny: Any) -> None:
    classifier, test = trained(tiny), tiny.folder.test
    result = classifier.evaluate(tiny.folder).metrics
    assert result["P@1"] > 50  # by chance: 3 of 90 labels
    ranking = classifier.predict(test.texts, 7)
    np.testing.assert_array_equal(trained(tiny).predict(test.texts, 7).scores, ranking.scores)
    alone = [classifier.predict([text], 7) for text in test.texts[:9]]
    np.testing.assert_allclose(np.concatenate([one.scores for one in alone]), ranking.scores[:9], atol=1e-6)
    assert classifier.describe()["tree"]["trees"] == 1 and classifier.describe()["weights"] > 0


def test_an_ensemble_is_the_mean_of_its_trees(tiny: Any) -> None:
    classifier, texts = trained(tiny, linear__trees=3), tiny.folder.test.texts[:11]
    pipeline = classifier.pipeline
    assert isinstance(pipeline, LinearPipeline) and len(pipeline.trees) == 3
    orders = {tuple(tree.label_order.tolist()) for tree in pipeline.trees}
    assert len(orders) == 3
    rows, mean = pipeline.features.transform(texts), np.zeros((11, 90))
    for tree in pipeline.trees:
        mean += tree.rank(rows, 20).to_csr(90).toarray() / 3
    found = classifier.predict(texts, 20)
    for row in range(11):
        expected = np.sort(mean[row])[::-1][:20]
        kept = found.indices[row] >= 0
        np.testing.assert_allclose(found.scores[row][kept], expected[: kept.sum()], atol=1e-6)


def test_filter_pairs_make_room(tiny: Any) -> None:
    classifier, texts = trained(tiny), tiny.folder.test.texts[:5]
    plain = classifier.predict(texts, 6)
    pairs = np.array([[0, plain.indices[0, 0]], [3, plain.indices[3, 1]], [3, plain.indices[3, 2]]])
    hidden = classifier.predict(texts, 6, filter_pairs=pairs)
    assert hidden.indices[0, :5].tolist() == plain.indices[0, 1:].tolist()
    assert hidden.indices[3, :4].tolist() == np.delete(plain.indices[3], [1, 2]).tolist()
    np.testing.assert_array_equal(hidden.indices[1], plain.indices[1])


def test_saved_and_loaded_it_answers_the_same(tiny: Any, tmp_path: Path) -> None:
    classifier, texts = trained(tiny, linear__trees=2), tiny.folder.test.texts
    classifier.save(tmp_path / "model")
    again = EclareClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(texts, 9).scores, classifier.predict(texts, 9).scores)
    assert again.describe() == classifier.describe()
    state = read_state(tmp_path / "model", "labels_seen")
    write_state(tmp_path / "model", "labels_seen", State(state.arrays, {"n_documents": 0}))
    with pytest.raises(ModelError):
        load_pipeline(tmp_path / "model")


def test_what_it_cannot_do_is_said(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="method linear"):
        trained(tiny).explain("a text", 3)
    with pytest.raises(ModelError, match="held-out scores.*method linear"):
        trained(tiny).thresholds(0.9)
    with pytest.raises(UsageError, match="precision=1.5"):
        trained(tiny).thresholds(1.5)
    assert trained(tiny).evaluate(tiny.folder).selective["validation_documents"] is None
    trained(tiny).save(tmp_path / "model")
    with pytest.raises(UsageError, match="tail_boost"):
        EclareClassifier.load(tmp_path / "model", tail_boost=1.0)
    train = tiny.folder.train
    unlabelled = dataclasses.replace(train, labels=train.labels * 0, filter_pairs=np.empty((0, 2), np.int64))
    unlabelled.labels.eliminate_zeros()
    with pytest.raises(TrainingError, match="no train document has a label"):
        EclareClassifier("xr_linear").fit(Dataset(unlabelled.texts, unlabelled.labels, unlabelled.label_texts))


def test_from_the_command_line(tiny: Any, tmp_path: Path) -> None:
    words = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    model = train_and_ask("xr_linear", tiny.data, tmp_path, *words)
    assert "no label vectors" in error_of(eclare("explain", model, "--text", "some text", "--label", "3", code=2))
