"""Training on groups: the multi-instance head, groups in batches, and a whole training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.data.aggregated import aggregate
from eclare_py.data.imputed import ImputedDataset
from eclare_py.errors import ConfigError, TrainingError
from eclare_py.model.losses import decoupled_softmax
from eclare_py.model.multi_instance import pooled
from eclare_py.train.bags import Bags
from eclare_py.train.batches import BatchSource
from eclare_py.train.fit import train
from eclare_py.train.imputation.grouping import form_groups
from eclare_py.train.objective import Objective
from eclare_py.types import as_csr


def bags_of(n_documents=13, n_labels=9, n_groups=4):
    rng = np.random.default_rng(0)
    beliefs = as_csr(rng.random((n_documents, n_labels)) * (rng.random((n_documents, n_labels)) < 0.4))
    return Bags(rng.permutation(np.arange(n_documents) % n_groups), beliefs)


def test_the_head_by_hand():
    scores = torch.tensor([[4.0, 2.0], [3.0, -1.0], [1.0, -2.0]])
    mask = torch.tensor([[0.5, 1.0], [1.0, 0.1], [1.0, 0.1]])
    found = pooled(scores, torch.tensor([0, 0, 1]), 2, mask)
    # 4 * 0.5 < 3 * 1; a negative logit is not lifted by its mask.
    assert found.tolist() == [[3.0, 2.0], [1.0, -2.0]]


def test_the_greatest_member_alone_learns():
    scores = torch.tensor([[4.0], [3.0], [1.0]], requires_grad=True)
    pooled(scores, torch.tensor([0, 0, 1]), 2, torch.tensor([[0.5], [0.8], [1.0]])).sum().backward()
    assert scores.grad is not None and scores.grad.flatten().tolist() == pytest.approx([0, 0.8, 1])


def test_groups_of_a_batch_against_a_plain_loop():
    bags, documents = bags_of(), np.array([1, 2, 5, 6, 9, 12])
    labels, ignored = np.array([0, 3, 4, 8]), np.zeros((6, 4), dtype=np.bool_)
    ignored[2, 1] = True
    found, dense = bags.batch(documents, labels, ignored), bags.beliefs.toarray()
    numbers = sorted({int(one) for one in bags.groups[documents]})
    assert found.groups.tolist() == [numbers.index(one) for one in bags.groups[documents]]
    for place, number in enumerate(numbers):
        members = [i for i, one in enumerate(documents) if bags.groups[one] == number]
        for column, label in enumerate(labels):
            beliefs = [dense[documents[i], label] for i in members]
            assert found.positives[place, column] == (sum(beliefs) >= 0.5)
            hidden = any(beliefs) or ignored[members, column].any()
            assert found.ignored[place, column] == (hidden and not found.positives[place, column])
            expected = beliefs if any(beliefs) else [1] * len(members)
            np.testing.assert_allclose(found.mask[members, column], expected, rtol=1e-6)


def test_batches_take_groups_whole_with_all_their_labels():
    bags = bags_of(50, 9, 17)
    labels = as_csr(sp.csr_array((50, 9)))
    source = BatchSource(labels, np.empty((0, 2), np.int64), batch_size=12, seed=0, stage="s", multiple=1, bags=bags)
    seen = []
    for _, batch in source.epoch(0):
        whole = np.isin(bags.groups, bags.groups[batch.documents])
        assert sorted(batch.documents.tolist()) == np.flatnonzero(whole).tolist()
        assert set(bags.beliefs[batch.documents].indices) <= set(batch.labels.tolist())
        assert batch.bags is not None
        seen += batch.documents.tolist()
    assert sorted(seen) == list(range(50))


def test_the_loss_is_that_of_the_pooled_scores():
    bags = bags_of()
    source = BatchSource(as_csr(sp.csr_array((13, 9))), np.empty((0, 2), np.int64), batch_size=13, seed=0, stage="s",
                         bags=bags)  # fmt: skip
    batch = next(iter(source.epoch(0)))[1]
    assert batch.bags is not None
    scores = torch.randn(13, len(batch.labels), generator=torch.Generator().manual_seed(0))
    found = Objective().loss(scores, batch, torch.tensor(0.0))
    known = batch.bags
    groups = pooled(scores, torch.from_numpy(known.groups), len(known.positives), torch.from_numpy(known.mask))
    expected = decoupled_softmax(groups, torch.from_numpy(known.positives), torch.from_numpy(known.ignored))
    assert float(found) == pytest.approx(float(expected))


def test_label_texts_behind_are_groups_of_their_own():
    bags = bags_of().followed_by(as_csr(np.eye(9)[:2]))
    assert bags.groups[-2:].tolist() == [4, 5] and bags.beliefs.toarray()[-2:].tolist() == np.eye(9)[:2].tolist()


def test_an_imputed_data_set_keeps_its_groups_in_a_part():
    labels = as_csr(np.eye(5))
    data = ImputedDataset([f"{i}" for i in range(5)], labels, list("abcde"), groups=np.array([0, 0, 1, 1, 2]),
                          beliefs=as_csr(2 * np.eye(5)))  # fmt: skip
    part = data.subset([3, 0])
    assert part.groups.tolist() == [1, 0] and part.beliefs.toarray().argmax(axis=1).tolist() == [3, 0]
    assert all(isinstance(one, ImputedDataset) for one in data.split(2, seed=0))


def test_a_network_trains_on_groups(dataset, recipe_of):
    data = aggregate(dataset, form_groups(dataset, size=2, seed=0))
    recipe = recipe_of(groups=True)
    first, second = (train(data, recipe, device="cpu").rank(dataset.texts, 3) for _ in range(2))
    np.testing.assert_array_equal(first.indices, second.indices)
    other = train(data, recipe_of(), device="cpu").rank(dataset.texts, 3)
    assert (first.scores != other.scores).any()
    right = dataset.labels.toarray()[np.arange(len(dataset)), first.indices[:, 0]]
    assert right.mean() > 0.5


def test_without_groups_it_says_so(dataset, recipe_of):
    with pytest.raises(TrainingError, match="training.groups=true"):
        train(dataset, recipe_of(groups=True), device="cpu")
    with pytest.raises(ConfigError, match="groups=true needs"):
        recipe_of(groups=True, batches="clustered")
    assert replace(recipe_of().training).groups is False
