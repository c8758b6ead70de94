import math

import pytest
import torch
from torch.nn.functional import normalize

from eclare_py.model.auxiliary import AuxiliaryTasks, ContextTask, HardPairs, PairLayer, PairTask, hard_pairs
from eclare_py.model.auxiliary_config import AuxiliaryConfig

B, K, D, COUNT = 7, 10, 6, 3
BOTH = AuxiliaryConfig(pair_weight=0.5, context_weight=2.0, negatives=COUNT)


def batch(seed=0):
    """Unit vectors, scores and masks; a document without positives, one without negatives, one with a single one."""
    generator = torch.Generator().manual_seed(seed)
    documents = normalize(torch.randn(B, D, generator=generator), dim=1).requires_grad_()
    labels = normalize(torch.randn(K, D, generator=generator), dim=1).requires_grad_()
    kind = torch.randint(0, 5, (B, K), generator=generator)
    positives, ignored = kind <= 1, kind == 2
    positives[2], positives[3], ignored[3] = False, True, False
    positives[4], ignored[4] = True, True
    positives[4, 5] = ignored[4, 5] = False
    return documents, labels, positives, ignored & ~positives


def test_a_positive_and_the_hardest_that_are_neither_relevant_nor_filtered():
    documents, labels, positives, ignored = batch()
    scores = documents @ labels.T
    torch.manual_seed(1)
    pairs = hard_pairs(scores, positives, ignored, COUNT)
    assert pairs.rows.tolist() == [row for row in range(B) if row not in (2, 3)]
    for row, columns, there in zip(pairs.rows.tolist(), pairs.columns, pairs.there, strict=True):
        others = [k for k in range(K) if not positives[row, k] and not ignored[row, k]]
        wanted = sorted(others, key=lambda k: -scores[row, k].item())[:COUNT]
        assert positives[row, columns[0]] and there[0]
        assert columns[1:][there[1:]].tolist() == wanted
    assert pairs.there[pairs.rows == 4].tolist() == [[True, True, False, False]]


def test_every_positive_is_drawn_about_as_often():
    positives = torch.zeros(2, K, dtype=torch.bool)
    positives[0, [1, 4, 8]] = positives[1, 6] = True
    torch.manual_seed(0)
    drawn = torch.stack([hard_pairs(torch.zeros(2, K), positives, None, 2).columns[:, 0] for _ in range(600)])
    counts = torch.bincount(drawn[:, 0], minlength=K)
    assert torch.all(counts[[1, 4, 8]] > 150) and counts.sum() == counts[[1, 4, 8]].sum()
    assert torch.all(drawn[:, 1] == 6)


def test_the_layer_is_one_matrix_over_the_four_parts_side_by_side():
    documents, labels, positives, ignored = batch()
    pairs = hard_pairs(documents @ labels.T, positives, ignored, COUNT)
    layer = PairLayer(D)
    whole = torch.cat([layer.document.weight, layer.label.weight, layer.pair.weight], dim=1)
    found = layer(documents, labels, pairs)
    for i, row in enumerate(pairs.rows.tolist()):
        for j, column in enumerate(pairs.columns[i].tolist()):
            q, v = documents[row] * D**0.5, labels[column] * D**0.5
            torch.testing.assert_close(
                found[i, j], whole @ torch.cat([q, v, (q - v).abs(), q * v]) + layer.document.bias
            )


def test_pair_task_equals_the_naive_loop():
    documents, labels, positives, ignored = batch()
    pairs = hard_pairs(documents @ labels.T, positives, ignored, COUNT)
    task, total = PairTask(D), 0.0
    logits = task.out(task.layer(documents, labels, pairs).relu())[..., 0].tolist()
    for row, there in zip(logits, pairs.there.tolist(), strict=True):
        negatives = [math.log1p(math.exp(value)) for value, known in zip(row[1:], there[1:], strict=True) if known]
        total += math.log1p(math.exp(-row[0])) + sum(negatives) / len(negatives)
    assert math.isclose(task(documents, labels, pairs).item(), total / len(logits), rel_tol=1e-5)


