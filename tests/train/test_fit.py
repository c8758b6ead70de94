import dataclasses
import json
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from eclare_py.codebook import group
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError, UsageError
from eclare_py.graph.build import build_label_graph
from eclare_py.quantize import coarse_matrix
from eclare_py.train import checkpoint, fit
from eclare_py.train.fit import choose_device, train
from eclare_py.train.indexing import build_neighbours, build_scorer, encode_train, label_profile, label_terms
from eclare_py.train.prepare import fingerprint, prepare
from eclare_py.types import as_csr


def arrays_of(pipeline):
    """Every number of a trained model."""
    ranker = pipeline.ranker
    found = {f"network/{name}": value for name, value in pipeline.network.items()}
    found |= {f"encoder/{name}": value for name, value in pipeline.encoder.state().arrays.items()}
    found |= {f"tree/{name}": value for name, value in ranker.scorer.tree.state().arrays.items()}
    found |= {f"first/{name}": value for name, value in ranker.first.state().arrays.items()}
    found |= {f"final/{name}": value for name, value in ranker.final.state().arrays.items()}
    found |= {"centroids": ranker.profile.centroids, "terms": ranker.profile.terms.toarray()}
    found |= {"vectors": ranker.scorer.vectors, "bias": ranker.scorer.bias, "support": ranker.support.toarray()}
    return found | {"graph": pipeline.graph.normalized.toarray(), "documents": pipeline.documents.vectors.dense()}


def assert_same(left, right):
    left, right = arrays_of(left), arrays_of(right)
    assert left.keys() == right.keys()
    different = [name for name in left if not np.array_equal(left[name], right[name])]
    assert not different


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """One undisturbed training, its log and the bytes of its checkpoint's parameters."""
    folder = tmp_path_factory.mktemp("straight")
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("tiny", Path(__file__).with_name("conftest.py"))
    tiny = module_from_spec(spec)
    spec.loader.exec_module(tiny)
    return train(tiny.make_dataset(), tiny.make_recipe(), folder=folder, device="cpu"), folder


def test_a_trained_pipeline_answers(straight, dataset):
    pipeline, folder = straight
    ranking = pipeline.rank(dataset.texts, 4)
    assert ranking.indices.shape == (70, 4) and np.all(ranking.indices >= 0)
    relevant = dataset.labels.toarray() > 0
    recall = np.take_along_axis(relevant, ranking.indices, axis=1).sum() / relevant.sum()
    assert recall > 0.6  # four of twelve labels at random: 0.33
    assert pipeline.rank([], 3).indices.shape == (0, 3) and pipeline.rank(["", "zzz"], 3).indices.shape == (2, 3)
    hidden = np.array([[0, int(ranking.indices[0, 0])]])
    assert ranking.indices[0, 0] not in pipeline.rank(dataset.texts[:1], 12, hidden=hidden).indices
    assert pipeline.facts["documents"] == 70 and pipeline.facts["held_out"] == 20
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    stages = [line["name"] for line in events if line["event"] == "stage"]
    assert stages == ["prepare", "surrogate", "ranker", "index", "linear", "fusion", "completion"]
    assert events[-1]["event"] == "done"
    assert [line["epoch"] for line in events if line.get("mining")] == [1, 2]


def test_the_same_seed_gives_the_same_model_bitwise(straight, dataset, recipe_of):
    assert_same(straight[0], train(dataset, recipe_of(), device="cpu"))


def test_free_vectors_and_biases_have_learned(straight):
    network = straight[0].network
    assert np.abs(network["label_encoder.free.weight"]).max() > 0 and np.abs(network["label_encoder.bias"]).max() > 0


@pytest.mark.parametrize(
    ("event", "stage", "epoch", "step"),
    [
        ("step", "surrogate", 2, 2),
        ("epoch", "surrogate", 2, None),
        ("step", "ranker", 1, 3),
        ("epoch", "ranker", 1, None),
        ("step", "ranker", 2, 1),
    ],
)
def test_resume_after_ctrl_c_equals_the_straight_run(straight, dataset, recipe_of, tmp_path, event, stage, epoch, step):
    def listener(name, values):
        if name == event and (values["stage"], values["epoch"], values.get("step")) == (stage, epoch, step):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(dataset, recipe_of(), folder=tmp_path, device="cpu", listener=listener)
    torch.manual_seed(999)
    resumed = train(dataset, recipe_of(), folder=tmp_path, device="cpu", resume=True)
    assert_same(straight[0], resumed)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in events].count("stopped") == 1
    assert any(line.get("resumed") for line in events)


def test_resume_refuses_other_settings_and_other_data(straight, dataset, recipe_of):
    folder = straight[1]
    with pytest.raises(TrainingError, match="training.batch_size=16"):
        train(dataset, recipe_of(batch_size=8), folder=folder, device="cpu", resume=True)
    other = dataclasses.replace(dataset, texts=["something else", *dataset.texts[1:]])
    with pytest.raises(TrainingError, match="other train documents"):
        train(other, recipe_of(), folder=folder, device="cpu", resume=True)
    assert checkpoint.load(folder / "checkpoint").cursor.stage == "ranker"


