import math

import pytest
import torch

from eclare_py.model.losses import SoftTargets, decoupled_softmax, softmax_cross_entropy


def naive(scores, positives, ignored):
    total = 0.0
    for i in range(len(scores)):
        chosen = [p for p in range(scores.shape[1]) if positives[i, p]]
        losses = []
        for p in chosen:
            below = math.exp(scores[i, p])
            for n in range(scores.shape[1]):
                if not positives[i, n] and not ignored[i, n]:
                    below += math.exp(scores[i, n])
            losses.append(-math.log(math.exp(scores[i, p]) / below))
        total += sum(losses) / len(losses) if losses else 0.0
    return total / len(scores)


def masks(b, k, seed):
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, 4, (b, k), generator=generator)
    scores = 3 * torch.randn(b, k, generator=generator)
    return scores, kind == 0, kind == 1


def test_equals_the_naive_loop():
    for seed, (b, k) in enumerate([(3, 7), (5, 2), (1, 11)]):
        scores, positives, ignored = masks(b, k, seed)
        expected = naive(scores.double(), positives, ignored)
        assert math.isclose(float(decoupled_softmax(scores.double(), positives, ignored)), expected, rel_tol=1e-6)
        assert math.isclose(float(decoupled_softmax(scores, positives, ignored)), expected, rel_tol=1e-4)


def test_one_positive_each_is_softmax_cross_entropy():
    scores = 4 * torch.randn(6, 9, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 3, 8, 3, 1, 5])
    positives = torch.nn.functional.one_hot(target, 9).bool()
    torch.testing.assert_close(decoupled_softmax(scores, positives), torch.nn.functional.cross_entropy(scores, target))


def test_golden_two_positives():
    # Row 0: positives 0 and ln 3 against the one negative 0: (ln 2 + ln 4/3) / 2. Row 1 has no positive: 0.
    scores = torch.tensor([[0.0, math.log(3), 0.0], [5.0, 1.0, 2.0]])
    positives = torch.tensor([[True, True, False], [False, False, False]])
    loss = float(decoupled_softmax(scores, positives))
    assert math.isclose(loss, (math.log(2) + math.log(4 / 3)) / 4, rel_tol=1e-6)


def test_ignored_pairs_and_documents_without_positives_have_no_gradient():
    scores, positives, ignored = masks(8, 6, 3)
    positives[2], ignored[2] = False, False
    positives[3], ignored[3, 0] = False, True
    positives[3, 1] = True
    scores.requires_grad_(True)
    decoupled_softmax(scores, positives, ignored).backward()
    assert torch.all(scores.grad[ignored] == 0) and torch.all(scores.grad[2] == 0)
    assert torch.any(scores.grad[3] != 0)
    negatives = ~positives & ~ignored & positives.any(dim=1, keepdim=True)
    assert torch.all(scores.grad[positives] <= 0) and torch.all(scores.grad[negatives] >= 0)


