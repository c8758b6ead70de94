"""The method `rank_ae`: what answers is what was trained, by tree or exactly; what cannot be is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eclare_py import EclareClassifier
from eclare_py.errors import ConfigError, ModelError, TrainingError, UsageError
from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.model.frozen_attention import FrozenAttention
from eclare_py.persist import load_pipeline
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.storage import State, read_state, write_state
from eclare_py.train.events import EventLog
from eclare_py.train.rank_ae import assemble, open_session, run
from eclare_py.train.rank_ae.fit import document_vectors

SMALL = {
    "document.dim": 16, "rank_ae.latent": 24, "rank_ae.decoder": 32, "rank_ae.squeeze": 4, "rank_ae.epochs": 3,
    "rank_ae.batch_size": 32, "rank_ae.at_hand": 64, "index.exact_below": 50, "index.beam": 6, "index.beam_share": 1.0,
    "training.checkpoint_seconds": 0,
}  # fmt: skip


def classifier(**overrides: Any) -> EclareClassifier:
    changed = {key.replace("__", "."): value for key, value in overrides.items()}
    return EclareClassifier("rank_ae", overrides=SMALL | changed, device="cpu")


@pytest.fixture(scope="module")
def trained(tiny: Any) -> EclareClassifier:
    return classifier(rank_ae__epochs=8).fit(tiny.folder)


@pytest.mark.parametrize("kind", ["both", "none"])
def test_the_export_equals_the_network(tiny: Any, kind: str) -> None:
    recipe = classifier(rank_ae__attention=kind, index__exact_below=1000).settings()
    session = open_session(tiny.folder.train, recipe, torch.device("cpu"), EventLog(None), None, False)
    run(session)
    with torch.no_grad():
        session.network.words.query.normal_()  # gates far from their start
        session.network.words.excite.bias.normal_()
    pipeline, texts = assemble(session), tiny.folder.test.texts[:13]
    rows = pipeline.features.transform(texts)
    with torch.no_grad():  # the tables that serve are rounded to a byte a number
        session.network.words.bag.weight.copy_(torch.from_numpy(pipeline.encoder.table.dense()))  # type: ignore[union-attr]
    expected = document_vectors(session, rows)
    np.testing.assert_allclose(pipeline.encode(texts).vectors, expected, atol=1e-4)
    np.testing.assert_allclose(pipeline.encode(texts[:1]).vectors, expected[:1], atol=1e-4)
    scores = expected @ pipeline.vectors.T + pipeline.bias
    found = pipeline.rank(texts, 90).to_csr(90).toarray()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-scores)), atol=1e-3)
    assert isinstance(pipeline.encoder, FrozenAttention) and ("query" in pipeline.encoder.weights) == (kind == "both")


def test_the_tree_finds_most_of_what_all_scores_find(tiny: Any, trained: EclareClassifier) -> None:
    assert trained.evaluate(tiny.folder).metrics["P@1"] > 40  # by chance: 3 of 90 labels
    pipeline, texts = trained.pipeline, tiny.folder.test.texts
    assert isinstance(pipeline, ClusterPipeline) and pipeline.beam < pipeline.index.n_leaves
    query = pipeline.encode(texts)
    exact = np.argsort(-(query.vectors @ pipeline.vectors.T + pipeline.bias), axis=1, kind="stable")[:, :3]
    found = pipeline.rank(texts, 3).indices
    shared = [len(set(one) & set(other)) for one, other in zip(exact.tolist(), found.tolist(), strict=True)]
    assert np.mean(shared) > 1.5 and pipeline.describe()["tree"]["levels"] == pipeline.index.n_levels


@pytest.mark.parametrize(
    "settings",
    [{"objective": "bce"}, {"softness": 0.0, "lowest": "sum", "bounded": 0.0, "document_weight": 0.0},
     {"trim": 0.02, "negative_weight": "propensity", "label_dropout": 0.2}],
    ids=["bce", "paper", "noise"],
)  # fmt: skip
def test_every_loss_learns(tiny: Any, settings: dict[str, Any]) -> None:
    other = classifier(**{f"rank_ae__{key}": value for key, value in settings.items()}, rank_ae__epochs=12)
    assert other.fit(tiny.folder).evaluate(tiny.folder).metrics["P@5"] > 8  # by chance 4


def test_trust_is_the_propensity(tiny: Any) -> None:
    recipe = classifier(rank_ae__negative_weight="propensity").settings()
    session = open_session(tiny.folder.train, recipe, torch.device("cpu"), EventLog(None), None, False)
    train = session.prepared.train
    assert session.trust is not None and session.trust.shape == (90,)
    np.testing.assert_allclose(1 / session.trust, inverse_propensities(train.label_frequencies, len(train)), rtol=1e-5)


def test_what_it_cannot_do_is_said(tiny: Any, trained: EclareClassifier, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"document\.kind=transformer"):
        classifier(document__kind="transformer").fit(tiny.folder)
    with pytest.raises(TrainingError, match="the loss became"):
        classifier(rank_ae__label_rate=1e38).fit(tiny.folder)
    with pytest.raises(UsageError, match="method rank_ae"):
        trained.explain("a text", 3)
    trained.save(tmp_path / "model")
    state = read_state(tmp_path / "model", "encoder")
    for name in ("query", "excite.weight", "latent.bias", "table_scale"):
        with pytest.raises(ModelError, match="document encoder"):
            FrozenAttention.from_state(State({k: v for k, v in state.arrays.items() if k != name}, state.meta))
        with pytest.raises(ModelError, match="document encoder"):
            FrozenAttention.from_state(State(state.arrays | {name: state.arrays[name][:-1]}, state.meta))
    write_state(tmp_path / "model", "encoder", State({**state.arrays, "offset": np.zeros(2, np.float32)}, state.meta))
    with pytest.raises(ModelError):
        load_pipeline(tmp_path / "model")
