from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import eclare_py
from eclare_py.data.dataset import Dataset
from eclare_py.errors import ConfigError, DataError, ModelError, TrainingError, UsageError
from eclare_py.estimator import EclareClassifier
from eclare_py.metrics.evaluate import evaluate
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.explain import explain, find_label
from eclare_py.rank.fusion import probability
from eclare_py.rank.pipeline import LabelTable
from eclare_py.recipes import find_recipe, override_words, recipes
from tests.tiny import ROOT

QUICK = {"training.surrogate_epochs": 1, "training.ranker_epochs": 1}


def check_split(classifier: EclareClassifier, text: str, label: int) -> Any:
    """The shares add up to the dense score, which is the one that the ranker works with."""
    pipeline = classifier.pipeline
    found, scorer = explain(pipeline, text, label), pipeline.ranker.scorer
    dense = float(pipeline.encode([text]).vectors[0] @ scorer.vectors[label]) + float(scorer.bias[label])
    assert found.dense == pytest.approx(dense, abs=1e-6)
    assert found.split.total == pytest.approx(dense, abs=1e-5)
    return found


def test_the_public_name_is_this_class() -> None:
    assert eclare_py.EclareClassifier is EclareClassifier
    assert eclare_py.evaluate is evaluate


def test_shares_add_up_for_every_label(tiny: Any) -> None:
    texts = [*tiny.folder.test.texts[:3], "", "words nobody knows"]
    for label in range(0, 90, 4):
        check_split(tiny.classifier, texts[label % 5], label)
    graph = tiny.classifier.pipeline.graph
    connected = next(label for label in range(90) if len(graph.neighbours(label)[0]))
    found = check_split(tiny.classifier, texts[0], connected)
    assert abs(found.split.text) > 1e-3
    assert abs(found.split.graph) > 1e-3
    assert found.split.free != 0


@pytest.mark.parametrize(
    ("overrides", "absent"),
    [
        ({"label.text": False}, "text"),
        ({"label.free": False}, "free"),
        ({"label.propagation.hops": 0}, "graph"),
        ({"label.propagation.hops": 2, "training.hop_features": 5}, None),
        ({"label.propagation.kind": "gcn", "label.attention": "fixed"}, None),
        ({"label.prototype": True, "label.free": False}, "free"),
        ({"label.shared": 6, "label.propagation.hops": 0}, "graph"),
        ({"label.bias": False, "rank.graph_candidates": 0, "rank.graph_features": False}, "prior"),
    ],
)
def test_shares_add_up_for_other_recipes(overrides: dict[str, Any], absent: str | None, tiny: Any) -> None:
    classifier = EclareClassifier(tiny.recipe, overrides={**QUICK, **overrides}, device="cpu").fit(tiny.folder.train)
    for label in (0, 17, 44, 89):
        found = check_split(classifier, tiny.folder.test.texts[label % 7], label)
        shares = dataclasses.asdict(found.split)
        assert absent is None or shares.pop(absent) == 0
        assert any(abs(share) > 1e-4 for share in shares.values())


def test_explanation_agrees_with_the_ranking(tiny: Any) -> None:
    text, classifier = tiny.folder.test.texts[4], tiny.classifier
    ranking = classifier.predict([text], 12)
    for place, label in enumerate(ranking.indices[0].tolist()):
        found = classifier.explain(text, label)
        assert (found.rank, found.label) == (place + 1, label)
        assert found.probability == pytest.approx(float(ranking.scores[0, place]), abs=1e-6)
    outside = int(np.setdiff1d(np.arange(90), classifier.predict([text], 90).indices[0])[0])
    missing = classifier.explain(text, outside)
    assert (missing.probability, missing.rank, missing.evidence) == (None, None, {})


