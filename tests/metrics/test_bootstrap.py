"""Intervals over documents: against scipy, against what they promise, and where there is little to draw from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from eclare_py.metrics import bootstrap
from eclare_py.metrics.bootstrap import bootstrap_intervals, resampled_figures
from eclare_py.metrics.per_document import DocumentScores


def scores(gained: np.ndarray, possible: np.ndarray) -> DocumentScores:
    return DocumentScores(tuple((f"m{i}", "all") for i in range(len(gained))), gained, possible, "t")


def rare_bin(random: np.random.Generator, cells: int, documents: int) -> DocumentScores:
    """Ratios whose true value is 30 %: one document in three counts, most once, some up to four times."""
    possible = random.integers(1, 5, (cells, documents)) * (random.random((cells, documents)) < 1 / 3)
    return scores(random.binomial(possible, 0.3).astype(float), possible.astype(float))


def test_resampled_figures_are_ratios_of_the_drawn_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    one = rare_bin(np.random.default_rng(0), 3, 7)
    drawn = np.random.default_rng(5).integers(0, 7, (11, 7))
    naive = [[100 * g[row].sum() / p[row].sum() if p[row].sum() else np.nan
              for g, p in zip(one.gained, one.possible, strict=True)] for row in drawn]  # fmt: skip
    assert np.allclose(resampled_figures(one, 11, seed=5), naive, equal_nan=True)
    monkeypatch.setattr(bootstrap, "_BLOCK", 28)  # four draws at a time
    assert np.allclose(resampled_figures(one, 11, seed=5), naive, equal_nan=True)


def test_ends_agree_with_scipy() -> None:
    one = rare_bin(np.random.default_rng(1), 2, 90)
    found = bootstrap_intervals(one, resamples=8000, level=0.9, seed=3)
    for cell in range(2):
        expected = stats.bootstrap(
            (one.gained[cell], one.possible[cell]), lambda g, p, axis=-1: 100 * g.sum(axis) / p.sum(axis), paired=True,
            confidence_level=0.9, n_resamples=8000, method="BCa", rng=np.random.default_rng(2),
        ).confidence_interval  # fmt: skip
        assert found.low[cell] == pytest.approx(expected.low, abs=0.5)
        assert found.high[cell] == pytest.approx(expected.high, abs=0.5)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    found = bootstrap_intervals(rare_bin(np.random.default_rng(2), 600, 90), resamples=400)
    assert 0.925 < np.mean((found.low <= 30) & (found.high >= 30)) < 0.975
    assert 0.005 < np.mean(found.low > 30) < 0.05
    assert 0.005 < np.mean(found.high < 30) < 0.05


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_all_documents_agree_the_ends_are_those_of_a_binomial(share: float) -> None:
    possible = np.array([[0, 2.0, 2.0, 2.0, 0, 2.0, 2.0]])
    found = bootstrap_intervals(scores(share * possible, possible), resamples=20, level=0.9)
    exact = stats.binomtest(int(5 * share), 5).proportion_ci(0.9, method="exact")
    assert (found.low[0], found.high[0]) == pytest.approx((100 * exact.low, 100 * exact.high))


def test_nothing_possible_has_no_interval_and_shares_stay_in_range() -> None:
    gained = np.array([[0.0, 0, 0, 0], [1, 1, 1, 0.9], [4, -1, -1, 1.9]])
    possible = np.array([[0.0] * 4, [1] * 4, [1] * 4])
    found = bootstrap_intervals(scores(gained, possible), resamples=200)
    assert np.isnan(found.low[0]) and np.isnan(found.high[0])
    assert found.low[1] < 97.5 <= found.high[1] <= 100
    assert 0 <= found.low[2] <= 97.5 <= found.high[2] <= 100


def test_the_same_seed_gives_the_same_intervals_and_bad_calls_are_refused() -> None:
    one = rare_bin(np.random.default_rng(3), 2, 20)
    first, second, third = (bootstrap_intervals(one, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.low, second.low) and not np.array_equal(first.low, third.low)
    for bad in ({"level": 1.0}, {"level": 0.0}, {"resamples": 0}):
        with pytest.raises(ValueError, match="must be"):
            bootstrap_intervals(one, **bad)
