"""Comparing groups: exact where all swaps can be listed, and by simulation what the tests promise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from eclare_py.metrics.per_document import DocumentScores
from eclare_py.metrics.significance import (
    GroupTest,
    compare_groups,
    holm,
    mean_scores,
    spread_over_seeds,
    swap_p,
)

CELLS, DOCUMENTS = 400, 150  # every cell is one experiment


def run(gained: np.ndarray, possible: np.ndarray | None = None, test_set: str = "t") -> DocumentScores:
    possible = np.ones_like(gained) if possible is None else possible
    return DocumentScores(tuple((f"m{i}", "all") for i in range(len(gained))), gained, possible, test_set)


def simulated(
    seed: int, runs: tuple[int, int] = (3, 3), *, effect: float = 0.0, seeds: float = 0.06, paired: float = 0.4
) -> GroupTest:
    """Groups of crossed data: documents (sd 1), group x document, seeds (sd of a whole run), and a rest (sd 0.5)."""
    random = np.random.default_rng(seed)
    documents = random.normal(0, 1, (CELLS, DOCUMENTS))
    groups = []
    for place, count in enumerate(runs):
        common = documents + place * effect + random.normal(0, paired / 2**0.5, (CELLS, DOCUMENTS))
        groups.append(
            [
                run(common + random.normal(0, seeds, (CELLS, 1)) + random.normal(0, 0.5, (CELLS, DOCUMENTS)))
                for _ in range(count)
            ]
        )
    return compare_groups(*groups, swaps=1999)  # enough for the first step of Holm over 40 cells


def families(p: np.ndarray, size: int = 40) -> float:
    """Share of families of tests with an alarm after Holm's correction."""
    return float(np.mean([(holm(p[i : i + size]) < 0.05).any() for i in range(0, len(p), size)]))


@pytest.mark.parametrize("uneven", [False, True])
def test_random_swaps_agree_with_all_swaps(uneven: bool) -> None:
    random = np.random.default_rng(4)
    gained = random.integers(0, 3, (2, 2, 9)).astype(float)  # side, cell, document
    possible = gained + random.integers(1, 3, (2, 2, 9)) if uneven else np.full((2, 2, 9), 3.0)
    found = swap_p(run(gained[0], possible[0]), run(gained[1], possible[1]), swaps=20_000)

    def difference(flags: tuple[int, ...], cell: int) -> float:
        sides = np.array(flags), 1 - np.array(flags)
        g = [sum(gained[side[i], cell, i] for i in range(9)) for side in sides]
        p = [sum(possible[side[i], cell, i] for i in range(9)) for side in sides]
        return abs(g[1] / p[1] - g[0] / p[0])

    for cell in range(2):
        observed = difference((0,) * 9, cell)
        exact = np.mean([difference(f, cell) >= observed - 1e-12 for f in itertools.product((0, 1), repeat=9)])
        assert found[cell] == pytest.approx(exact, abs=0.015)
        assert exact < 1


def test_equal_groups_have_p_of_one_and_an_empty_cell_none() -> None:
    gained = np.array([[1.0, 0, 0.5, 0, 1], [0, 0, 0, 0, 0]])
    possible = np.array([[1.0] * 5, [0] * 5])
    result = compare_groups([run(gained, possible)] * 2, [run(gained, possible)] * 3, swaps=99)
    assert (result.p[0], result.p_documents[0], result.p_seeds[0]) == (1, 1, 1)
    assert (result.difference[0], result.low[0], result.high[0]) == (0, 0, 0)
    assert np.isnan(result.p[1]) and np.isnan(result.low[1]) and np.isnan(result.base[1])


def test_the_least_p_counts_the_observed_assignment() -> None:
    base, other = np.zeros((1, 60)), np.ones((1, 60))
    assert swap_p(run(base), run(other), swaps=199)[0] == 1 / 200


