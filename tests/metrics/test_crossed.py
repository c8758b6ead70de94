"""Variance over documents and seeds: against a naive analysis of variance, against exact integrals, and its prior."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from eclare_py.metrics.crossed import Components, components, half_width, moderate, two_sided
from eclare_py.metrics.per_document import DocumentScores


def run(gained: np.ndarray, possible: np.ndarray) -> DocumentScores:
    return DocumentScores(tuple((f"m{i}", "all") for i in range(len(gained))), gained, possible, "t")


def naive(groups: list[np.ndarray]) -> tuple[float, float, float]:
    """documents, seeds and rest of two (S, N) tables, cell by cell of the tables."""
    n = groups[0].shape[1]
    scale, spare = sum(1 / len(x) for x in groups), sum(len(x) - 1 for x in groups)
    moved = [sum(groups[1][:, i]) / len(groups[1]) - sum(groups[0][:, i]) / len(groups[0]) for i in range(n)]
    documents = sum((z - sum(moved) / n) ** 2 for z in moved) / (n - 1) / n
    seeds = rest = 0.0
    for x in groups:
        for s, i in itertools.product(range(len(x)), range(n)):
            seeds += (x[s].mean() - x.mean()) ** 2 / n
            rest += (x[s, i] - x[:, i].mean() - x[s].mean() + x.mean()) ** 2
    return documents, scale * seeds / spare, scale * rest / (spare * (n - 1)) / n


def test_components_are_those_of_a_two_way_analysis() -> None:
    rng = np.random.default_rng(0)
    means = [rng.normal(size=(2, 3, 7)), rng.normal(size=(2, 2, 7))]  # group; cell, seed, document
    ones = np.ones((2, 7))
    found = components(*([run(x[:, s], ones) for s in range(x.shape[1])] for x in means))
    assert found.spare == 3 and found.counted.tolist() == [7, 7]
    for cell in range(2):
        expected = naive([100 * x[cell] for x in means])
        assert (found.documents[cell], found.seeds[cell], found.rest[cell]) == pytest.approx(expected)


def test_matched_runs_are_analysed_by_their_differences() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 3, 7))
    groups = [[run(one[None], np.ones((1, 7))) for one in group] for group in (first, second)]
    found = components(*groups, matched=True)
    x = 100 * (second - first)
    x = x - x.mean()
    seeds = np.var(x.mean(axis=1), ddof=1) / 3
    rest = np.sum((x - x.mean(axis=0) - x.mean(axis=1, keepdims=True)) ** 2) / (2 * 6) / 7 / 3
    assert found.spare == 2
    assert (found.seeds[0], found.rest[0]) == pytest.approx((seeds, rest))
    assert found.documents[0] == pytest.approx(components(*groups).documents[0])


def test_ratios_are_taken_to_first_order() -> None:
    rng = np.random.default_rng(1)
    possible = rng.integers(0, 4, (1, 8)).astype(float)
    gained = [[rng.binomial(possible.astype(int), 0.4).astype(float) for _ in range(size)] for size in (2, 3)]
    found = components(*([run(one, possible) for one in group] for group in gained))
    tables = []
    for group in gained:
        share = np.mean([one.sum() for one in group]) / possible.sum()
        tables.append(np.stack([100 * (one[0] - share * possible[0]) / possible.mean() for one in group]))
    assert (found.documents[0], found.seeds[0], found.rest[0]) == pytest.approx(naive(tables))
    # the figures of the runs themselves vary by just that much
    figures = [[100 * one.sum() / possible.sum() for one in group] for group in gained]
    pooled = sum(np.sum((np.array(x) - np.mean(x)) ** 2) for x in figures) / 3
    assert found.seeds[0] == pytest.approx(pooled * (1 / 2 + 1 / 3))


def test_one_run_each_has_documents_alone_and_an_empty_cell_nothing() -> None:
    gained = np.array([[1.0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 1, 0]])
    possible = np.array([[1.0] * 4, [0] * 4, [0, 0, 1, 0]])  # the ratio of one document has no variance
    other = np.array([[0.0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    found = components([run(gained, possible)], [run(other, possible)])
    assert found.spare == 0 and found.counted.tolist() == [4, 0, 0]
    assert found.documents[0] == pytest.approx(100**2 * np.var([-1, 1, -1, 1], ddof=1) / 4)
    assert found.seeds[0] == found.rest[0] == 0
    assert np.isnan(found.documents[1:]).all()
    assert moderate(found) == (found.seeds, 0.0)


@pytest.mark.parametrize(("first", "df_1", "second", "df_2"), [(1, 4, 1, 30), (0.2, 4, 3, 200), (5, 2.5, 0.001, 9)])
def test_tails_are_those_of_the_sum(first: float, df_1: float, second: float, df_2: float) -> None:
    for distance in (0.0, 0.7, 3.0, 9.0):

        def beyond(v: float, distance: float = distance) -> float:
            low, high = ((end - second**0.5 * v) / first**0.5 for end in (-distance, distance))
            return float(stats.t.pdf(v, df_2) * (stats.t.sf(high, df_1) + stats.t.cdf(low, df_1)))

        exact = integrate.quad(beyond, -np.inf, np.inf, limit=300, epsabs=1e-12)[0]
        columns = [np.array([float(x)]) for x in (distance, first, df_1, second, df_2)]
        turned = [columns[0], *columns[3:], *columns[1:3]]
        assert two_sided(*columns)[0] == pytest.approx(exact, rel=1e-4)
        assert two_sided(*turned)[0] == pytest.approx(exact, rel=1e-4)


def test_without_one_variance_it_is_students_t() -> None:
    nothing, four, nine = np.zeros(3), np.full(3, 4.0), np.full(3, 9.0)
    distance = np.array([0.0, 1.0, 20.0])
    assert two_sided(distance, nine, four, nothing, nine) == pytest.approx(2 * stats.t.sf(distance / 3, 4), rel=1e-6)
    assert two_sided(distance, nothing, four, nothing, nine).tolist() == [1, 0, 0]


def test_half_width_is_the_quantile() -> None:
    columns = [np.array(x) for x in ([1.0, 0.0, 0.3], [4.0, 4.0, 6.0], [2.0, 4.0, 0.0], [50.0, 10.0, 9.0])]
    width = half_width(0.9, *columns)
    assert two_sided(width, *columns) == pytest.approx(0.1, abs=1e-6)
    assert width[1:] == pytest.approx([2 * stats.t.ppf(0.95, 10), 0.3**0.5 * stats.t.ppf(0.95, 6)], rel=1e-5)
    assert half_width(0.9, *(np.zeros(1) if i in (0, 2) else x[:1] for i, x in enumerate(columns)))[0] == 0


def parts(seeds: np.ndarray, rest: np.ndarray, spare: int) -> Components:
    return Components(seeds + rest, seeds, rest, np.full(len(seeds), 100), spare)


def test_seed_variances_that_differ_by_chance_alone_are_drawn_together() -> None:
    rng = np.random.default_rng(2)
    rest = rng.uniform(0.1, 10, 300)
    chance = rest * 3 * rng.chisquare(4, 300) / 4  # truly 3 times the rest, all over
    seeds, degrees = moderate(parts(chance, rest, 4))
    assert degrees == 8  # the prior counts as much as the cell and no more
    assert np.std(np.log(seeds / rest)) < 0.6 * np.std(np.log(chance / rest))
    assert np.mean(seeds / rest) == pytest.approx(3, rel=0.15)


def test_seed_variances_that_truly_differ_are_left_alone() -> None:
    rng = np.random.default_rng(3)
    rest = np.ones(300)
    different = np.exp(rng.normal(0, 4, 300)) * rng.chisquare(4, 300) / 4
    _, degrees = moderate(parts(different, rest, 4))
    assert 4 < degrees < 5


def test_few_cells_or_cells_without_rest_borrow_nothing() -> None:
    few = parts(np.linspace(1, 5, 9), np.ones(9), 4)
    assert moderate(few) == (few.seeds, 4.0)
    seeds, rest = np.linspace(1, 5, 30), np.ones(30)
    seeds[3] = rest[3] = 0.0
    moderated, _ = moderate(parts(seeds, rest, 4))
    assert moderated[3] == 0 and not np.array_equal(moderated, seeds)
