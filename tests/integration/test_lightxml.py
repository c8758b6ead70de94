"""The method `lightxml` from Python and the command line: with a bag, and with a transformer that learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from eclare_py import EclareClassifier
from eclare_py.cli.app import app
from eclare_py.errors import ConfigError, ModelError, TrainingError, UsageError
from eclare_py.persist import load_pipeline
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.storage import State, read_state, write_state
from eclare_py.train.events import EventLog
from eclare_py.train.lightxml import assemble, open_session, run
from tests.tiny import MINILM, arrays_of

BAG = {
    "document.kind": "bag", "document.dim": 16, "lightxml.hidden": 12, "lightxml.max_group": 8,
    "lightxml.top_groups": 4, "lightxml.beam": 6, "lightxml.epochs": 8, "lightxml.batch_size": 32,
    "training.checkpoint_seconds": 0,
}  # fmt: skip
TUNED = BAG | {
    "document.kind": "transformer", "transformer.model": str(MINILM), "transformer.layers": 1,
    "transformer.last_layers": 1, "transformer.max_length": 8, "lightxml.epochs": 2,
}  # fmt: skip


def classifier(settings: dict[str, Any], **overrides: Any) -> EclareClassifier:
    changed = {key.replace("__", "."): value for key, value in overrides.items()}
    return EclareClassifier("lightxml", overrides=settings | changed, device="cpu")


@pytest.fixture(scope="module")
def bag(tiny: Any) -> EclareClassifier:
    return classifier(BAG).fit(tiny.folder)


def test_it_learns_and_is_seeded(tiny: Any, bag: EclareClassifier) -> None:
    test = tiny.folder.test
    assert bag.evaluate(tiny.folder).metrics["P@1"] > 30  # by chance: 3 of 90 labels
    again = classifier(BAG).fit(tiny.folder)
    np.testing.assert_array_equal(again.predict(test.texts, 7).scores, bag.predict(test.texts, 7).scores)
    other = classifier(BAG, lightxml__negatives="uniform").fit(tiny.folder)
    assert (other.predict(test.texts, 7).scores != bag.predict(test.texts, 7).scores).any()


@pytest.mark.parametrize("settings", [BAG, TUNED], ids=["bag", "transformer"])
def test_the_export_equals_the_network(tiny: Any, settings: dict[str, Any]) -> None:
    recipe = classifier(settings, lightxml__epochs=1, lightxml__beam=99).settings()
    session = open_session(tiny.folder.train, recipe, torch.device("cpu"), EventLog(None), None, False)
    run(session, EventLog(None))
    pipeline, texts = assemble(session), tiny.folder.test.texts[:13]
    session.side.eval(), session.heads.eval()
    with torch.no_grad():
        if session.transformer is None:
            # The table that serves is coarser than the one that was trained.
            session.side.bag.weight.copy_(torch.from_numpy(pipeline.encoder.table.dense()))  # type: ignore[union-attr]
            x = session.side.encode(session.features.transform(texts))  # type: ignore[operator]
        else:
            x = session.transformer(session.transformer.tokens(texts))
        served = torch.from_numpy(pipeline.encode(texts).vectors)
        torch.testing.assert_close(served, x, atol=1e-5, rtol=0)
        features = session.heads.features(served)
        labels = session.heads.label_logits(features, np.arange(90), np.tile(np.arange(90), (13, 1))).sigmoid()
        groups = session.heads.generator(features).sigmoid()
    expected = (labels * groups[:, torch.from_numpy(session.groups.of_label)]).numpy()
    found = pipeline.rank(texts, 90).to_csr(90).toarray()
    np.testing.assert_allclose(found, expected, atol=2e-3)  # label vectors are in 8 bits
    assert expected.max() > 0.1


def test_the_generator_alone_ranks_by_shares(tiny: Any, bag: EclareClassifier) -> None:
    texts = tiny.folder.test.texts[:5]
    alone = classifier(BAG, lightxml__generator_only=True).fit(tiny.folder)
    pipeline, both = alone.pipeline, bag.pipeline
    assert isinstance(pipeline, ClusterPipeline) and isinstance(both, ClusterPipeline)
    np.testing.assert_array_equal(pipeline.index.routers, both.index.routers)
    relevant = tiny.folder.train.labels.toarray().astype(bool)
    relevant[tuple(tiny.folder.train.filter_pairs.T)] = False
    leaf = pipeline.index.node_of_label()
    gates = 1 / (1 + np.exp(-(pipeline.encode(texts).vectors @ pipeline.index.routers.T + pipeline.index.bias)))
    found = pipeline.rank(texts, 3)
    for row in range(5):
        for label, score in zip(found.indices[row], found.scores[row], strict=True):
            of_group = relevant[:, leaf == leaf[label]].any(axis=1).sum()
            share = (relevant[:, label].sum() + 0.5) / (of_group + 1)
            assert score == pytest.approx(share * gates[row, leaf[label]], rel=1e-4)


@pytest.mark.parametrize(
    "settings", [BAG, TUNED, TUNED | {"transformer.tuning": "frozen"}], ids=["bag", "tuned", "frozen"]
)
def test_saved_and_loaded_it_answers_the_same(tiny: Any, tmp_path: Path, settings: dict[str, Any]) -> None:
    trained, texts = classifier(settings, lightxml__epochs=1).fit(tiny.folder), tiny.folder.test.texts[:9]
    trained.save(tmp_path / "model")
    again = EclareClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(texts, 9).scores, trained.predict(texts, 9).scores)
    assert again.describe() == trained.describe()
    again.save(tmp_path / "copy")
    assert arrays_of(tmp_path / "copy") == arrays_of(tmp_path / "model")
    assert (tmp_path / "model" / "transformer").is_dir() == (settings["document.kind"] == "transformer")
    alone = [again.predict([text], 9).scores for text in texts]
    np.testing.assert_allclose(np.concatenate(alone), trained.predict(texts, 9).scores, atol=1e-5)


def test_averaged_epochs(tiny: Any) -> None:
    recipe = classifier(BAG, lightxml__epochs=3, lightxml__averaged_epochs=2).settings()
    session = open_session(tiny.folder.train, recipe, torch.device("cpu"), EventLog(None), None, False)
    seen: list[torch.Tensor] = []

    def listen(event: str, _: dict[str, Any]) -> None:
        if event == "epoch":
            seen.append(session.heads.generator.weight.detach().clone())

    run(session, EventLog(None, listen))
    torch.testing.assert_close(session.heads.generator.weight.detach(), (seen[1] + seen[2]) / 2)


def test_a_damaged_transformer_is_refused(tiny: Any, tmp_path: Path) -> None:
    classifier(TUNED, lightxml__epochs=1).fit(tiny.folder).save(tmp_path / "model")
    (next((tmp_path / "model" / "transformer").rglob("*.safetensors"))).write_bytes(b"x")
    with pytest.raises(ModelError, match="transformer"):
        load_pipeline(tmp_path / "model")


def test_what_it_cannot_do_is_said(tiny: Any, bag: EclareClassifier, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"document\.kind=both"):
        classifier(BAG, document__kind="both").fit(tiny.folder)
    with pytest.raises(ConfigError, match=r"transformer\.tuning=lora"):
        classifier(TUNED, transformer__tuning="lora").fit(tiny.folder)
    with pytest.raises(ModelError, match=r"transformer\.model is empty"):
        classifier(TUNED, transformer__model="").fit(tiny.folder)
    with pytest.raises(TrainingError, match="the loss became"):
        classifier(BAG, lightxml__label_rate=1e38, lightxml__epochs=2).fit(tiny.folder)
    with pytest.raises(UsageError, match="method lightxml"):
        bag.explain("a text", 3)
    with pytest.raises(ModelError, match=r"held-out scores.*method lightxml"):
        bag.thresholds(0.9)
    bag.save(tmp_path / "model")
    for words in (
        ["explain", tmp_path / "model", "--text", "some text", "--label", "3"],
        ["graph", tmp_path / "model"],
        ["inspect", tiny.data, "--estimate", "--recipe", "lightxml"],
    ):
        refused = CliRunner().invoke(app, [str(word) for word in words])
        assert refused.exit_code == 2 and "method lightxml" in refused.stderr
    state = read_state(tmp_path / "model", "classifiers")
    write_state(tmp_path / "model", "classifiers", State(state.arrays, state.meta | {"n_documents": 0}))
    with pytest.raises(ModelError):
        load_pipeline(tmp_path / "model")
