"""Losses of whole rankings: cases by hand, naive loops, samples against all labels."""

import math

import numpy as np
import pytest
import torch

from eclare_py.model.rank_losses import AtHand, RankLoss, perhaps_missing, weighted_bce

B, U = 4, 9


def judged_of(seed=0, weights=None):
    random = np.random.default_rng(seed)
    kind = random.integers(0, 3, size=(B, U))  # positive, negative, filtered
    kind[1] = 1  # without positives
    kind[2, 1:] = 0  # without negatives
    kind[2, 0] = 2
    masks = (torch.from_numpy(kind == 0), torch.from_numpy(kind == 1))
    return AtHand(*masks, torch.ones(U) if weights is None else weights)


def naive(scores, judged, margin):
    total = 0.0
    for row in range(B):
        positives = [float(s) for s, p in zip(scores[row], judged.positives[row], strict=True) if p]
        negatives = [
            (float(s), float(w))
            for s, n, w in zip(scores[row], judged.negatives[row], judged.weights, strict=True)
            if n
        ]
        if positives and negatives:
            total += sum(w * max(max(0.0, margin + n - p) for p in positives) for n, w in negatives)
            total += sum(max(max(0.0, margin + n - p) for n, _ in negatives) for p in positives)
    return total / B


def test_by_hand():
    scores = torch.tensor([[2.0, 0.5, 1.0, -1.0]])
    relevant = torch.tensor([[True, True, False, False]])
    judged = AtHand(relevant, ~relevant, torch.ones(4))
    # L_P: negative 1.0 against the lowest positive 0.5: 1 + 0.5; -1.0: nothing. L_N: 2.0: nothing; 0.5: 1 + 0.5.
    assert float(RankLoss(margin=1.0)(scores, judged)) == pytest.approx(3.0)
    assert float(RankLoss(margin=3.0)(scores, judged)) == pytest.approx((3.5 + 1.5) + (2.0 + 3.5))
    assert float(RankLoss(margin=3.0, mean=True)(scores, judged)) == pytest.approx((3.5 + 1.5) / 2 + (2.0 + 3.5))
    bounded = RankLoss(margin=1.0, bounded=0.5)(scores, judged)
    assert float(bounded) == pytest.approx(1.5 + (1 - math.exp(-0.75)) / 0.5)


@pytest.mark.parametrize("margin", [0.3, 2.0])
def test_it_is_the_sum_over_all_pairs_of_extremes(margin):
    weights = torch.tensor([1.0, 2, 1, 5, 1, 1, 3, 1, 1])
    scores, judged = torch.randn(B, U, generator=torch.Generator().manual_seed(2)), judged_of(weights=weights)
    assert float(RankLoss(margin=margin)(scores, judged)) == pytest.approx(naive(scores, judged, margin), rel=1e-5)


def test_softness_tends_to_the_hard_loss_and_at_one_is_a_softmax():
    scores, judged = torch.randn(B, U, generator=torch.Generator().manual_seed(3)), judged_of(5)
    hard = float(RankLoss(margin=0.7)(scores, judged))
    assert float(RankLoss(margin=0.7, softness=1e-3)(scores, judged)) == pytest.approx(hard, rel=1e-2)
    one = AtHand(torch.tensor([[True, False, False]]), torch.tensor([[False, True, True]]), torch.tensor([1.0, 1, 4]))
    row = torch.tensor([[0.3, -0.2, 0.9]])
    soft = -math.log(math.exp(0.3) / (math.exp(0.3) + math.exp(-0.2) + 4 * math.exp(0.9)))
    against_lowest = 4 * (0.9 - 0.3)  # without a margin the other is far enough below
    assert float(RankLoss(margin=0.0, softness=1.0)(row, one)) == pytest.approx(soft + against_lowest, rel=1e-5)


def test_documents_without_positives_or_negatives_have_no_slope():
    scores = torch.randn(B, U, generator=torch.Generator().manual_seed(4)).requires_grad_()
    for loss in (RankLoss(5.0), RankLoss(5.0, softness=1.0, mean=True, bounded=0.3), RankLoss(5.0, trim=0.12)):
        scores.grad = None
        loss(scores, judged_of()).backward()
        assert torch.isfinite(scores.grad).all() and (scores.grad[1:3] == 0).all() and (scores.grad[[0, 3]] != 0).any()


def test_what_may_be_missing_is_left_out_by_weight():
    scores = torch.tensor([[0.0, 4, 3, 2, 1]])
    judged = AtHand(
        torch.tensor([[True, False, False, False, False]]), torch.tensor([[False, True, True, True, True]]),
        torch.tensor([1.0, 1, 5, 1, 2]),
    )  # fmt: skip
    assert perhaps_missing(scores, judged, 0.1).tolist() == [[False, True, False, False, False]]  # 1 of 10
    assert perhaps_missing(scores, judged, 0.6).tolist() == [[False, True, True, False, False]]
    assert not perhaps_missing(scores, judged, 0.05).any()
    assert float(RankLoss(margin=0.0, trim=0.6)(scores, judged)) == pytest.approx((2 + 2 * 1) + 2)


def test_random_negatives_stand_for_all():
    n_labels, draws, random = 40, 3000, np.random.default_rng(0)
    scores = torch.randn(2, n_labels, generator=torch.Generator().manual_seed(1))
    positives = torch.zeros(2, n_labels, dtype=torch.bool)
    positives[0, 3] = positives[1, 5] = positives[1, 7] = True
    everything = AtHand(positives, ~positives, torch.ones(n_labels))
    own = np.array([3, 5, 7])
    others = np.setdiff1d(np.arange(n_labels), own)

    def sampled(loss):
        values = []
        for _ in range(draws):
            at_hand = np.sort(np.concatenate([own, random.choice(others, 10, replace=False)]))
            weights = np.where(np.isin(at_hand, own), 1, len(others) / 10).astype(np.float32)
            some = AtHand(positives[:, at_hand], ~positives[:, at_hand], torch.from_numpy(weights))
            values.append(float(loss(scores[:, at_hand], some)))
        return np.mean(values)

    assert sampled(weighted_bce) == pytest.approx(float(weighted_bce(scores, everything)), rel=0.02)
    above_lowest = torch.relu(1 + scores - scores.masked_fill(~positives, 9).min(dim=1).values[:, None]) * ~positives

    def of_negatives(part, some):  # L_P alone: sums over negatives are met in expectation, the highest of them is not
        lowest = part.masked_fill(~some.positives, 9).min(dim=1).values
        return (torch.relu(1 + part - lowest[:, None]) * some.negatives * some.say).sum(dim=1).mean()

    assert sampled(of_negatives) == pytest.approx(float(above_lowest.sum(dim=1).mean()), rel=0.02)
