"""Every metric on one case that is worked out by hand.

Four documents, six labels; document 2 has no labels, label 5 no test positives, all rows but one are short:

    document   relevant    ranked        hits
    0          0 2         2 5 0         1 0 1
    1          3           0 3           0 1
    2          -           0 1 2 3       0 0 0 0
    3          0 1 4       1             1
"""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.metrics import evaluate, inverse_propensities
from eclare_py.metrics.coverage import count_labels, coverage, macro_f1, micro_recall
from eclare_py.metrics.propensity import best_gains, gains, psndcg_at, psp_at
from eclare_py.metrics.ranking import hits, ideal_dcg, ndcg_at, precision_at, recall_at, relevant_counts
from eclare_py.types import Ranking, as_csr

RANKED = Ranking(
    np.array([[2, 5, 0, -1], [0, 3, -1, -1], [0, 1, 2, 3], [1, -1, -1, -1]]),
    np.array([[4, 3, 2, -np.inf], [2, 2, -np.inf, -np.inf], [4, 3, 2, 1], [1, *[-np.inf] * 3]], dtype=np.float32),
)
TRUTH = as_csr(sp.csr_array(np.array([[1, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0] * 6, [1, 1, 0, 0, 1, 0]])))
FREQUENCIES = np.array([100, 6, 5, 1, 0, 20])
INVERSE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
HIT = hits(RANKED, TRUTH)
RELEVANT = relevant_counts(TRUTH)
D2, D3 = 1 / log2(3), 1 / 2  # the discounts of ranks 2 and 3


def test_hits() -> None:
    assert HIT.tolist() == [[True, False, True, False], [False, True, False, False], [False] * 4, [True] + [False] * 3]
    assert RELEVANT.tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize(("k", "share"), [(1, 2 / 4), (3, 4 / 12), (5, 4 / 20), (9, 4 / 36)])
def test_precision(k: int, share: float) -> None:
    assert precision_at(HIT, k) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(("k", "share"), [(1, (1 / 2 + 1 / 3) / 4), (2, (1 / 2 + 1 + 1 / 3) / 4), (9, (2 + 1 / 3) / 4)])
def test_recall(k: int, share: float) -> None:
    assert recall_at(HIT, RELEVANT, k) == pytest.approx(share, abs=1e-12)


def test_ndcg() -> None:
    assert ideal_dcg(RELEVANT, 2).tolist() == pytest.approx([1 + D2, 1, 0, 1 + D2])
    assert ndcg_at(HIT, RELEVANT, 1) == pytest.approx(2 / 4)
    whole = ((1 + D3) / (1 + D2) + D2 + 1 / (1 + D2 + D3)) / 4
    assert whole == pytest.approx(0.504982, abs=1e-6)
    for k in (3, 5, 9):
        assert ndcg_at(HIT, RELEVANT, k) == pytest.approx(whole, abs=1e-12)


def test_propensity_scored() -> None:
    gained, best = gains(RANKED, HIT, INVERSE, 5), best_gains(TRUTH, INVERSE, 5)
    assert gained.tolist() == [[3, 0, 1, 0, 0], [0, 4, 0, 0, 0], [0] * 5, [2, 0, 0, 0, 0]]
    assert best.tolist() == [[3, 1, 0, 0, 0], [4, 0, 0, 0, 0], [0] * 5, [5, 2, 1, 0, 0]]
    assert psp_at(gained, best, 1) == pytest.approx((3 + 0 + 2) / (3 + 4 + 5), abs=1e-12)
    assert psp_at(gained, best, 3) == psp_at(gained, best, 5) == pytest.approx((4 + 4 + 2) / (4 + 4 + 8), abs=1e-12)
    assert psndcg_at(gained, best, RELEVANT, 1) == pytest.approx(5 / 12, abs=1e-12)
    two, three = 1 + D2, 1 + D2 + D3
    above = (3 + D3) / two + 4 * D2 + 2 / three
    below = (3 + D2) / two + 4 + (5 + 2 * D2 + D3) / three
    assert psndcg_at(gained, best, RELEVANT, 3) == pytest.approx(above / below, abs=1e-12)
    assert above / below == pytest.approx(0.596659, abs=1e-6)


def test_inverse_propensities() -> None:
    # ln 20 - 1 = 1.995732, (1 + 1)^0.5 = 1.414214, (3 + 1)^-0.5 = 1/2
    assert inverse_propensities([3], 20, 0.5, 1.0)[0] == pytest.approx(1 + 1.995732 * 1.414214 / 2, abs=1e-5)
    # the default: C = (ln 100 - 1) 2.5^0.55 = 5.967518, 1.5^-0.55 = 0.800110
    assert inverse_propensities([0], 100)[0] == pytest.approx(1 + 5.967518 * 0.800110, abs=1e-4)
    assert inverse_propensities([0, 1, 2], 2).tolist() == [1, 1, 1]
    assert inverse_propensities([0], 0).tolist() == [1]


