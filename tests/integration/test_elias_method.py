"""The method `elias` from Python and the command line: train, predict, evaluate, save, load, resume, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eclare_py import EclareClassifier
from eclare_py.errors import ModelError, TrainingError
from eclare_py.index import gated_search
from eclare_py.persist import load_pipeline
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pair_ranker import PairRanker
from eclare_py.storage import State
from eclare_py.train.calibration import fit_mixture
from eclare_py.train.elias.assemble import export_index
from eclare_py.train.elias.fit import train_stages
from eclare_py.train.elias.stage import parents_of
from eclare_py.train.events import EventLog
from eclare_py.train.optimizer import rise_and_fall
from eclare_py.types import as_csr
from tests.integration.command import eclare, error_of, train_and_ask

SMALL = {
    "document.dim": 16, "elias.max_leaf": 12, "elias.beam": 3, "elias.extra_clusters": 2, "elias.slots": 20,
    "elias.beta": 15.0, "elias.shortlist": 40, "elias.batch_size": 64, "elias.warm_epochs": 1, "elias.fixed_epochs": 3,
    "elias.learned_epochs": 3, "elias.label_rate": 0.1, "elias.ranker_depth": 20, "training.checkpoint_seconds": 0.0,
}  # fmt: skip


def classifier_of(**overrides: Any) -> EclareClassifier:
    settings = SMALL | {key.replace("__", "."): value for key, value in overrides.items()}
    return EclareClassifier("elias", overrides=settings, device="cpu")


@pytest.fixture(scope="module")
def trained(tiny: Any) -> EclareClassifier:
    return classifier_of().fit(tiny.folder.train)


def test_it_learns_and_is_seeded(tiny: Any, trained: EclareClassifier) -> None:
    assert trained.evaluate(tiny.folder).metrics["P@1"] > 40  # by chance: 3 of 90 labels
    texts = tiny.folder.test.texts
    again = classifier_of().fit(tiny.folder.train).predict(texts, 7)
    ranking = trained.predict(texts, 7)
    np.testing.assert_array_equal(again.indices, ranking.indices)
    np.testing.assert_array_equal(again.scores, ranking.scores)
    described = trained.describe()
    assert described["clusters"]["gate"] == "softmax" and described["tree"]["leaves"] == 8
    assert described["clusters"]["slots"] > 90  # labels sit in several clusters


def test_stopped_anywhere_it_goes_on_to_the_same_model(tiny: Any, trained: EclareClassifier, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    moments = [("warm", 1, 2), ("fixed", 2, 4), ("learned", 1, 1), ("learned", 3, 3)]

    def listener(event: str, values: dict[str, Any]) -> None:
        where = (values.get("stage"), values.get("epoch"), values.get("step"))
        if event == "step" and moments and where == moments[0]:
            moments.pop(0)
            raise Stop

    stops = 0
    while True:
        try:
            again = classifier_of().fit(tiny.folder.train, folder=tmp_path, resume=True, listener=listener)
            break
        except Stop:
            stops += 1
    assert stops == 4
    texts = tiny.folder.test.texts
    np.testing.assert_array_equal(again.predict(texts, 7).scores, trained.predict(texts, 7).scores)
    with pytest.raises(TrainingError, match="elias.alpha"):
        classifier_of(elias__alpha=3.0).fit(tiny.folder.train, folder=tmp_path, resume=True)


def test_the_exported_index_scores_as_the_network_does(tiny: Any) -> None:
    settings = classifier_of().settings()
    session = train_stages(tiny.folder.train, settings, EventLog(None))
    network = session.network.eval()
    assert network.graph.theta is not None
    vectors = network.vectors(session.prepared.held_out_inputs)
    ranking = network.search(vectors, beam=3, shortlist=40, k=15)
    weights = np.float32(network.scale) * network.labels.vectors.weight.detach().numpy()
    bias = network.labels.bias.detach().numpy()
    found, scored = gated_search(
        export_index(network), vectors, beam=3, label_vectors=weights, label_bias=bias, k=15, shortlist=40
    )
    np.testing.assert_allclose(found.scores, ranking.scores, rtol=1e-4, atol=1e-7)
    assert (found.indices == ranking.indices).mean() > 0.98  # nearly equal scores may change places
    assert scored.max() <= 40
    # What stage 2 learned has moved away from its start, and no weight has left 0..1.
    edges = network.graph.weights()
    start = torch.rand(*network.graph.theta.shape, generator=torch.Generator().manual_seed(settings.seed))
    assert not torch.allclose(network.graph.theta, start) and 0 <= edges.min() and edges.max() <= 1


def test_with_a_fixed_tree_every_label_has_one_slot(tiny: Any) -> None:
    pipeline = classifier_of(elias__learned=False, elias__learned_epochs=1).fit(tiny.folder.train).pipeline
    assert isinstance(pipeline, ClusterPipeline)
    assert sorted(pipeline.index.label_order.tolist()) == list(range(90)) and pipeline.index.edges is None


def test_the_second_ranking_saved_and_loaded(tiny: Any, tmp_path: Path) -> None:
    classifier = classifier_of(elias__ranker=True, elias__learned_epochs=0).fit(tiny.folder.train)
    pipeline, texts = classifier.pipeline, tiny.folder.test.texts
    assert isinstance(pipeline, ClusterPipeline) and isinstance(pipeline.pairs, PairRanker)
    classifier.save(tmp_path / "model")
    back = load_pipeline(tmp_path / "model")
    ranking = classifier.predict(texts, 9)
    np.testing.assert_array_equal(back.rank(texts, 9).scores, ranking.scores)
    assert back.describe() == pipeline.describe() and back.describe()["weights"] > 0
    query = pipeline.encode(texts)
    found = pipeline.search(query, 20)
    for row in range(len(texts)):  # it ranks again what the index found
        kept = ranking.indices[row][ranking.indices[row] >= 0]
        assert set(kept.tolist()) <= set(found.indices[row].tolist())
    states = pipeline.pairs.states()
    sizes = {"n_labels": 90, "n_features": 16 + pipeline.features.n_features}
    for part in ("pairs", "mixture"):
        for name in states[part].meta:
            damaged = states | {part: State(states[part].arrays, states[part].meta | {name: 0})}
            with pytest.raises(ModelError):
                PairRanker.from_states(damaged["pairs"], damaged["mixture"], **sizes)
    with pytest.raises(ModelError, match="91"):
        PairRanker.from_states(states["pairs"], states["mixture"], **(sizes | {"n_labels": 91}))


def test_the_mixture_is_a_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=(20000, 3)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(evidence @ np.array([2.0, 0.5, -1.0]) - 1)))
    weights, offset = fit_mixture(evidence, (rng.random(20000) < chance).astype(np.float64))
    np.testing.assert_allclose([*weights, offset], [2.0, 0.5, -1.0, -1.0], atol=0.1)
    weights, offset = fit_mixture(np.empty((0, 3), dtype=np.float32), np.empty(0))
    assert weights.tolist() == [1, 1, 0] and offset == 0


def test_schedule_and_parents() -> None:
    assert [rise_and_fall(p, 0.1) for p in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert rise_and_fall(0.5, 0.0) == 0.5 and rise_and_fall(0.5, 1.0) == 0.5
    labels = as_csr(np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]))
    assert parents_of(labels, np.array([7, -1, 5, 6])).tolist() == [[7, 5, 6], [-1, -1, -1], [-1, -1, -1]]


def test_from_the_command_line(tiny: Any, tmp_path: Path) -> None:
    words = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    words += ["--set", "elias.learned_epochs=1", "--set", "elias.fixed_epochs=1"]
    model = train_and_ask("elias", tiny.data, tmp_path, *words)
    assert "method elias" in error_of(eclare("explain", model, "--text", "some text", "--label", "3", code=2))
