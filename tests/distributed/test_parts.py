"""The pieces: who holds which rows, draws of a part, the loss of columns, and finding each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch.distributed import HashStore

from eclare_py.distributed import Group, Shard, current, use
from eclare_py.distributed.meeting import meet
from eclare_py.model.chance import PartialChance, PartialDropout
from eclare_py.model.losses import SoftTargets, decoupled_softmax, softmax_cross_entropy
from eclare_py.model.shared_losses import shared_softmax
from eclare_py.types import Csr


def test_rows_go_round():
    first, last = Shard(10, 0, 4), Shard(10, 3, 4)
    assert (first.ids.tolist(), last.ids.tolist()) == ([0, 4, 8], [3, 7])
    assert (len(first), len(last), first.counts) == (3, 2, [3, 3, 2, 2])
    np.testing.assert_array_equal(last.mine(np.array([7, 8, 3])), [True, False, True])
    np.testing.assert_array_equal(last.places(np.array([3, 7])), [0, 1])
    table = np.arange(20).reshape(10, 2)
    np.testing.assert_array_equal(first.whole([table[Shard(10, rank, 4).part] for rank in range(4)]), table)


def test_one_process_holds_everything_where_it_is():
    alone = Shard(5)
    ids = np.array([4, 0, 2])
    assert alone.places(ids) is ids and len(alone) == 5 and alone.mine(ids).all()
    table = np.arange(5)
    assert alone.whole([table]) is table


def test_the_current_group_is_of_one_unless_said_otherwise():
    other = Group()
    assert current().world == 1 and current().leads
    with pytest.raises(RuntimeError), use(other) as group:
        assert current() is other is group
        raise RuntimeError
    assert current() is not other


def rows_of(sizes):
    return Csr((np.ones(sum(sizes), np.float32), np.zeros(sum(sizes), np.int64), np.append(0, np.cumsum(sizes))))


def test_draws_of_the_parts_are_those_of_the_whole():
    sizes, kept = np.array([2, 0, 3, 1]), np.array([True, False, False, True])
    whole, dense = torch.ones(4, 5), torch.nn.Dropout(0.4)
    torch.manual_seed(1)
    entries, like, dropped = torch.rand(6), torch.rand_like(whole), dense(whole)
    chance = PartialChance()
    chance.begin(kept, [sizes])
    torch.manual_seed(1)
    assert torch.equal(chance.entries(rows_of([2, 1])), entries[[0, 1, 5]])
    assert torch.equal(chance.like(whole[kept]), like[kept])
    part = PartialDropout(0.4, chance)
    assert torch.equal(part(whole[kept]), dropped[kept])
    assert torch.equal(part.eval()(whole[kept]), whole[kept])


@pytest.mark.parametrize("compete", [False, True])
@pytest.mark.parametrize("graded", [False, True])
def test_all_columns_in_one_place_give_the_loss_and_slopes_of_the_plain_one(compete, graded):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 9, generator=generator)
    positives = torch.rand(6, 9, generator=generator) < 0.2
    positives[3] = False  # a document without a positive
    ignored = (torch.rand(6, 9, generator=generator) < 0.1) & ~positives
    importance = torch.rand(9, generator=generator) + 0.5 if graded else None
    free = (~positives & ~ignored).nonzero()[::5].T
    soft = SoftTargets(free[0], free[1], torch.full((free.shape[1],), 0.3)) if graded and not compete else None
    ours, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    loss = shared_softmax(ours, positives, ignored, importance, soft, compete=compete, group=Group())
    plain = (
        softmax_cross_entropy(theirs, positives, ignored, importance)
        if compete
        else decoupled_softmax(theirs, positives, ignored, importance, soft)
    )
    assert float(plain.detach()) > 0.1
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(*(torch.autograd.grad(one, of)[0] for one, of in ((loss, ours), (plain, theirs))))


def test_a_process_without_a_label_at_hand_has_no_part_in_the_loss():
    scores = torch.zeros(3, 0, requires_grad=True)
    nothing = torch.zeros(3, 0, dtype=torch.bool)
    loss = shared_softmax(scores, nothing, nothing, compete=False, group=Group())
    loss.backward()
    assert float(loss.detach()) == 0 and scores.grad.shape == (3, 0)


def test_processes_meet_those_of_their_own_start_alone():
    store, names = HashStore(), []
    for _ in range(3):  # what an earlier start left is in the store
        threads = [
            threading.Thread(target=lambda rank=rank: names.append(meet(store, rank, 3)), daemon=True)
            for rank in (2, 0, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert len(names) == 9
    assert [len(set(names[i : i + 3])) for i in (0, 3, 6)] == [1, 1, 1] and len(set(names)) == 3