def test_context_task_equals_attention_and_softmax_by_hand():
    documents, labels, positives, ignored = batch()
    pairs = hard_pairs(documents @ labels.T, positives, ignored, COUNT)
    task, total = ContextTask(D), 0.0
    each = task.layer(documents, labels, pairs)
    for i in range(len(pairs.rows)):
        own = each[i][pairs.there[i]]
        weights, bias = task.attention.in_proj_weight.split(D), task.attention.in_proj_bias.split(D)
        q, k, v = (own @ w.T + b for w, b in zip(weights, bias, strict=True))
        seen = task.attention.out_proj(torch.softmax(q @ k.T / D**0.5, dim=1) @ v)
        logits = task.out((own + seen).relu())[:, 0]
        total += (logits.logsumexp(0) - logits[0]).item()
    assert math.isclose(task(documents, labels, pairs).item(), total / len(pairs.rows), rel_tol=1e-5)


def test_context_matters_and_order_does_not():
    documents, labels, positives, ignored = batch()
    pairs = hard_pairs(documents @ labels.T, positives, ignored, COUNT)
    task, order = ContextTask(D), torch.tensor([2, 0, 3, 1])
    found = task.logits(documents, labels, pairs)
    turned = HardPairs(pairs.rows, pairs.columns[:, order], pairs.there[:, order])
    torch.testing.assert_close(task.logits(documents, labels, turned), found[:, order])
    other = pairs.columns.clone()
    full = pairs.there.all(dim=1)
    other[:, 3] = (other[:, 3] + 1) % K
    changed = task.logits(documents, labels, HardPairs(pairs.rows, other, pairs.there))
    assert torch.all((changed[full, :3] - found[full, :3]).abs().max(dim=1).values > 1e-6)


@pytest.mark.parametrize("pair", [0.0, 0.5])
@pytest.mark.parametrize("context", [0.0, 2.0])
def test_the_weighted_sum_reaches_both_encoders_but_never_through_the_choice(pair, context):
    documents, labels, positives, ignored = batch()
    tasks = AuxiliaryTasks(D, AuxiliaryConfig(pair, context, COUNT))
    scores = (documents @ labels.T).detach().requires_grad_()
    torch.manual_seed(4)
    loss = tasks(documents, labels, scores, positives, ignored)
    torch.manual_seed(4)
    pairs = hard_pairs(scores, positives, ignored, COUNT)
    expected = 0.0
    if pair:
        expected = expected + pair * tasks.pair(documents, labels, pairs).item()
    if context:
        expected = expected + context * tasks.context(documents, labels, pairs).item()
    assert math.isclose(loss.item(), expected, rel_tol=1e-6)
    if not pair and not context:
        assert not tasks.config.used and not list(tasks.parameters())
        return
    loss.backward()
    assert scores.grad is None
    touched = torch.zeros(B, dtype=torch.bool)
    touched[pairs.rows] = True
    assert torch.equal((documents.grad != 0).any(dim=1), touched)
    used = torch.zeros(K, dtype=torch.bool)
    used[pairs.columns[pairs.there]] = True
    assert torch.equal((labels.grad != 0).any(dim=1), used)
    assert all(parameter.grad is not None for parameter in tasks.parameters())


def test_nothing_to_tell_apart_is_zero():
    documents, labels, _, _ = batch()
    scores, tasks = documents @ labels.T, AuxiliaryTasks(D, BOTH)
    for positives in (torch.zeros(B, K, dtype=torch.bool), torch.ones(B, K, dtype=torch.bool)):
        assert tasks(documents, labels, scores, positives).item() == 0


def test_a_seed_gives_start_values_and_the_random_state_outside_stays():
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    made = [AuxiliaryTasks(D, BOTH, seed=seed).state_dict() for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
    assert not all(torch.equal(made[0][name], made[2][name]) for name in made[0])