@pytest.mark.parametrize("figures", [(0.9, 0.1), (0.1, 0.9)])
def test_the_best_epoch_is_restored(dataset, recipe_of, monkeypatch, figures):
    given, seen, judge = list(figures), [], fit._judge
    monkeypatch.setattr(fit, "recall", lambda *args: SimpleNamespace(share=given.pop(0)))

    def watched(session, *args):
        seen.append(session.network.bag.weight.detach().numpy().copy())
        judge(session, *args)

    monkeypatch.setattr(fit, "_judge", watched)
    pipeline = train(dataset, recipe_of(ranker_epochs=0), device="cpu")
    best = int(np.argmax(figures))
    table = pipeline.encoder.table.dense()
    np.testing.assert_array_equal(table, group(seen[best]).dense())
    assert not np.array_equal(table, group(seen[1 - best]).dense())


def test_what_is_held_out_has_no_part_in_the_surrogate(dataset, recipe_of):
    """Labels of held-out documents may be anything, and their words enter no vocabulary."""
    recipe = recipe_of(surrogate_epochs=1, ranker_epochs=0)
    named = dataclasses.replace(dataset, ids=[str(row) for row in range(len(dataset))])
    rows = np.array([int(name) for name in prepare(named, recipe, folder=None).held_out.ids])
    dense = dataset.labels.toarray()
    dense[rows] = dense[np.roll(rows, 1)]
    texts = [text + " secretword" if row in rows else text for row, text in enumerate(dataset.texts)]
    other = Dataset(texts, as_csr(dense), dataset.label_texts, filter_pairs=dataset.filter_pairs)
    left, right = train(dataset, recipe, device="cpu"), train(other, recipe, device="cpu")
    assert "secretword" not in right.features.feature_names()
    assert all(np.array_equal(value, right.network[name]) for name, value in left.network.items())
    assert np.array_equal(left.encoder.table.dense(), right.encoder.table.dense())
    assert np.array_equal(left.ranker.scorer.vectors, right.ranker.scorer.vectors)
    assert np.array_equal(left.ranker.scorer.tree.label_order, right.ranker.scorer.tree.label_order)
    assert fingerprint(dataset) != fingerprint(other)


def test_building_the_index_leaves_the_graph_alone(dataset, recipe_of):
    recipe = recipe_of()
    prepared = prepare(dataset, recipe, folder=None)
    before = prepared.graph.normalized.toarray()
    assert np.all(before.diagonal() > 0)
    session = fit._open(prepared, recipe, torch.device("cpu"), fit.EventLog(None), None, False)
    scorer = build_scorer(session.network, encode_train(session.network, prepared), prepared, recipe)
    np.testing.assert_array_equal(prepared.graph.normalized.toarray(), before)
    assert scorer.vectors.shape == (12, 8) and scorer.beam >= 1


@pytest.mark.parametrize("n_labels", [2, 3])
def test_tiny_label_sets_without_filter_pairs(dataset_of, recipe_of, n_labels):
    data = dataset_of(45, n_labels, with_pairs=False)
    pipeline = train(data, recipe_of(surrogate_epochs=1, ranker_epochs=1), device="cpu")
    ranking = pipeline.rank(data.texts[:3], 5)
    assert np.all((ranking.indices >= 0).sum(axis=1) == n_labels)


def test_too_few_documents_are_refused(dataset, recipe_of):
    with pytest.raises(TrainingError, match="39 train documents are too few.*give 40"):
        train(dataset.subset(np.arange(39)), recipe_of(), device="cpu")


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="tpu"):
        choose_device("tpu")


def test_switches_of_the_evidence(dataset, recipe_of):
    recipe = recipe_of()
    prepared = prepare(dataset, recipe, folder=None)
    documents = np.random.default_rng(0).normal(size=(len(prepared.train), 8)).astype(np.float32)
    for words, near in ((True, False), (False, True)):
        config = dataclasses.replace(recipe.rank, words=words, documents=near)
        profile = label_profile(documents, prepared.train.labels, label_terms(prepared.label_rows, config), config)
        assert bool(profile.terms.nnz) == words and profile.centroids.any() == near


def test_in_the_end_the_held_out_documents_count(dataset, recipe_of):
    pipeline = train(dataset, recipe_of(surrogate_epochs=1, ranker_epochs=0), device="cpu")
    assert pipeline.facts["held_out"] > 0
    np.testing.assert_array_equal(pipeline.ranker.profile.frequencies, dataset.label_frequencies)
    assert pipeline.ranker.n_documents == len(dataset)
    together = coarse_matrix(build_label_graph(dataset.labels, pipeline.ranker.config.support).adjacency)
    assert (pipeline.ranker.support != together).nnz == 0 and together.nnz
    seen = dataset.label_frequencies > 0
    np.testing.assert_array_equal(pipeline.ranker.profile.centroids.any(axis=1), seen)


def test_filtered_pairs_do_not_vote(dataset, recipe_of):
    """A document that its filter pair names a label of does not vote for it; for its other labels it does."""
    recipe = recipe_of()
    row, label = next((row, label) for row, label in dataset.filter_pairs.tolist() if dataset.labels[row, label] > 0)
    vectors = np.eye(70, dtype=np.float32)  # every document is found by its own vector alone
    rank = dataclasses.replace(recipe.rank, neighbours=1, neighbour_probe=100)
    recipe = dataclasses.replace(recipe, rank=rank)
    votes = build_neighbours(vectors, dataset, recipe).vote(vectors, rank)
    filtered = {tuple(pair) for pair in dataset.filter_pairs.tolist()}
    for document in range(70):
        wanted = {other for other in np.flatnonzero(dataset.labels[[document]].toarray()[0]).tolist()}
        wanted -= {other for other in wanted if (document, other) in filtered}
        assert set(votes.labels[document].tolist()) - {-1} == wanted
    assert label not in votes.labels[row]