def test_counts_of_labels() -> None:
    counts = count_labels(RANKED, HIT, TRUTH, 5)
    assert counts.relevant.tolist() == [2, 1, 1, 1, 1, 0]
    assert counts.predicted.tolist() == [3, 2, 2, 2, 0, 1]
    assert counts.found.tolist() == [1, 1, 1, 1, 0, 0]
    rare = np.array([False, False, True, True, True, False])
    assert coverage(counts) == 4 / 5 and coverage(counts, rare) == 2 / 3
    assert micro_recall(counts) == 4 / 6 and micro_recall(counts, rare) == 2 / 3
    assert macro_f1(counts) == pytest.approx((2 / 5 + 2 / 3 + 2 / 3 + 2 / 3 + 0) / 5)
    first = count_labels(RANKED, HIT, TRUTH, 1)
    assert first.predicted.tolist() == [2, 1, 1, 0, 0, 0] and first.found.tolist() == [0, 1, 1, 0, 0, 0]
    nobody = np.zeros(6, dtype=bool)
    assert coverage(counts, nobody) is macro_f1(counts, nobody) is micro_recall(counts, nobody) is None


def test_the_whole_evaluation() -> None:
    result = evaluate(RANKED, TRUTH, FREQUENCIES, 200)
    assert list(result.metrics) == [
        "P@1", "P@3", "P@5", "nDCG@1", "nDCG@3", "nDCG@5", "PSP@1", "PSP@3", "PSP@5",
        "PSnDCG@1", "PSnDCG@3", "PSnDCG@5",
        "R@10", "R@100", "tail_R@10", "coverage@10", "tail_coverage@10", "macro_F1@5",
    ]  # fmt: skip
    shares = {
        "P@1": 50, "P@3": 33.3333, "P@5": 20, "nDCG@1": 50, "nDCG@3": 50.4982, "R@10": 58.3333, "R@100": 58.3333,
        "tail_R@10": 66.6667, "coverage@10": 80, "tail_coverage@10": 66.6667, "macro_F1@5": 48,
    }  # fmt: skip
    for name, value in shares.items():
        assert result.metrics[name] == pytest.approx(value, abs=1e-4), name
    w = inverse_propensities(FREQUENCIES, 200)
    assert result.metrics["PSP@1"] == pytest.approx(100 * (w[2] + w[1]) / (w[2] + w[3] + w[4]), abs=1e-4)
    assert result.settings == {
        "propensity_A": 0.55, "propensity_B": 1.5, "tail": 5, "train_documents": 200, "test_documents": 4,
        "test_documents_without_labels": 1, "labels": 6, "labels_without_test_positives": 1, "test_pairs": 6,
        "tail_test_pairs": 3, "filter_pairs": 0, "filter_pairs_dropped": 0, "ranked": 4,
    }  # fmt: skip


def test_bins_by_frequency() -> None:
    bins = {one.name: one for one in evaluate(RANKED, TRUTH, FREQUENCIES, 200).bins}
    assert list(bins) == ["0", "1-5", "6-20", "21-100", "101-1000", "over 1000"]
    sizes = {name: (one.labels, one.test_labels, one.pairs) for name, one in bins.items()}
    assert sizes == {"0": (1, 1, 1), "1-5": (2, 2, 2), "6-20": (2, 1, 1), "21-100": (1, 1, 2),
                     "101-1000": (0, 0, 0), "over 1000": (0, 0, 0)}  # fmt: skip
    assert bins["0"].metrics == {"R@10": 0, "R@100": 0, "coverage@10": 0, "macro_F1@5": 0}
    assert bins["1-5"].metrics == {"R@10": 100, "R@100": 100, "coverage@10": 100, "macro_F1@5": 66.6667}
    assert bins["21-100"].metrics == {"R@10": 50, "R@100": 50, "coverage@10": 100, "macro_F1@5": 40}
    assert set(bins["over 1000"].metrics.values()) == {None}


def test_a_filter_pair_lets_the_next_label_move_up() -> None:
    # document 0 loses label 5 at rank 2, document 1 loses label 0 at rank 1; label 4 of document 2 is not ranked
    result = evaluate(RANKED, TRUTH, FREQUENCIES, 200, filter_pairs=np.array([[0, 5], [1, 0], [2, 4]]))
    assert result.metrics["P@1"] == 75
    assert result.metrics["nDCG@3"] == pytest.approx(100 * (1 + 1 + 1 / (1 + D2 + D3)) / 4, abs=1e-4)
    assert result.metrics["macro_F1@5"] == pytest.approx(100 * (2 / 4 + 3 * 2 / 3) / 5, abs=1e-4)
    assert (result.settings["filter_pairs"], result.settings["filter_pairs_dropped"]) == (3, 2)


def test_tail_threshold_and_propensity_are_used() -> None:
    result = evaluate(RANKED, TRUTH, FREQUENCIES, 200, tail=1, propensity_a=0.6, propensity_b=2.6)
    assert result.metrics["tail_R@10"] == 50 and result.settings["tail"] == 1
    w = inverse_propensities(FREQUENCIES, 200, 0.6, 2.6)
    assert result.metrics["PSP@1"] == pytest.approx(100 * (w[2] + w[1]) / (w[2] + w[3] + w[4]), abs=1e-4)


def test_ties_count_in_the_order_of_the_label_ids() -> None:
    scores = as_csr(sp.csr_array(np.array([[0.0, 1, 1, 1], [2, 2, 0, 2]])))
    ranking = Ranking.from_csr(scores, 2)
    assert ranking.indices.tolist() == [[1, 2], [0, 1]]
    truth = as_csr(sp.csr_array(np.array([[0, 0, 0, 1], [0, 1, 0, 0]])))
    result = evaluate(ranking, truth, [1, 1, 1, 1], 9)
    assert result.metrics["P@1"] == 0 and result.metrics["R@10"] == 50