def test_explanation_names_the_evidence(tiny: Any) -> None:
    pipeline, text = tiny.classifier.pipeline, tiny.folder.test.texts[4]
    label = int(tiny.classifier.predict([text], 1).indices[0, 0])
    found = tiny.classifier.explain(text, label, top=4)
    ids, weights = pipeline.graph.neighbours(label, 4)
    assert [(one.label, one.weight) for one in found.neighbours] == list(
        zip(ids.tolist(), weights.tolist(), strict=True)
    )
    assert found.frequency == pipeline.ranker.profile.frequencies[label]
    assert set(pipeline.ranker.final.columns) <= set(found.evidence)
    x = pipeline.encode([text])
    shortlist = pipeline.ranker.shortlist(x, None)
    chances = probability(pipeline.ranker.first.logits(pipeline.ranker.first_pass(x, shortlist)))
    seeds = np.lexsort((shortlist.labels, -chances))[: pipeline.ranker.config.seeds]
    edges = pipeline.ranker.support.toarray()[:, label]
    given = [float(edges[shortlist.labels[i]] * chances[i]) for i in seeds]
    assert found.evidence["graph_support"] == pytest.approx(sum(given), abs=1e-5)
    assert [one.weight for one in found.supporters] == pytest.approx(
        [
            float(edges[shortlist.labels[seeds[i]]])
            for i in np.argsort(-np.array(given), kind="stable")[:4]
            if given[i] > 0
        ]
    )
    own = {f"train document {row + 1}" for row in tiny.folder.train.labels[:, [label]].nonzero()[0]}
    assert found.documents and {name for name, _ in found.documents} <= own
    assert [cosine for _, cosine in found.documents] == sorted((c for _, c in found.documents), reverse=True)


def test_terms_are_what_the_score_loses(tiny: Any) -> None:
    pipeline, text = tiny.classifier.pipeline, tiny.folder.test.texts[4]
    found = tiny.classifier.explain(text, 8, top=100)
    row = pipeline.features.transform_one(text)
    names = pipeline.features.feature_names()
    assert sorted(term for term, _ in found.terms) == sorted(names[column] for column in row.indices)
    for term, loss in found.terms[:3]:
        less = row.copy()
        less.data[less.indices == names.index(term)] = 0
        score = pipeline.encoder.encode(less)[0] @ pipeline.ranker.scorer.vectors[8] + pipeline.ranker.scorer.bias[8]
        assert loss == pytest.approx(found.dense - score, abs=1e-5)
    assert [loss for _, loss in found.terms] == sorted((loss for _, loss in found.terms), reverse=True)


def test_words_are_shown_and_pieces_where_no_word_is_known(tiny: Any) -> None:
    overrides = {**QUICK, "features.characters": True}
    classifier = EclareClassifier(tiny.recipe, overrides=overrides, device="cpu").fit(tiny.folder.train)
    features, text = classifier.pipeline.features, tiny.folder.test.texts[4]
    row, names = features.transform_one(text), features.feature_names()
    words = row.indices[row.indices < features.n_words]
    assert 0 < len(words) < len(row.indices)  # n-grams of characters too, which nobody can read
    found = classifier.explain(text, 8, top=500)
    assert sorted(term for term, _ in found.terms) == sorted(names[column] for column in words)
    term, loss = found.terms[0]
    row.data[row.indices == names.index(term)] = 0
    pipeline = classifier.pipeline
    score = pipeline.encoder.encode(row)[0] @ pipeline.ranker.scorer.vectors[8] + pipeline.ranker.scorer.bias[8]
    assert loss == pytest.approx(found.dense - score, abs=1e-5)
    known = next(one for one in features.vocabularies["character"].terms if " " not in one)
    terms = [term for term, _ in classifier.explain(f"zz{known}zz", 8, top=500).terms]
    assert f"…{known}…" in terms and not any(" " in term for term in terms)


@pytest.mark.parametrize("saturated", [False, True])
def test_the_rank_is_that_of_predict(tiny: Any, saturated: bool) -> None:
    """Next to 1 many labels share a probability but for its last bit, which other code would round otherwise."""
    pipeline = tiny.classifier.pipeline
    if saturated:
        boost = pipeline.ranker.config.tail_boost
        curve = Calibration(*(np.array([value], dtype=np.float32) for value in (boost, 1, 14)))
        final = pipeline.ranker.final
        pipeline = dataclasses.replace(pipeline, ranker=pipeline.ranker.refitted(
            first=pipeline.ranker.first, final=final, calibration=curve))  # fmt: skip
    for text in tiny.folder.test.texts[:12]:
        answers = pipeline.rank([text], 4)
        for place in range(4):
            found = explain(pipeline, text, int(answers.indices[0, place]))
            assert (found.rank, found.probability) == (place + 1, float(answers.scores[0, place]))


