"""A transformer that learns with the network: a small one, on a tiny data set."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from eclare_py.cli.inspect import _model
from eclare_py.config import apply_overrides, load_config, to_mapping
from eclare_py.errors import ModelError
from eclare_py.estimator import EclareClassifier
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.model.inputs import Inputs
from eclare_py.rank.explain import explain
from eclare_py.storage import part_sizes
from eclare_py.train import fit
from eclare_py.train.events import EventLog
from eclare_py.train.fit import train
from eclare_py.train.optimizer import Rates, make_optimizer, rise_and_fall, set_rates
from eclare_py.train.recipe import Recipe
from tests.small_transformer import save_small_transformer


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    return save_small_transformer(tmp_path_factory.mktemp("small") / "model")


@pytest.fixture
def tuned_of(recipe_of, small_model):
    def make(*words, model=small_model, epochs=1):
        settings = [
            "document.kind=both", f"transformer.model={model}", "transformer.max_length=8", "transformer.tuning=full",
            f"training.surrogate_epochs={epochs}", "training.ranker_epochs=0", "training.batch_size=30", *words,
        ]  # fmt: skip
        return load_config(Recipe, apply_overrides(to_mapping(recipe_of()), settings))

    return make


def session_of(dataset, recipe, **more):
    return fit.train_network(dataset, recipe, log=EventLog(None), device="cpu", **more)


def test_the_model_is_whole_without_the_original_folder(dataset, tuned_of, small_model, tmp_path):
    moved = shutil.copytree(small_model, tmp_path / "original")
    classifier = EclareClassifier(tuned_of(model=moved), device="cpu").fit(dataset)
    texts = dataset.texts[:9]
    expected = classifier.predict(texts, 5)
    classifier.save(tmp_path / "model")
    shutil.rmtree(moved)
    again = EclareClassifier.load(tmp_path / "model")
    assert "network" not in vars(again.pipeline.tuned)  # nothing heavy before the first answer
    again.save(tmp_path / "copy")
    assert part_sizes(tmp_path / "copy")["transformer"] > 1e6
    shown = list(_model(tmp_path / "copy", False).values())
    assert shown[0]["transformer"] == f"{moved}, tuned (full), part of the model" and "transformer" in shown[-1]
    for loaded in (again, EclareClassifier.load(tmp_path / "copy")):
        np.testing.assert_array_equal(loaded.predict(texts, 5).indices, expected.indices)
        np.testing.assert_allclose(loaded.predict(texts, 5).scores, expected.scores, atol=1e-5)
    why = explain(again.pipeline, texts[0], int(expected.indices[0, 0]))
    assert why.split.total == pytest.approx(why.dense, abs=1e-4)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("words", [("transformer.label_texts=5", "transformer.chunk=8"), ("transformer.tuning=lora",)])
def test_resuming_gives_the_same_network(dataset, tuned_of, tmp_path, words):
    recipe = tuned_of(*words, "training.checkpoint_seconds=0", "transformer.refresh_epochs=2", epochs=2)
    straight = session_of(dataset, recipe).network.state_dict()
    steps = []

    def stop(event, values):
        if event == "step":
            steps.append(values)
            if len(steps) == 3:  # in the middle of the second epoch, after the checkpoint of the step before
                raise Stopped

    with pytest.raises(Stopped):
        fit.train_network(dataset, recipe, log=EventLog(None, stop), folder=tmp_path, device="cpu")
    resumed = session_of(dataset, recipe, folder=tmp_path, resume=True).network.state_dict()
    assert straight.keys() == resumed.keys() and any("label_cache" in name for name in resumed)
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, msg=name)


def test_documents_and_label_texts_give_the_transformer_its_gradients(dataset, tuned_of):
    session = session_of(dataset, tuned_of("transformer.rate=0.0"))
    network, texts = session.network.eval(), session.prepared.label_inputs
    labels = np.array([0, 3, 7])
    word = network.transformer.backbone.embeddings.word_embeddings.weight

    def touched(tokens):
        return set(np.flatnonzero(word.grad.abs().sum(1)).tolist()) == set(np.unique(tokens.ids).tolist())

    word.grad = None
    network.label_vectors(labels).sum().backward()
    assert touched(texts[labels].tokens)  # neighbours in the graph count as they were last encoded
    word.grad = None
    network.documents(session.prepared.inputs[:4]).sum().backward()
    assert touched(session.prepared.inputs[:4].tokens)
    with torch.no_grad():
        cached = network.label_vectors(labels)
    torch.testing.assert_close(network.label_vectors(labels), cached, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["simple", "gcn"])
def test_label_vectors_change_with_the_transformer_only_when_refreshed(dataset, tuned_of, kind):
    network = session_of(dataset, tuned_of(f"label.propagation.kind={kind}")).network
    before = network.encode_labels()
    with torch.no_grad():
        network.transformer.backbone.embeddings.word_embeddings.weight.normal_()
    np.testing.assert_array_equal(network.encode_labels(), before)
    network.refresh_labels()
    assert np.abs(network.encode_labels() - before).max() > 1e-2
    state = network.state_dict()
    state["label_cache"] = torch.zeros_like(state["label_cache"])
    after = network.encode_labels()
    network.load_state_dict(state)
    assert np.abs(network.encode_labels() - after).max() > 1e-2


def test_some_label_texts_are_live_and_the_others_as_last_encoded(dataset, tuned_of):
    session = session_of(dataset, tuned_of("transformer.label_texts=4"))
    network = session.network.eval()
    network.zero_grad()
    network.label_vectors(np.arange(len(network.side.texts))).sum().backward()
    word = network.transformer.backbone.embeddings.word_embeddings.weight
    tokens = session.prepared.label_inputs.tokens
    moved = np.flatnonzero(word.grad.abs().sum(1).numpy())
    whole = [set(tokens[i : i + 1].ids.tolist()) <= set(moved.tolist()) for i in range(len(tokens))]
    assert 4 <= sum(whole) < len(tokens)


def test_it_learns_at_its_own_rate_and_only_then(dataset, tuned_of):
    start = session_of(dataset, tuned_of("transformer.rate=0.0", "transformer.weight_decay=0.0")).network.state_dict()
    moved = session_of(dataset, tuned_of("transformer.rate=0.001")).network.state_dict()
    name = "documents.transformer.network.0.model.encoder.layer.0.output.dense.weight"
    assert not torch.equal(start[name], moved[name])
    network = session_of(dataset, tuned_of("transformer.rate=0.0")).network
    optimizer = make_optimizer(network, 0.5, TransformerConfig(warmup=0.25, weight_decay=0.1))
    own = {id(p) for group in optimizer.param_groups for p in group["params"]}
    tables = {id(bag.weight) for bag in network.bags()}
    assert own | tables == {id(p) for p in network.parameters()} and not own & tables
    set_rates(optimizer, Rates(1.0, 1.0, 0.5, 2.0), 0.5)
    rates = [(round(group["lr"], 4), group["weight_decay"]) for group in optimizer.param_groups]
    assert rates == [(round(0.5 * 0.5**0.5, 4), 0.0), (round(2 / 1.5, 4), 0.1), (round(2 / 1.5, 4), 0.0)]
    assert [rise_and_fall(x, 0.25) for x in (0.0, 0.125, 0.25, 1.0)] == [0.0, 0.5, 1.0, 0.0]
    assert rise_and_fall(0.0, 0.0) == 1.0


@pytest.mark.parametrize("kind", ["both", "transformer"])
def test_a_frozen_one_is_known_again_by_its_path_and_its_files(dataset, tuned_of, kind, small_model, tmp_path):
    model = shutil.copytree(small_model, tmp_path / "small")
    words = ("transformer.tuning=frozen", f"document.kind={kind}", "transformer.label_prompt='a package: '")
    recipe = tuned_of(*words, model=model)
    pipeline = train(dataset, recipe, device="cpu")
    assert pipeline.tuned is None
    query = pipeline.encode(dataset.texts[:3])
    assert query.vectors.shape == (3, recipe.document.dim)
    why = explain(pipeline, dataset.texts[0], 2)
    assert why.split.total == pytest.approx(why.dense, abs=1e-4)
    with (model / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ModelError, match="is not the transformer that this model was trained with"):
        replace(pipeline).encode(dataset.texts[:3])


def test_inputs_are_cut_alike():
    from eclare_py.features.tokens import Tokens
    from eclare_py.types import as_csr

    inputs = Inputs(as_csr(np.eye(3)), np.arange(6, dtype=np.float32).reshape(3, 2), Tokens.of([[1], [2, 3], [4]]))
    part = inputs[np.array([2, 1])]
    assert (len(inputs), len(part), len(inputs[:0])) == (3, 2, 0)
    np.testing.assert_array_equal(part.rows.toarray(), [[0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(part.embeddings, [[4, 5], [2, 3]])
    np.testing.assert_array_equal(part.tokens.ids, [4, 2, 3])
    assert Inputs(inputs.rows)[1:].embeddings is None
