import math

import pytest
import torch

from eclare_py.config import load_config
from eclare_py.errors import ConfigError
from eclare_py.model.auxiliary_config import ThresholdMarginConfig
from eclare_py.model.threshold_margin import threshold_margin


def naive(cosines, positives, ignored, config):
    low, high = [], []
    for i, row in enumerate(cosines.tolist()):
        for k, cosine in enumerate(row):
            if positives[i, k]:
                low += [config.positive - cosine] if cosine <= config.positive else []
            elif not ignored[i, k]:
                high += [cosine - config.negative] if cosine >= config.negative else []
    parts = [sum(some) / len(some) if some else 0.0 for some in (low, high)]
    return config.positive_weight * parts[0] + config.negative_weight * parts[1]


@pytest.mark.parametrize(("b", "k"), [(5, 9), (8, 4), (1, 13)])
def test_equals_the_naive_loop(b, k):
    generator = torch.Generator().manual_seed(b)
    kind = torch.randint(0, 4, (b, k), generator=generator)
    cosines = torch.rand(b, k, generator=generator, dtype=torch.float64) * 2 - 1
    config = ThresholdMarginConfig(1.0, 0.3, -0.2, 0.7, 1.9)
    found = float(threshold_margin(cosines, kind == 0, kind == 1, config))
    assert math.isclose(found, naive(cosines, kind == 0, kind == 1, config), rel_tol=1e-9) and found > 0


def test_golden():
    # Positives below 0.9: 0.5 and 0.8, 0.4 and 0.1 short, mean 0.25; 0.95 does not count.
    # Negatives above 0.5: 0.6 and 0.8, 0.1 and 0.3 over, mean 0.2; 0.1 and 0.4 do not count, 0.99 is filtered.
    cosines = torch.tensor([[0.5, 0.95, 0.6, 0.1], [0.8, 0.4, 0.8, 0.99]])
    positives = torch.tensor([[True, True, False, False], [True, False, False, False]])
    ignored = torch.tensor([[False, False, False, False], [False, False, False, True]])
    both = threshold_margin(cosines, positives, ignored, ThresholdMarginConfig())
    assert math.isclose(float(both), 0.25 + 0.2, rel_tol=1e-6)
    weighted = threshold_margin(cosines, positives, ignored, ThresholdMarginConfig(9.0, positive_weight=2.0))
    assert math.isclose(float(weighted), 2 * 0.25 + 0.2, rel_tol=1e-6)  # the weight of all is the caller's


def test_the_slope_moves_violators_alone_and_each_kind_by_one_in_all():
    cosines = torch.tensor([[0.5, 0.95, 0.6, 0.1, 0.7, 0.99]], requires_grad=True)
    positives = torch.tensor([[True, True, False, False, False, False]])
    ignored = torch.tensor([[False, False, False, False, False, True]])
    threshold_margin(cosines, positives, ignored, ThresholdMarginConfig()).backward()
    torch.testing.assert_close(cosines.grad, torch.tensor([[-1.0, 0.0, 0.5, 0.0, 0.5, 0.0]]))


def test_all_pairs_in_order_give_zero_with_a_slope_of_zero():
    for shape in ((2, 3), (3, 0)):
        cosines = torch.zeros(shape, requires_grad=True)
        loss = threshold_margin(cosines, torch.zeros(shape, dtype=torch.bool), None, ThresholdMarginConfig())
        loss.backward()
        assert loss.item() == 0 and torch.all(cosines.grad == 0)


def test_half_precision_is_summed_in_single():
    cosines = torch.full((100, 70), 0.75, dtype=torch.bfloat16)
    loss = threshold_margin(cosines, torch.ones(100, 70, dtype=torch.bool), None, ThresholdMarginConfig())
    assert loss.dtype == torch.float32 and math.isclose(float(loss), 0.15, rel_tol=1e-5)


def test_margins_the_wrong_way_round_are_refused():
    with pytest.raises(ConfigError, match="negative=0.5 must not be above positive=0.3"):
        load_config(ThresholdMarginConfig, {"positive": 0.3}, "recipe.yaml")
