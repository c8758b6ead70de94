"""The pipeline over gated clusters: ranks, hides pairs, saves and loads, says what it cannot do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eclare_py import EclareClassifier
from eclare_py.errors import ModelError, UsageError
from eclare_py.index import LabelTree
from eclare_py.persist import load_pipeline, save_pipeline
from eclare_py.persist.cluster import cluster_pipeline, cluster_states
from eclare_py.quantize import rounded
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.storage import State, write_state
from eclare_py.types import Ranking


def pipeline_of(tiny, gate="softmax") -> ClusterPipeline:
    """The tiny model's encoder under made-up clusters."""
    whole, rng = tiny.classifier.pipeline, np.random.default_rng(0)
    dim, n_labels = whole.encoder.dim, whole.n_labels
    labels = np.concatenate([rng.choice(n_labels, 25, replace=False) for _ in range(8)])
    index = LabelTree(
        level_ptr=np.array([0, 8]), child_ptr=np.array([8]), leaf_ptr=np.arange(9) * 25, label_order=labels,
        routers=rng.normal(size=(8, dim)).astype(np.float32), bias=np.zeros(8, dtype=np.float32), score=gate,
        edges=rng.random(200).astype(np.float32), label_count=n_labels, sharpness=3.0,
    )  # fmt: skip
    vectors = rounded(rng.normal(size=(n_labels, dim)).astype(np.float32) * 4)
    return ClusterPipeline(
        whole.recipe | {"method": "elias"}, whole.features, whole.encoder, index, vectors,
        rng.normal(size=n_labels).astype(np.float32), 3, 40, whole.frequencies, whole.n_documents, whole.labels,
    )  # fmt: skip


@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_saved_and_loaded_it_answers_the_same(tiny, tmp_path: Path, gate) -> None:
    pipeline, texts = pipeline_of(tiny, gate), tiny.folder.test.texts
    save_pipeline(pipeline, tmp_path / "model")
    back = load_pipeline(tmp_path / "model")
    assert isinstance(back, ClusterPipeline) and back.describe() == pipeline.describe()
    ranking, again = pipeline.rank(texts, 7), back.rank(texts, 7)
    np.testing.assert_array_equal(again.indices, ranking.indices)
    np.testing.assert_array_equal(again.scores, ranking.scores)
    assert (ranking.scores >= 0).all() and (ranking.scores <= 1).all()
    alone = Ranking.stack([back.rank([text], 7) for text in texts[:5]], 7)
    np.testing.assert_allclose(alone.scores, ranking.scores[:5], atol=1e-6)


def test_filter_pairs_make_room(tiny) -> None:
    pipeline, texts = pipeline_of(tiny), tiny.folder.test.texts[:5]
    plain = pipeline.rank(texts, 6)
    pairs = np.array([[0, plain.indices[0, 0]], [3, plain.indices[3, 1]], [3, plain.indices[3, 2]]])
    hidden = pipeline.rank(texts, 6, hidden=pairs)
    assert hidden.indices[0, :5].tolist() == plain.indices[0, 1:].tolist()
    assert hidden.indices[3, :4].tolist() == np.delete(plain.indices[3], [1, 2]).tolist()
    np.testing.assert_array_equal(hidden.indices[1], plain.indices[1])


def test_what_it_cannot_do_is_said(tiny, tmp_path: Path) -> None:
    save_pipeline(pipeline_of(tiny), tmp_path / "model")
    classifier = EclareClassifier.load(tmp_path / "model")
    with pytest.raises(UsageError, match="method elias"):
        classifier.explain("a text", 3)
    with pytest.raises(UsageError, match="method elias"):
        EclareClassifier.load(tmp_path / "model", tail_boost=1.0)
    with pytest.raises(ModelError, match="method elias"):
        classifier.thresholds(0.9)
    assert classifier.evaluate(tiny.folder).metrics["P@1"] >= 0


def read_back(folder: Path, pipeline: ClusterPipeline, states: dict[str, State]) -> ClusterPipeline:
    for part, state in states.items():
        write_state(folder, part, state)
    return cluster_pipeline(folder, pipeline.recipe, pipeline.features, pipeline.labels, pipeline.facts)


@pytest.mark.parametrize("name", ["beam", "shortlist", "n_documents", "bias", "frequencies", "vectors"])
def test_damaged_parts_are_refused(tiny, tmp_path: Path, name) -> None:
    pipeline = pipeline_of(tiny)
    states = cluster_states(pipeline)
    assert read_back(tmp_path, pipeline, states).describe() == pipeline.describe()
    good = states["classifiers"]
    arrays = {key: value[:-1] if key == name else value for key, value in good.arrays.items()}
    meta = {key: 0 if key == name else value for key, value in good.meta.items()}
    with pytest.raises(ModelError, match=f"classifiers.*{name}"):
        read_back(tmp_path, pipeline, states | {"classifiers": State(arrays, meta)})


def test_an_index_over_other_labels_is_refused(tiny, tmp_path: Path) -> None:
    pipeline = pipeline_of(tiny)
    states = cluster_states(pipeline)
    states["clusters"] = State(states["clusters"].arrays, states["clusters"].meta | {"labels": 91})
    with pytest.raises(ModelError, match="91 labels"):
        read_back(tmp_path, pipeline, states)