def test_nothing_but_positives_costs_nothing():
    scores = torch.randn(2, 3, requires_grad=True)
    loss = decoupled_softmax(scores, torch.ones(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0 and torch.all(scores.grad == 0)


def test_no_labels_at_hand():
    scores = torch.zeros(4, 0, requires_grad=True)
    loss = decoupled_softmax(scores, torch.zeros(4, 0, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0


def test_the_slope_by_hand_equals_autograd_of_the_formula():
    for seed, (b, k) in enumerate([(6, 11), (9, 4)]):
        scores, positives, ignored = masks(b, k, seed)
        by_hand = scores.double().requires_grad_()
        decoupled_softmax(by_hand, positives, ignored).backward()
        plain = scores.double().requires_grad_()
        negatives = plain.masked_fill(positives | ignored, -1e4).logsumexp(dim=1, keepdim=True)
        weights = positives / positives.sum(dim=1, keepdim=True).clamp(min=1)
        (torch.nn.functional.softplus(negatives - plain) * weights).sum(dim=1).mean().backward()
        torch.testing.assert_close(by_hand.grad, plain.grad)


def test_half_precision_scores_give_half_precision_slopes_of_sums_in_float32():
    scores, positives, ignored = masks(7, 5, 2)
    half = scores.bfloat16().requires_grad_()
    loss = decoupled_softmax(half, positives, ignored)
    loss.backward()
    assert loss.dtype == torch.float32 and half.grad.dtype == torch.bfloat16
    assert math.isclose(float(loss), float(decoupled_softmax(half.detach().float(), positives, ignored)), rel_tol=1e-6)


def formula(scores, positives, ignored, importance=None, soft=None):
    """The decoupled softmax in plain operations, for autograd: a target for every pair."""
    targets = positives.to(scores.dtype)
    if soft is not None:
        targets[soft.rows, soft.columns] = soft.values.to(scores.dtype)
    negative = (1 - targets).masked_fill(ignored, 0)
    below = (scores.exp() * negative).sum(dim=1, keepdim=True)
    weights = targets if importance is None else targets * importance
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    return ((torch.log(scores.exp() + below) - scores) * weights).sum(dim=1).mean()


def soft_of(positives, ignored, seed=0):
    free = (~positives & ~ignored).nonzero()
    chosen = free[torch.randperm(len(free), generator=torch.Generator().manual_seed(seed))[: len(free) // 2]]
    return SoftTargets(chosen[:, 0], chosen[:, 1], torch.linspace(0.1, 0.9, len(chosen)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("graded", [False, True])
def test_weights_and_graded_targets_equal_the_formula_in_value_and_slope(weighted, graded):
    for seed, (b, k) in enumerate([(6, 11), (9, 4)]):
        scores, positives, ignored = masks(b, k, seed)
        soft = soft_of(positives, ignored) if graded else None
        importance = torch.linspace(0.5, 3, k) if weighted else None
        by_hand, plain = scores.double().requires_grad_(), scores.double().requires_grad_()
        ours = decoupled_softmax(by_hand, positives, ignored, importance, soft)
        theirs = formula(plain, positives, ignored, importance, soft)
        torch.testing.assert_close(ours, theirs)
        ours.backward()
        theirs.backward()
        torch.testing.assert_close(by_hand.grad, plain.grad)


def test_golden_weights_of_positives():
    # As in the golden case above, the second label three times as heavy: (ln 2 + 3 ln 4/3) / 4, of two documents.
    scores = torch.tensor([[0.0, math.log(3), 0.0], [5.0, 1.0, 2.0]])
    positives = torch.tensor([[True, True, False], [False, False, False]])
    loss = float(decoupled_softmax(scores, positives, None, torch.tensor([1.0, 3.0, 7.0])))
    assert math.isclose(loss, (math.log(2) + 3 * math.log(4 / 3)) / 8, rel_tol=1e-6)


def test_golden_graded_target():
    # Scores all 0; targets 1, 0.5, 0. Negatives: 0.5 e^0 + e^0 = 1.5. Both positives cost ln 2.5; weights 1 and 0.5.
    soft = SoftTargets(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5]))
    positives = torch.tensor([[True, False, False]])
    loss = decoupled_softmax(torch.zeros(1, 3), positives, None, None, soft)
    assert math.isclose(float(loss), math.log(2.5), rel_tol=1e-6)


def test_plain_softmax_golden_and_against_cross_entropy():
    # Positives 0 and ln 3, negative 0: the sum is 5 for both.
    scores = torch.tensor([[0.0, math.log(3), 0.0], [5.0, 1.0, 2.0]])
    positives = torch.tensor([[True, True, False], [False, False, False]])
    expected = (math.log(5) + math.log(5 / 3)) / 4
    assert math.isclose(float(softmax_cross_entropy(scores, positives)), expected, rel_tol=1e-6)
    scores, positives, ignored = masks(7, 5, 1)
    importance = torch.tensor([1.0, 2.0, 0.5, 4.0, 1.0])
    weights = positives * importance
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    hidden = scores.masked_fill(ignored, -1e4)
    expected = torch.nn.functional.cross_entropy(hidden, weights)
    torch.testing.assert_close(softmax_cross_entropy(scores, positives, ignored, importance), expected)


def test_labels_of_a_document_compete_in_the_plain_softmax_alone():
    positives = torch.tensor([[True, True, False]])
    apart, near = torch.tensor([[4.0, 0.0, -1.0]]), torch.tensor([[0.0, 0.0, -1.0]])
    for loss, competes in ((decoupled_softmax, False), (softmax_cross_entropy, True)):
        scores = apart.clone().requires_grad_()
        loss(scores, positives).backward()
        assert bool(scores.grad[0, 0] > 0) == competes
    assert float(softmax_cross_entropy(apart, positives)) > float(softmax_cross_entropy(near, positives))
