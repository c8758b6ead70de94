"""Coverage and macro F1 by document against leaving documents out one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.metrics.coverage import LabelCounts, count_labels, coverage, macro_f1
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.label_influence import label_count_scores
from eclare_py.metrics.significance import compare_groups
from eclare_py.types import Csr, Ranking, as_csr

N, L, K = 9, 13, 4


def problem(seed: int) -> tuple[Ranking, Csr]:
    """Nine documents, one without labels and one without predictions."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((N, L)) < 0.25).astype(float)
    ranked = rng.random((N, L)) * (rng.random((N, L)) < 0.6)
    truth[2], ranked[5] = 0, 0
    return Ranking.from_csr(as_csr(sp.csr_array(ranked)), 6), as_csr(sp.csr_array(truth))


def counts_of(ranking: Ranking, truth: Csr, rows: np.ndarray) -> LabelCounts:
    kept, labels = Ranking(ranking.indices[rows], ranking.scores[rows]), truth[rows]
    return count_labels(Judged.of(kept, labels), K)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("place", "figure"), [(0, coverage), (1, macro_f1)])
def test_influences_are_those_of_leaving_out(seed: int, place: int, figure: Callable[..., float | None]) -> None:
    ranking, truth = problem(seed)
    bins = {"all": np.ones(L, dtype=bool), "odd": np.arange(L) % 2 == 1}
    found = label_count_scores(Judged.of(ranking, truth), K, bins, test_set="t")
    assert found.cells == ((f"coverage@{K}", "all"), (f"macro_F1@{K}", "all"),
                           (f"coverage@{K}", "odd"), (f"macro_F1@{K}", "odd"))  # fmt: skip
    for row, among in ((place, bins["all"]), (place + 2, bins["odd"])):
        whole = figure(counts_of(ranking, truth, np.arange(N)), among)
        without = np.array([figure(counts_of(ranking, truth, np.delete(np.arange(N), i)), among) for i in range(N)])
        assert np.allclose(found.gained[row], whole + (N - 1) * (without.mean() - without))
        assert found.figures()[row] == pytest.approx(100 * whole)


def test_bins_without_test_labels_are_left_out_and_a_lone_document_tells_nothing() -> None:
    ranking = Ranking(np.array([[0, 2]]), np.array([[2.0, 1.0]], dtype=np.float32))
    truth = as_csr(sp.csr_array(np.array([[1.0, 0, 0]])))
    bins = {"none": np.array([False, False, True]), "all": np.ones(3, dtype=bool)}
    found = label_count_scores(Judged.of(ranking, truth), 5, bins, test_set="t")
    assert [name for _, name in found.cells] == ["all", "all"]
    assert found.gained.tolist() == [[1.0], [1.0]]
    empty = label_count_scores(Judged.of(ranking, truth), 5, {"none": bins["none"]}, test_set="t")
    assert empty.cells == () and empty.gained.shape == (0, 1)


@pytest.mark.parametrize(("changed", "real"), [(1, False), (25, True)])
def test_one_document_is_no_difference_and_many_are(changed: int, real: bool) -> None:
    """Labels of one test document each, of which one run finds some and the other none."""
    n, labels = 84, 30
    truth = sp.lil_array((n, labels + 1))
    truth[np.arange(labels), np.arange(labels)] = 1
    truth[np.arange(labels, n), labels] = 1
    runs = []
    for found in (changed, 0):
        best = np.full((n, 1), labels)
        best[:found, 0] = np.arange(found)
        judged = Judged.of(Ranking(best, np.ones((n, 1), dtype=np.float32)), as_csr(truth))
        runs.append(label_count_scores(judged, K, {"rare": np.arange(labels + 1) < labels}, test_set="t"))
    test = compare_groups(runs[:1], runs[1:], swaps=1999)
    assert test.difference[0] == pytest.approx(-100 * changed / labels)
    assert ((test.p < 0.01) == real).all() and ((test.high < 0) == real).all()
