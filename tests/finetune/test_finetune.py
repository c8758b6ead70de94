"""A tiny model goes on: labels come and go, what is counted is counted in all documents, resuming is exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eclare_py.config import load_config
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError, UsageError
from eclare_py.estimator import EclareClassifier
from eclare_py.features.growth import grown
from eclare_py.finetune import FinetuneConfig, finetune
from eclare_py.finetune.renew import grown_tree
from eclare_py.finetune.warm import fill_network
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.index import LabelTree, beam_search
from eclare_py.labels.match import renumbered
from eclare_py.model.inputs import Inputs
from eclare_py.model.network import EclareNetwork, LabelSide
from eclare_py.persist import load_pipeline, save_pipeline
from eclare_py.rank.explain import explain
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.train.fit import train
from eclare_py.train.recipe import PlentyConfig, Recipe, load_recipe
from eclare_py.types import as_csr
from tests.tiny import arrays_of

LATE = [11, 53, 60]  # labels that the first model never saw


def without(data: Dataset, labels: list[int]) -> Dataset:
    """The data set as if it had never had some labels."""
    kept = np.setdiff1d(np.arange(data.n_labels), labels)
    found = np.full(data.n_labels, -1, dtype=np.int64)
    found[kept] = np.arange(len(kept))
    ids = None if data.label_ids is None else [data.label_ids[row] for row in kept]
    return renumbered(data, found, LabelTable([data.label_texts[row] for row in kept], ids))


@pytest.fixture(scope="module")
def parts(tiny: Any) -> tuple[Dataset, Dataset]:
    """Old documents without the late labels, new ones with all."""
    train = tiny.folder.train
    rows = np.arange(train.n_documents)
    return without(train.subset(rows[rows % 3 > 0]), LATE), train.subset(rows[rows % 3 == 0])


@pytest.fixture(scope="module")
def first(tiny: Any, parts: tuple[Dataset, Dataset]) -> Pipeline:
    model = EclareClassifier.from_recipe(tiny.recipe, device="cpu").fit(parts[0]).pipeline
    assert isinstance(model, Pipeline)
    return model


@pytest.fixture(scope="module")
def tuned(first: Pipeline, parts: tuple[Dataset, Dataset]) -> Pipeline:
    return finetune(first, parts[1], old=parts[0], device="cpu")


def test_labels_documents_and_features_grow(first: Pipeline, tuned: Pipeline, parts: tuple[Dataset, Dataset]) -> None:
    old, new = parts
    assert tuned.n_labels == first.n_labels + len(LATE)
    assert tuned.labels.texts[-3:] == [new.label_texts[row] for row in LATE]
    assert tuned.n_documents == old.n_documents + new.n_documents
    assert set(first.features.feature_names()) < set(tuned.features.feature_names())
    by_text = dict(zip(tuned.labels.texts, tuned.frequencies.tolist(), strict=True))
    seen = dict(zip(new.label_texts, new.label_frequencies.tolist(), strict=True))
    for text, count in zip(old.label_texts, old.label_frequencies.tolist(), strict=True):
        seen[text] += count
    assert by_text == seen
    step = tuned.facts["finetuned"][0]
    assert (step["documents"], step["labels_added"], step["labels_dropped"]) == (new.n_documents, 3, 0)
    assert step["replayed"] == old.n_documents  # fewer than four for every new one


def test_new_labels_are_found(tuned: Pipeline, parts: tuple[Dataset, Dataset]) -> None:
    new = parts[1]
    for late, row in enumerate(LATE):
        texts = [new.texts[one] for one in np.flatnonzero(new.labels[:, [row]].toarray())][:5]
        found = tuned.rank(texts, 10).indices
        assert (found == tuned.n_labels - 3 + late).any(), new.label_texts[row]


def test_fusion_and_tree_stay_where_old_documents_are_replayed(first: Pipeline, tuned: Pipeline) -> None:
    before, after = first.ranker, tuned.ranker
    assert after.first is before.first and after.final is before.final and after.calibration is before.calibration
    nodes = after.scorer.tree.node_of_label()
    np.testing.assert_array_equal(nodes[: first.n_labels], before.scorer.tree.node_of_label())
    assert np.abs(after.scorer.vectors[: first.n_labels] - before.scorer.vectors).max() > 0.01


def test_without_old_documents_their_labels_go(first: Pipeline, tiny: Any) -> None:
    gone = [row for row in range(90) if row % 2]
    domain = without(tiny.folder.train, gone)
    other = finetune(first, domain, device="cpu")
    assert sorted(other.labels.texts) == sorted(domain.label_texts)
    assert other.facts["finetuned"][0]["labels_dropped"] == first.n_labels - (45 - 1)  # 60 is among the 45, and new
    assert other.n_documents == domain.n_documents and other.ranker.first is not first.ranker.first
    assert "held_out_metrics" in other.facts


def test_settings_decide_what_is_built_anew(first: Pipeline, parts: tuple[Dataset, Dataset]) -> None:
    config = FinetuneConfig(tree="build", fusion="fit", replay=0.5, epochs=2)
    other = finetune(first, parts[1], old=parts[0], config=config, device="cpu")
    assert other.ranker.first is not first.ranker.first
    assert other.ranker.scorer.tree.n_labels == other.n_labels
    held_out = other.facts["held_out"]
    assert other.facts["finetuned"][0]["replayed"] == round(0.5 * (parts[1].n_documents - held_out))


@pytest.mark.parametrize("plenty", [True, False])
def test_a_model_keeps_what_plenty_documents_gave_it(plenty: bool, tiny: Any, parts: tuple[Dataset, Dataset]) -> None:
    """Of a model that has it too few documents learn on; to one that has not new ones bring their number there."""
    first = parts[0]
    recipe = load_recipe(tiny.recipe, ["label.free_least=3", "label.free_stage=surrogate", "rank.linear=false"])
    more = {"label": {"free": True}, "rank": {"neighbours": 5}, "document": {"dim": 40}}
    recipe = replace(
        recipe, label=replace(recipe.label, free=False), plenty=PlentyConfig(first.n_documents + (not plenty), 0, more)
    )
    model = train(first, recipe, device="cpu")
    assert isinstance(model, Pipeline)
    tuned = finetune(model, parts[1], old=None if plenty else first, config=FinetuneConfig(fusion="fit"), device="cpu")
    for some in (model, tuned):
        assert (some.ranker.neighbours is not None) == ("label_encoder.free.weight" in some.network) == plenty
        assert (some.encoder.dim == 40) == some.recipe["label"]["free"] == plenty
        found = explain(some, parts[1].texts[0], 1)
        assert found.split.total == pytest.approx(found.dense, abs=1e-5)
    if plenty:
        learned = model.network["label_encoder.free.weight"].any(axis=1)
        assert not learned[first.label_frequencies < 3].any()
        assert learned[first.label_frequencies >= 10].all()  # some documents are held out
        kept = tuned.network["label_encoder.free.weight"].any(axis=1)
        place = {text: row for row, text in enumerate(tuned.labels.texts)}
        assert all(kept[place[text]] for row, text in enumerate(model.labels.texts) if learned[row] and text in place)


def test_the_network_starts_where_the_model_is(first: Pipeline, parts: tuple[Dataset, Dataset]) -> None:
    """Label vectors of the filled network are those of the model, whatever columns and labels were added."""
    new = ["brand new words here", "brand new words there"]
    features = grown(first.features, new, n_known=first.n_documents)
    assert features.n_features > first.features.n_features
    rows = np.array([7, 0, 60, 31, 2, 44, 80, -1])  # unsorted: every label is looked up
    texts = [first.labels.texts[row] if row >= 0 else "brand new words" for row in rows]
    graph = LabelGraph.from_adjacency(as_csr((8, 8)), kind=first.graph.kind, normalization="none")
    recipe = load_config(Recipe, first.recipe, "recipe")
    network = EclareNetwork(
        LabelSide(Inputs(features.transform(texts)), graph, np.append(first.frequencies[rows[:7]], 0)),
        replace(recipe.document, coded=False), recipe.label, seed=5,
    )  # fmt: skip
    fill_network(network, first, features, rows)
    inputs = Inputs(features.transform(parts[0].texts[:9]))
    expected = first.encode(parts[0].texts[:9]).vectors
    np.testing.assert_allclose(network.encode_documents(inputs), expected, atol=1e-5)
    free = torch.from_numpy(first.network["label_encoder.free.weight"][rows[:7]])
    assert network.label_encoder.free is not None
    torch.testing.assert_close(network.label_encoder.free.weight[:7], free)
    assert not network.label_encoder.free.weight[7].any()


def test_new_labels_go_where_a_search_for_them_leads(first: Pipeline) -> None:
    """Label 3 goes, two come with the vectors of 70 and 12; all others stay in their leaves."""
    scorer = first.ranker.scorer
    rows = np.delete(np.arange(first.n_labels), 3)
    vectors = np.concatenate([scorer.vectors[rows], scorer.vectors[[70, 12]]])
    tree = grown_tree(scorer.tree, vectors, np.append(rows, [-1, -1]), beam=scorer.beam)
    leaves, before = tree.node_of_label(), scorer.tree.node_of_label()
    assert tree.n_leaves == scorer.tree.n_leaves
    np.testing.assert_array_equal(leaves[:-2], before[rows])
    best = beam_search(scorer.tree, scorer.vectors[[70, 12]], beam=scorer.beam, quantized=True)[0][:, 0]
    np.testing.assert_array_equal(_leaf_of(tree, [tree.n_labels - 2, tree.n_labels - 1]), best)


def _leaf_of(tree: LabelTree, labels: list[int]) -> Any:
    places = [int(np.flatnonzero(tree.label_order == label)[0]) for label in labels]
    return np.searchsorted(tree.leaf_ptr, places, side="right") - 1


def test_an_interrupted_tuning_is_resumed_to_the_same_model(
    first: Pipeline, tuned: Pipeline, parts: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    def stop(event: str, values: dict[str, Any]) -> None:
        if event == "step" and values["stage"] == "ranker" and values["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(first, parts[1], old=parts[0], device="cpu", folder=tmp_path / "work", listener=stop)
    heard: list[str] = []

    def listen(event: str, values: dict[str, Any]) -> None:
        heard.extend(["resumed"] if "resumed" in values else [])

    again = finetune(
        first, parts[1], old=parts[0], device="cpu", folder=tmp_path / "work", resume=True, listener=listen
    )
    assert heard == ["resumed"]
    save_pipeline(again, tmp_path / "again")
    save_pipeline(tuned, tmp_path / "tuned")
    assert arrays_of(tmp_path / "again") == arrays_of(tmp_path / "tuned")
    with pytest.raises(TrainingError, match="other train documents"):
        config = FinetuneConfig(replay=1.0)
        finetune(first, parts[1], old=parts[0], config=config, device="cpu", folder=tmp_path / "work", resume=True)
    loaded = load_pipeline(tmp_path / "tuned")
    ranking, expected = loaded.rank(parts[1].texts[:20], 5), tuned.rank(parts[1].texts[:20], 5)
    np.testing.assert_array_equal(ranking.indices, expected.indices)
    np.testing.assert_array_equal(ranking.scores, expected.scores)


def test_what_cannot_be_tuned_is_refused(first: Pipeline, parts: tuple[Dataset, Dataset]) -> None:
    linear = EclareClassifier.from_recipe("xr_linear").fit(parts[0])
    with pytest.raises(UsageError, match="this one is of the method linear: train it anew"):
        linear.finetune(parts[1])
    with pytest.raises(TrainingError, match="30 new documents are too few: 20 are held out"):
        finetune(first, parts[1].subset(np.arange(30)), old=parts[0])
