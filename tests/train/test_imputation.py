"""Labels of groups handed to members: fast paths against naive ones, golden cases, and what must come out of data."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.data.aggregated import AggregatedDataset, aggregate
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError, UsageError
from eclare_py.train.events import EventLog
from eclare_py.train.imputation import embedding, posterior
from eclare_py.train.imputation.config import ImputationConfig
from eclare_py.train.imputation.grouping import form_groups
from eclare_py.train.imputation.impute import chosen, document_log_odds, imputed
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.train.imputation.projection import project
from eclare_py.train.imputation.self_training import model_log_odds
from eclare_py.train.recipe import Recipe
from eclare_py.types import Ranking, as_csr


def random_data(n_documents=23, n_labels=7, *, size=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = as_csr(sp.csr_array((rng.random((n_documents, n_labels)) < 0.3).astype(np.float32)))
    pairs = np.unique(np.stack([rng.integers(0, n_documents, 9), rng.integers(0, n_labels, 9)], axis=1), axis=0)
    dataset = Dataset([f"text {i}" for i in range(n_documents)], labels, [f"label {i}" for i in range(n_labels)],
                      filter_pairs=pairs)  # fmt: skip
    return aggregate(dataset, form_groups(dataset, size=size, seed=seed))


def unit_rows(n, width, seed=1):
    rng = np.random.default_rng(seed)
    rows = rng.random((n, width)) * (rng.random((n, width)) < 0.4)
    return as_csr(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def topics(n_documents=240, n_topics=12, *, size=4, by="random", seed=0):
    """Documents of two topics each, one label a topic, three words a topic; and the labels they carry."""
    rng = np.random.default_rng(seed)
    carried = [sorted(rng.choice(n_topics, 2, replace=False).tolist()) for _ in range(n_documents)]
    texts = [" ".join(f"t{topic}w{rng.integers(3)}" for topic in pair for _ in range(3)) for pair in carried]
    dataset = Dataset.from_texts(texts, carried, [f"name{topic}" for topic in range(n_topics)])
    return dataset, aggregate(dataset, form_groups(dataset, size=size, by=by, seed=seed))


def accuracy(labels, truth):
    return float((labels != 0).multiply(truth != 0).sum() / labels.nnz)


def test_pairs_are_the_members_that_may_carry_each_label_of_a_group():
    data = random_data()
    pairs = MemberPairs.of(data)
    expected = [
        (label, group, document)
        for label in range(data.n_labels)
        for group in np.flatnonzero(data.group_labels.toarray()[:, label])
        for document in np.flatnonzero(data.groups == group)
        if (document, label) not in set(map(tuple, data.filter_pairs.tolist()))
    ]
    found = list(zip(pairs.labels, data.groups[pairs.documents], pairs.documents, strict=True))
    assert found == expected and pairs.n_bags == data.group_labels.nnz
    np.testing.assert_array_equal(pairs.groups_of_label, data.label_frequencies[pairs.labels])


def test_softmax_best_and_sums_are_those_of_each_bag():
    pairs = MemberPairs.of(random_data())
    scores = np.random.default_rng(3).normal(size=len(pairs)).astype(np.float32)
    soft, best, sums = pairs.softmax(scores), pairs.best(scores), pairs.sums(scores)
    for bag in range(pairs.n_bags):
        part = slice(*pairs.bag_pairs[bag : bag + 2])
        if part.start == part.stop:
            assert sums[bag] == 0
            continue
        np.testing.assert_allclose(soft[part], np.exp(scores[part]) / np.exp(scores[part]).sum(), rtol=1e-5)
        np.testing.assert_allclose(sums[bag], scores[part].sum(), rtol=1e-5)
        assert part.start + np.argmax(scores[part]) in best
    assert len(best) == (np.diff(pairs.bag_pairs) > 0).sum()


def test_equal_members_are_chosen_between_at_random():
    data = aggregate(Dataset([f"{i}" for i in range(400)], as_csr(np.ones((400, 1))), ["x"]), np.arange(400) // 2)
    pairs = MemberPairs.of(data)
    first = pairs.documents[pairs.best(np.zeros(400, dtype=np.float32), seed=0)] % 2 == 0
    assert 60 < first.sum() < 140


def test_cosines_leave_the_own_group_out():
    data, rows = random_data(), unit_rows(23, 11)
    pairs = MemberPairs.of(data)
    weights = np.random.default_rng(4).random(len(pairs)).astype(np.float32)
    found, dense = embedding.cosines(pairs, rows, weights), rows.toarray()
    for pair in range(len(pairs)):
        others = (pairs.labels == pairs.labels[pair]) & (pairs.bags != pairs.bags[pair])
        total = weights[others] @ dense[pairs.documents[others]]
        length = np.linalg.norm(total)
        expected = dense[pairs.documents[pair]] @ total / length if others.any() and length > 1e-3 else 0
        assert found[pair] == pytest.approx(expected, abs=1e-4)


def test_the_regression_is_that_of_all_other_groups_beliefs():
    data, vectors = random_data(), np.random.default_rng(5).normal(size=(23, 6)).astype(np.float32)
    pairs = MemberPairs.of(data)
    beliefs = np.random.default_rng(6).random(len(pairs)).astype(np.float32)
    found = posterior.RidgeReader(vectors, 2.0)(pairs, beliefs)
    wide = np.hstack([vectors, np.ones((23, 1))])
    inverse = np.linalg.inv(wide.T @ wide + 2 * np.eye(7))
    for pair in range(len(pairs)):
        others = (pairs.labels == pairs.labels[pair]) & (pairs.bags != pairs.bags[pair])
        expected = wide[pairs.documents[pair]] @ inverse @ (wide[pairs.documents[others]].T @ beliefs[others])
        assert found[pair] == pytest.approx(expected, abs=1e-4)


def test_the_joint_embedding_is_the_regression_of_group_sums():
    data, vectors = random_data(), np.random.default_rng(7).normal(size=(23, 5)).astype(np.float32)
    pairs = MemberPairs.of(data)
    found = embedding.joint_cosines(data, pairs, vectors, 0.5)
    carried = data.group_labels.toarray()
    sums = np.stack([vectors[data.groups == group].sum(axis=0) for group in range(data.n_groups)])
    expected = np.linalg.solve(carried.T @ carried + 0.5 * np.eye(7), carried.T @ sums)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found, (unit[pairs.documents] * expected[pairs.labels]).sum(axis=1), atol=5e-3)


def test_trimming_leaves_the_least_clear_groups_of_a_label_out():
    dataset = Dataset([f"{i}" for i in range(10)], as_csr(np.ones((10, 1))), ["x"])
    pairs = MemberPairs.of(aggregate(dataset, np.arange(10) // 2))
    scores = np.array([1, 9, 2, 3, 8, 0, 7, 7, 5, 6], dtype=np.float32)  # greatest of the bags: 9 3 8 7 6
    np.testing.assert_array_equal(embedding._trimmed(pairs, scores, 0.4), [0, 1, 0, 0, 1])
    assert not embedding._trimmed(pairs, scores, 0.1).any()


def test_noisy_or_by_hand():
    dataset = Dataset([f"{i}" for i in range(3)], as_csr(np.ones((3, 1))), ["x"])
    pairs = MemberPairs.of(aggregate(dataset, np.array([0, 0, 1])))
    alone = np.array([0.5, 0.2, 0.01], dtype=np.float32)
    found = posterior.noisy_or(pairs, np.log(alone / (1 - alone)))
    np.testing.assert_allclose(found, [0.5 / 0.6, 0.2 / 0.6, 1], rtol=1e-5)


def test_the_projection_keeps_inner_products():
    rows = unit_rows(40, 15)
    whole = project(rows, 15)
    assert whole.shape == (40, 15)
    np.testing.assert_allclose(whole @ whole.T, (rows @ rows.T).toarray(), atol=1e-4)
    # Fewer dimensions are the best ones.
    left, scales, _ = np.linalg.svd(rows.toarray())
    best = (left[:, :4] * scales[:4]) @ (left[:, :4] * scales[:4]).T
    few = project(rows, 4, passes=4)
    np.testing.assert_allclose(few @ few.T, best, atol=1e-3)


@pytest.mark.parametrize("config", [
    ImputationConfig(classifier_rounds=0, label_texts=False), ImputationConfig(embedding="joint", classifier_rounds=0),
    ImputationConfig(method="hard"), ImputationConfig(),
])  # fmt: skip
def test_members_get_back_what_they_carry(config):
    dataset, data = topics()
    pairs = MemberPairs.of(data)
    beliefs = posterior.noisy_or(pairs, document_log_odds(data, pairs, config, 0))
    assert accuracy(chosen(pairs, beliefs, config, 0), dataset.labels) > 0.9
    plain = ImputationConfig(method="random")
    assert accuracy(chosen(pairs, beliefs * 0, plain, 0), dataset.labels) < 0.5


def test_soft_gives_several_members_of_a_group_a_label_that_they_share():
    dataset, data = topics(size=6, by="similar")
    pairs = MemberPairs.of(data)
    beliefs = posterior.noisy_or(pairs, document_log_odds(data, pairs, ImputationConfig(), 0))
    soft, hard = (chosen(pairs, beliefs, ImputationConfig(method=name), 0) for name in ("soft", "hard"))
    recalled = [float((one != 0).multiply(dataset.labels != 0).sum() / dataset.labels.nnz) for one in (soft, hard)]
    assert recalled[0] > recalled[1] + 0.05 and accuracy(soft, dataset.labels) > 0.9
    assert hard.nnz == data.group_labels.nnz and set(np.unique(hard.data)) == {1}
    best = hard != 0
    assert soft.data.min() >= ImputationConfig().doubt
    assert (soft - soft.multiply(best)).data.min() >= 0.5  # others have to be likely


def test_methods_give_what_they_say_and_never_a_filter_pair():
    data = random_data()
    pairs = MemberPairs.of(data)
    beliefs = np.random.default_rng(8).random(len(pairs)).astype(np.float32)
    taken = set(map(tuple, data.filter_pairs.tolist()))
    for method in ("soft", "hard", "union", "random"):
        labels = chosen(pairs, beliefs, ImputationConfig(method=method), 0)
        assert not taken & set(zip(*labels.nonzero(), strict=True))
        assert not (labels - labels.multiply(data.labels)).nnz  # of the own group alone
        got = sp.csr_array((np.ones(23), (data.groups, np.arange(23)))) @ (labels != 0)
        filled = np.diff(pairs.bag_pairs) > 0
        if method == "soft":  # at least one member each, but for labels in doubt
            assert (got != 0).nnz == pairs.n_bags - (pairs.sums(beliefs >= 0.5) == 0).sum()
        else:
            assert (got != 0).nnz == filled.sum()
        if method in ("hard", "random"):
            assert labels.nnz == filled.sum()
    assert (chosen(pairs, beliefs, ImputationConfig(method="union"), 0) != data.labels).nnz == 0


def test_covered_every_document_that_can_gets_a_label():
    data = random_data()
    pairs = MemberPairs.of(data)
    beliefs = np.random.default_rng(9).random(len(pairs)).astype(np.float32)
    bare = chosen(pairs, beliefs, ImputationConfig(method="hard"), 0)
    full = chosen(pairs, beliefs, ImputationConfig(method="hard", cover=True), 0)
    can = np.diff(data.labels.indptr) > 0
    assert (np.diff(bare.indptr)[can] == 0).any() and (np.diff(full.indptr)[can] > 0).all()
    added = full - bare
    document = int(np.flatnonzero(np.diff(bare.indptr) == 0)[0])
    if can[document]:
        own = np.flatnonzero(pairs.documents == document)
        assert added.toarray()[document].argmax() == pairs.labels[own[beliefs[own].argmax()]]


def test_a_group_of_one_keeps_its_labels():
    dataset, _ = topics(n_documents=60)
    data = aggregate(dataset, np.arange(60))
    pairs = MemberPairs.of(data)
    beliefs = posterior.noisy_or(pairs, document_log_odds(data, pairs, ImputationConfig(), 0))
    assert (chosen(pairs, beliefs, ImputationConfig(), 0) != dataset.labels).nnz > 0 or beliefs.min() == 1
    np.testing.assert_array_equal(chosen(pairs, beliefs, ImputationConfig(), 0).toarray() > 0, dataset.labels.toarray())


def test_no_document_is_judged_by_a_model_that_saw_its_group():
    dataset, data = topics(n_documents=50)
    pairs, seen = MemberPairs.of(data), []

    class Knowing:
        def __init__(self, part: Dataset) -> None:
            self.trained = set(part.ids or [])

        def rank(self, texts, k, *, hidden=None):
            seen.append((self.trained, list(texts)))
            return Ranking(np.zeros((len(texts), 1), np.int64), np.full((len(texts), 1), 0.9, np.float32))

    named = AggregatedDataset.of([f"{i}" for i in range(50)], data.groups, data.group_labels, data.label_texts,
                                 ids=[f"{i}" for i in range(50)])  # fmt: skip
    scores = model_log_odds(named, pairs, dataset.labels, Knowing, seed=0)
    assert sorted(text for _, texts in seen for text in texts) == sorted(named.texts)
    for trained, texts in seen:
        assert not {data.groups[int(one)] for one in trained} & {data.groups[int(one)] for one in texts}
    assert (scores[pairs.labels == 0] > 2).all() and (scores[pairs.labels != 0] < -6).all()


def test_one_seed_gives_one_result_and_it_is_kept_for_a_run_that_goes_on(tmp_path):
    _, data = topics(n_documents=80)
    log, told = EventLog(None, lambda event, values: told.append((event, values))), []

    def run(**options):
        return imputed(data, Recipe(seed=2), log=log, train=lambda *a, **k: None, **options)[0].labels

    first, second = run(folder=tmp_path), run()
    np.testing.assert_array_equal(first.toarray(), second.toarray())
    assert (tmp_path / "imputation").is_dir()
    np.testing.assert_array_equal(run(folder=tmp_path, resume=True).toarray(), first.toarray())
    facts = next(values["imputation"] for event, values in told if "imputation" in values)
    assert facts["groups"] == 20 and facts["imputed_labels"] == first.nnz


def test_without_any_label_there_is_nothing_to_learn():
    data = AggregatedDataset.of(["a", "b"], np.array([0, 0]), as_csr(sp.csr_array((1, 3))), ["x", "y", "z"])
    with pytest.raises(TrainingError, match="no group of the train split has a label"):
        imputed(data, Recipe(), log=EventLog(None), train=lambda *a, **k: None)


@pytest.mark.parametrize("by", ["random", "similar"])
def test_groups_part_the_documents_evenly(by):
    dataset, _ = topics(n_documents=70)
    groups = form_groups(dataset, size=4, by=by, seed=1)
    sizes = np.bincount(groups)
    assert len(groups) == 70 and len(sizes) == 18 and set(sizes.tolist()) == {3, 4}
    np.testing.assert_array_equal(groups, form_groups(dataset, size=4, by=by, seed=1))
    assert (groups != form_groups(dataset, size=4, by=by, seed=2)).any()


def test_similar_groups_share_more_than_random_ones():
    dataset, _ = topics()
    sizes = [aggregate(dataset, form_groups(dataset, size=4, by=by)).group_labels.nnz for by in ("random", "similar")]
    assert sizes[1] < 0.75 * sizes[0]


@pytest.mark.parametrize(("options", "words"), [({"by": "chance"}, "random or similar"), ({"size": 0}, "at least 1")])
def test_wrong_groups_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        form_groups(topics(n_documents=12)[0], **({"size": 2} | options))