def test_group_means_and_spread() -> None:
    first, second = run(np.array([[1.0, 0, 0, 1]])), run(np.array([[1.0, 0, 0, 0]]))
    assert mean_scores([first, second]).figures().tolist() == [37.5]
    assert spread_over_seeds([first, second])[0] == pytest.approx(25 / 2**0.5)
    assert np.isnan(spread_over_seeds([first])[0])


def test_seed_noise_is_no_difference_between_recipes() -> None:
    result = simulated(1)
    assert np.mean(result.p_documents < 0.05) > 0.15  # what documents alone would claim
    assert 0.02 < np.mean(result.p < 0.05) < 0.07
    assert families(result.p) <= 0.1
    assert 0.93 < np.mean((result.low <= 0) & (result.high >= 0)) < 0.98


@pytest.mark.parametrize(("seeds", "paired"), [(0.0, 0.0), (0.06, 0.0), (0.0, 0.6)])
def test_false_alarms_stay_near_the_level(seeds: float, paired: float) -> None:
    result = simulated(2, seeds=seeds, paired=paired)
    assert np.mean(result.p < 0.05) < 0.07
    assert families(result.p) <= 0.1


@pytest.mark.parametrize("runs", [(2, 2), (1, 3), (3, 5)])
def test_other_numbers_of_runs_hold_the_level_too(runs: tuple[int, int]) -> None:
    result = simulated(3, runs)
    assert 0 < np.mean(result.p < 0.05) < 0.07  # few degrees of freedom make it careful
    assert families(result.p) <= 0.1


def test_a_real_difference_is_found_and_more_seeds_find_smaller_ones() -> None:
    strong = simulated(4, effect=0.4)
    assert np.mean(holm(strong.p[:40]) < 0.05) > 0.6
    assert np.all(strong.difference[holm(strong.p) < 0.05] > 0)
    assert np.mean((strong.low <= 40) & (strong.high >= 40)) > 0.93
    few, many = (np.mean(simulated(5, (size, size), effect=0.2).p < 0.05) for size in (2, 6))
    assert few + 0.1 < many


def test_matched_runs_share_their_seed() -> None:
    random = np.random.default_rng(7)
    shape = (CELLS, DOCUMENTS)
    seeds = [random.normal(0, 0.5, (CELLS, 1)) + random.normal(0, 1, shape) for _ in range(3)]
    base, same, better = (
        [run(one + effect + random.normal(0, 0.03, (CELLS, 1)) + random.normal(0, 0.2, shape)) for one in seeds]
        for effect in (0.0, 0.0, 0.2)
    )
    nothing = compare_groups(base, same, matched=True, swaps=1999)
    assert 0 < np.mean(nothing.p < 0.05) < 0.07
    assert families(nothing.p) <= 0.1
    found = {matched: compare_groups(base, better, matched=matched, swaps=1999).p for matched in (True, False)}
    assert np.mean(found[True] < 0.05) > 0.9 > 0.1 > np.mean(found[False] < 0.05)
    with pytest.raises(ValueError, match="3 and 2 runs cannot be matched"):
        compare_groups(base, better[:2], matched=True)


def test_single_runs_are_tested_over_documents_alone() -> None:
    result = simulated(6, (1, 1), seeds=0.0)
    assert np.isnan(result.p_seeds).all()
    assert np.array_equal(result.p, result.p_documents)
    assert 0.02 < np.mean(result.p < 0.05) < 0.08


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    table = holm(np.array([[0.9, np.nan], [0.6, 0.02]]))
    assert table.shape == (2, 2)
    assert table.ravel().tolist() == pytest.approx([1, np.nan, 1, 0.06], nan_ok=True)
    assert holm(np.array([])).tolist() == []


@pytest.mark.parametrize(
    "other",
    [run(np.zeros((2, 4))), run(np.zeros((1, 5))), run(np.zeros((1, 4)), test_set="u")],
    ids=["cells", "documents", "test set"],
)
def test_runs_that_do_not_belong_together_are_refused(other: DocumentScores) -> None:
    with pytest.raises(ValueError, match="different cells or test documents"):
        compare_groups([run(np.zeros((1, 4)))], [other])