def test_labels_are_found_by_id_text_and_row(tiny: Any) -> None:
    labels = tiny.classifier.pipeline.labels
    assert find_label(labels, 5) == find_label(labels, "5") == 5
    assert find_label(labels, labels.texts[7]) == labels.texts.index(labels.texts[7])
    named = dataclasses.replace(labels, ids=[f"id{i}" for i in range(90)])
    assert find_label(named, "id61") == 61
    with pytest.raises(UsageError, match=r"no label 'id6l'; did you mean 'id6"):
        find_label(named, "id6l")
    begun = LabelTable(["red wine", "white wine", "red brick"], ["a1", "b1", "c1"])
    assert find_label(begun, "White") == find_label(begun, "B") == 1
    with pytest.raises(UsageError, match="2 labels begin with 'red': 'a1', 'c1'"):
        find_label(begun, "red")
    with pytest.raises(UsageError, match="there is no label ' '"):
        find_label(begun, " ")
    for wrong in (90, -1, "90"):
        with pytest.raises(UsageError, match=r"outside the labels 0\.\.89"):
            find_label(labels, wrong)


def test_fit_on_lists_and_names() -> None:
    names = ["audio", "network", "games"]
    texts = [f"{names[i % 3]} tool number{i % 5} for {names[i % 3]} and {names[(i // 3) % 3]}" for i in range(80)]
    lists = [sorted({names[i % 3], names[(i // 3) % 3]}) for i in range(80)]
    settings = {**QUICK, "document.dim": 8, "rank.steps": 30, "training.batch_size": 16}
    classifier = EclareClassifier.from_recipe("eclare", settings, device="cpu").fit(
        texts, lists, label_texts={name: f"programs for {name}" for name in names}
    )
    assert classifier.pipeline.labels.ids == names
    [[(best, chance), *_]] = classifier.predict_names(["audio tool"], k=2)
    assert best in names and 0 < chance <= 1
    assert classifier.explain("audio tool", "audio").label_text == "programs for audio"
    assert classifier.describe()["labels"] == 3
    assert "3 labels" in repr(classifier)


def test_odd_texts_have_a_defined_outcome(tiny: Any) -> None:
    texts = ["", " ", "words nobody knows", "word " * 200_000, "a \ud800 b", "\x00"]
    ranking = tiny.classifier.predict(texts, 5)
    assert ranking.indices.shape == (6, 5)
    assert np.isfinite(ranking.scores).all() and (ranking.scores >= 0).all() and (ranking.scores <= 1).all()
    assert np.array_equal(ranking.indices[0], ranking.indices[2])  # nothing known of both: what is frequent comes up
    assert tiny.classifier.predict([], 5).indices.shape == (0, 5)
    wide = tiny.classifier.predict(["some text"], 500)
    assert wide.indices.shape == (1, 500) and (wide.indices[0, 90:] == -1).all()


def test_evaluate_is_that_of_the_metrics(tiny: Any) -> None:
    test, train, classifier = tiny.folder.test, tiny.folder.train, tiny.classifier
    ranking = classifier.predict(test.texts, 100, filter_pairs=test.filter_pairs)
    assert not {(0, 3), (2, 5), (7, 0)} & {(row, label) for row in (0, 2, 7) for label in ranking.indices[row].tolist()}
    expected = evaluate(
        ranking, test.labels, train.label_frequencies, len(train), filter_pairs=test.filter_pairs,
        propensity_a=tiny.folder.propensity_a, propensity_b=tiny.folder.propensity_b,
    )  # fmt: skip
    found = classifier.evaluate(tiny.folder)
    assert dataclasses.replace(found, selective={}, calibration={}) == expected
    assert found.calibration["predictions"] == 10 * len(test)
    assert classifier.evaluate(test, train=train).metrics["R@10"] == expected.metrics["R@10"]
    alone = classifier.evaluate(test)  # the model knows the frequencies itself
    assert alone.settings["train_documents"] == len(train)
    assert alone.metrics["P@5"] == expected.metrics["P@5"]


def test_frequencies_are_those_of_the_training_whatever_the_data_hold(tiny: Any) -> None:
    """Bins and propensities of new data say how often the model saw a label, unless a train split is named."""
    classifier, few = tiny.classifier, tiny.folder.train.subset(np.arange(12))
    new = dataclasses.replace(tiny.folder, train=few)
    assert classifier.evaluate(new) == classifier.evaluate(tiny.folder)
    published = classifier.evaluate(new, train=few)
    assert published.settings["train_documents"] == 12
    counted = few.label_frequencies
    assert {one.name: one.labels for one in published.bins}["unseen"] == int((counted == 0).sum())


def test_evaluate_refuses_other_labels(tiny: Any) -> None:
    test = tiny.folder.test
    label = int(test.labels.indices[0])
    swapped = [*test.label_texts[:label], "something else", *test.label_texts[label + 1 :]]
    with pytest.raises(DataError, match="1 labels of the data are not in the model, 'something else'"):
        tiny.classifier.evaluate(Dataset(test.texts[:1], test.labels[:1], swapped))
    with pytest.raises(DataError, match="no test split"):
        tiny.classifier.evaluate(dataclasses.replace(tiny.folder, test=None))


def test_save_and_load(tiny: Any, tmp_path: Path) -> None:
    tiny.classifier.save(tmp_path / "model")
    loaded = EclareClassifier.load(str(tmp_path / "model"))
    one, other = (clf.predict(tiny.folder.test.texts, 9) for clf in (tiny.classifier, loaded))
    assert np.array_equal(one.indices, other.indices) and one.scores.tobytes() == other.scores.tobytes()
    assert loaded.describe() == tiny.classifier.describe()
    assert loaded.explain(tiny.folder.test.texts[0], 3) == tiny.classifier.explain(tiny.folder.test.texts[0], 3)
    with pytest.raises(ModelError, match="no model at"):
        EclareClassifier.load(tmp_path / "nothing")


def test_parameters_as_scikit_learn_wants_them() -> None:
    classifier = EclareClassifier("eclare", overrides=["seed=3"], device="cpu")
    assert classifier.get_params() == {"recipe": "eclare", "overrides": ["seed=3"], "device": "cpu"}
    assert clone(classifier).get_params() == classifier.get_params()
    assert classifier.set_params(overrides={"seed": 4}).settings().seed == 4
    changed = classifier.set_params(**{"document.dim": 12}).settings()
    assert (changed.document.dim, changed.seed) == (12, 4)
    with pytest.raises(UsageError, match="unknown parameter 'depth': choose recipe, overrides, device, or a setting"):
        classifier.set_params(depth=3)


def test_a_recipe_object_takes_overrides() -> None:
    recipe = EclareClassifier.from_recipe("eclare", {"document.dim": 12}).settings()
    assert EclareClassifier(recipe).settings() is recipe
    changed = EclareClassifier(recipe, overrides=["training.hop_features=null"]).settings()
    assert (changed.document.dim, changed.training.hop_features) == (12, None)


def test_recipes_of_the_package_are_those_of_the_repository() -> None:
    shipped = {path.stem: path.read_text() for path in (ROOT / "configs").glob("*.yaml")}
    assert "eclare" in shipped
    assert {name: path.read_text() for name, path in recipes().items()} == shipped
    for name in shipped:
        assert EclareClassifier.from_recipe(name).settings().document.dim > 0


def test_recipes_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match="there is no recipe 'eclair'; did you mean 'eclare'?"):
        EclareClassifier.from_recipe("eclair")
    with pytest.raises(ConfigError, match="there is no such recipe file"):
        EclareClassifier.from_recipe("missing.yaml")
    with pytest.raises(ConfigError, match=r"unknown key document\.dimm.*did you mean document\.dim"):
        EclareClassifier.from_recipe("eclare", ["document.dimm=3"])
    with pytest.raises(ConfigError, match="pass a list"):
        EclareClassifier.from_recipe("eclare", "document.dim=3")
    assert find_recipe("./eclare.yaml") == Path("eclare.yaml")
    assert override_words({"a.b": None, "c": [1], "d": "x y"}) == ["a.b=null", "c=[1]", 'd="x y"']


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda clf: clf.predict(["x"]), "not trained"),
        (lambda clf: clf.save("somewhere"), "not trained"),
        (lambda clf: clf.fit(["a"]), "a list of labels for each"),
        (lambda clf: clf.fit(["a", "b"], [["x"]]), "2 texts but 1 label lists"),
    ],
)
def test_wrong_calls(call: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call(EclareClassifier())


def test_wrong_calls_of_a_trained_model(tiny: Any) -> None:
    with pytest.raises(UsageError, match="one string"):
        tiny.classifier.predict("text")
    with pytest.raises(UsageError, match="k=0"):
        tiny.classifier.predict(["text"], 0)
    with pytest.raises(UsageError, match="has its labels"):
        EclareClassifier().fit(tiny.folder, [["x"]])
    with pytest.raises(TrainingError, match="10 train documents are too few"):
        EclareClassifier().fit(tiny.folder.train.subset(np.arange(10)))
    with pytest.raises(UsageError, match="device='tpu'"):
        EclareClassifier(device="tpu").fit(tiny.folder)


def test_the_operating_point_moves_without_training(tiny: Any) -> None:
    texts = tiny.folder.test.texts
    plain, lifted = (EclareClassifier.load(tiny.model, tail_boost=boost) for boost in (0, 3.0))
    assert lifted.pipeline.recipe["rank"]["tail_boost"] == 3.0 and not plain.pipeline.ranker.boost.any()
    frequencies = tiny.folder.train.label_frequencies

    def rarity(classifier: EclareClassifier) -> float:
        return float(frequencies[classifier.predict(texts, 3).indices].mean())

    assert rarity(lifted) < rarity(plain)
    evidence = plain.pipeline.ranker.evidence(plain.pipeline.encode(texts[:4]))
    slope, offset = plain.pipeline.ranker.calibration.at(0)
    fitted = plain.pipeline.ranker.final.logits(evidence.columns)
    np.testing.assert_allclose(plain.pipeline.ranker.logits(evidence), slope * fitted + offset, rtol=1e-5)
    own = EclareClassifier.load(tiny.model)
    same = EclareClassifier.load(tiny.model, tail_boost=own.pipeline.ranker.config.tail_boost)
    np.testing.assert_array_equal(same.predict(texts, 3).scores, own.predict(texts, 3).scores)
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="tail_boost"):
            EclareClassifier.load(tiny.model, tail_boost=bad)


def test_without_the_linear_ranker(tiny: Any, tmp_path: Path) -> None:
    classifier = EclareClassifier(tiny.recipe, overrides={**QUICK, "rank.linear": False}, device="cpu")
    classifier.fit(tiny.folder.train).save(tmp_path / "model")
    assert classifier.pipeline.ranker.linear is None and not (tmp_path / "model" / "linear.safetensors").exists()
    again, texts = EclareClassifier.load(tmp_path / "model"), tiny.folder.test.texts[:5]
    np.testing.assert_array_equal(again.predict(texts, 4).scores, classifier.predict(texts, 4).scores)
    assert "path" not in again.explain(texts[0], int(again.predict(texts[:1], 1).indices[0, 0])).evidence


def test_texts_come_as_lists_arrays_columns_or_generators(tiny: Any) -> None:
    texts = tiny.folder.test.texts[:3] * 171  # more than are transformed at once
    expected = tiny.classifier.predict(texts, 4).indices
    column = pd.Series(texts, index=range(7, 7 + len(texts)))
    for given in (tuple(texts), np.array(texts), np.array(texts, dtype=object), column, (text for text in texts)):
        assert np.array_equal(tiny.classifier.predict(given, 4).indices, expected)
    assert len(tiny.classifier.predict_names(column[:1], 10**12)[0]) <= 90
    for wrong, message in (
        ("a text", "the texts are one string"),
        (pd.DataFrame({"text": texts}), "give the column that holds them"),
        (["a text", float("nan")], "text 1 is nan: it must be a string"),
        ([b"a text"], "text 0 is b'a text': it must be a string"),
    ):
        with pytest.raises(UsageError, match=message):
            tiny.classifier.predict(wrong)


def test_a_loaded_classifier_is_of_the_recipe_that_it_was_trained_with(tiny: Any) -> None:
    loaded = EclareClassifier.load(tiny.model)
    assert repr(loaded) == "EclareClassifier('tiny', 90 labels)"
    assert loaded.settings() == tiny.classifier.settings()
    again = EclareClassifier(**loaded.get_params()).set_params(seed=5)
    assert (again.settings().document.dim, again.settings().seed) == (16, 5)
    assert repr(again) == "EclareClassifier('tiny', not trained)"
