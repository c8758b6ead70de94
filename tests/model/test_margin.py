import math

import pytest
import torch

from eclare_py.model import margin
from eclare_py.model.margin import dynamic_margin


def naive(cosines, positives, ignored, importance):
    total = 0.0
    for i, row in enumerate(cosines.tolist()):
        chosen = [k for k in range(len(row)) if positives[i, k]]
        others = sorted((row[k] for k in range(len(row)) if not positives[i, k] and not ignored[i, k]), reverse=True)
        weight = sum(float(importance[k]) for k in chosen)
        for p in chosen:
            found = []
            for score in others[: margin.HARDEST]:
                gap = score - row[p]
                found.append(max(0.0, gap + min(max(abs(gap), 0.1), 0.3)))
            broken = [value for value in found if value > 0]
            mass = sum(math.exp(value / 0.1) for value in broken)
            total += float(importance[p]) / weight * sum(v * math.exp(v / 0.1) / mass for v in broken)
    return total / len(cosines)


@pytest.mark.parametrize("hardest", [3, 50])
def test_equals_the_naive_loop(hardest, monkeypatch):
    monkeypatch.setattr(margin, "HARDEST", hardest)
    for seed, (b, k) in enumerate([(5, 9), (8, 4), (1, 13)]):
        generator = torch.Generator().manual_seed(seed)
        kind = torch.randint(0, 4, (b, k), generator=generator)
        cosines = torch.rand(b, k, generator=generator, dtype=torch.float64) * 2 - 1
        importance = torch.linspace(1, 2, k)
        expected = naive(cosines, kind == 0, kind == 1, importance)
        assert math.isclose(
            float(dynamic_margin(cosines, kind == 0, kind == 1, importance)), expected, rel_tol=1e-6, abs_tol=1e-12
        )


def test_golden():
    # Gaps of the negatives: 0.05 (margin 0.1, violation 0.15), -0.2 (margin 0.2, violation 0), -0.5 (0.3: none).
    cosines = torch.tensor([[0.5, 0.55, 0.3, 0.0]])
    positives = torch.tensor([[True, False, False, False]])
    assert math.isclose(float(dynamic_margin(cosines, positives)), 0.15, rel_tol=1e-5)


def test_the_slope_pushes_a_positive_and_its_violators_apart_and_leaves_the_rest():
    cosines = torch.tensor([[0.5, 0.55, 0.48, 0.0, 0.9], [0.1, 0.2, 0.3, 0.4, 0.5]], requires_grad=True)
    positives = torch.tensor([[True, False, False, False, False], [False] * 5])
    ignored = torch.tensor([[False, False, False, False, True], [False] * 5])
    dynamic_margin(cosines, positives, ignored).backward()
    slope = cosines.grad
    assert slope[0, 1] > slope[0, 2] > 0 and slope[0, 3] == 0 and slope[0, 4] == 0
    # Weights and margins have no slope: those of the violators sum to that of the positive, half as two documents.
    torch.testing.assert_close(slope[0, 0], torch.tensor(-0.5))
    torch.testing.assert_close(slope[0, 1:].sum(), torch.tensor(0.5))
    assert torch.all(slope[1] == 0)


def test_nothing_at_hand():
    for shape in ((3, 0), (2, 4)):
        cosines = torch.zeros(shape, requires_grad=True)
        loss = dynamic_margin(cosines, torch.ones(shape, dtype=torch.bool))
        loss.backward()
        assert loss.item() == 0 and torch.all(cosines.grad == 0)
