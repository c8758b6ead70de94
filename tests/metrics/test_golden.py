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
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.propensity import Weights, best, micro_psr, psdcg, psndcg, psp, psr
from eclare_py.metrics.ranking import hits, ideal_dcg
from eclare_py.metrics.rare import decile_edges, ranges
from eclare_py.metrics.ratios import hit_rate, micro_f1, ndcg, pair_recall, precision, recall, reciprocal_rank
from eclare_py.types import Ranking, as_csr

RANKED = Ranking(
    np.array([[2, 5, 0, -1], [0, 3, -1, -1], [0, 1, 2, 3], [1, -1, -1, -1]]),
    np.array([[4, 3, 2, -np.inf], [2, 2, -np.inf, -np.inf], [4, 3, 2, 1], [1, *[-np.inf] * 3]], dtype=np.float32),
)
TRUTH = as_csr(sp.csr_array(np.array([[1, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0] * 6, [1, 1, 0, 0, 1, 0]])))
FREQUENCIES = np.array([100, 6, 5, 1, 0, 20])
INVERSE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
JUDGED = Judged.of(RANKED, TRUTH)
WEIGHTS = Weights.of(TRUTH, INVERSE)
ODD = np.array([0.0, 1, 0, 1, 0, 1])  # 1 for labels 1, 3 and 5
D2, D3 = 1 / log2(3), 1 / 2  # the discounts of ranks 2 and 3


def test_hits() -> None:
    found = [[True, False, True, False], [False, True, False, False], [False] * 4, [True] + [False] * 3]
    assert hits(RANKED, TRUTH).tolist() == found
    assert JUDGED.relevant.tolist() == [2, 1, 0, 3]
    assert JUDGED.hits.rows.tolist() == [0, 0, 1, 3]
    assert JUDGED.hits.ranks.tolist() == [0, 2, 1, 0]
    assert JUDGED.hits.labels.tolist() == [2, 0, 3, 1]


@pytest.mark.parametrize(("k", "share"), [(1, 2 / 4), (3, 4 / 12), (5, 4 / 20), (9, 4 / 36)])
def test_precision(k: int, share: float) -> None:
    assert precision(JUDGED, k).share == pytest.approx(share, abs=1e-12)


def test_precision_by_document_and_label() -> None:
    assert precision(JUDGED, 3).gained.tolist() == pytest.approx([2 / 3, 1 / 3, 0, 1 / 3])
    assert precision(JUDGED, 3, among=ODD).gained.tolist() == pytest.approx([0, 1 / 3, 0, 1 / 3])
    skipped = precision(JUDGED, 3, without_labels="skip")
    assert skipped.possible.tolist() == [1, 1, 0, 1] and skipped.share == pytest.approx(4 / 9)


@pytest.mark.parametrize(("k", "share"), [(1, (1 / 2 + 1 / 3) / 4), (2, (1 / 2 + 1 + 1 / 3) / 4), (9, (2 + 1 / 3) / 4)])
def test_recall(k: int, share: float) -> None:
    assert recall(JUDGED, k).share == pytest.approx(share, abs=1e-12)
    assert recall(JUDGED, k, without_labels="one").share == pytest.approx(share + 1 / 4, abs=1e-12)
    assert recall(JUDGED, k, without_labels="skip").share == pytest.approx(share * 4 / 3, abs=1e-12)


def test_recall_of_pairs() -> None:
    assert pair_recall(JUDGED, 1).gained.tolist() == [1, 0, 0, 1]
    assert pair_recall(JUDGED, 1).possible.tolist() == [2, 1, 0, 3]
    assert pair_recall(JUDGED, 2, among=ODD).share == 1 and pair_recall(JUDGED, 1, among=ODD).share == 1 / 2


def test_ndcg() -> None:
    assert ideal_dcg(JUDGED.relevant, 2).tolist() == pytest.approx([1 + D2, 1, 0, 1 + D2])
    assert ndcg(JUDGED, 1).share == pytest.approx(2 / 4)
    whole = ((1 + D3) / (1 + D2) + D2 + 1 / (1 + D2 + D3)) / 4
    assert whole == pytest.approx(0.504982, abs=1e-6)
    for k in (3, 5, 9):
        assert ndcg(JUDGED, k).share == pytest.approx(whole, abs=1e-12)
    assert ndcg(JUDGED, 3, without_labels="one").share == pytest.approx(whole + 1 / 4, abs=1e-12)


def test_first_hits() -> None:
    assert hit_rate(JUDGED, 1).gained.tolist() == [1, 0, 0, 1]
    assert hit_rate(JUDGED, 2).share == 3 / 4
    assert reciprocal_rank(JUDGED, 1).gained.tolist() == [1, 0, 0, 1]
    assert reciprocal_rank(JUDGED, 2).gained.tolist() == [1, 1 / 2, 0, 1]
    assert reciprocal_rank(JUDGED, 9, without_labels="skip").share == pytest.approx(2.5 / 3)


def test_micro_f1() -> None:
    assert micro_f1(JUDGED, 3).gained.tolist() == [4, 2, 0, 2]
    assert micro_f1(JUDGED, 3).possible.tolist() == [3 + 2, 2 + 1, 3 + 0, 1 + 3]
    assert micro_f1(JUDGED, 1).share == 4 / (4 + 6)
    odd = micro_f1(JUDGED, 9, among=ODD)  # predicted: 5; 3; 1 3; 1, relevant: none; 3; none; 1
    assert odd.gained.tolist() == [0, 2, 0, 2] and odd.possible.tolist() == [1, 2, 2, 2]


def test_propensity_scored() -> None:
    assert best(WEIGHTS, 1).tolist() == [3, 4, 0, 5] and best(WEIGHTS, 2).tolist() == [4, 4, 0, 7]
    assert psp(JUDGED, WEIGHTS, 3).gained.tolist() == [4, 4, 0, 2]
    assert psp(JUDGED, WEIGHTS, 1).share == pytest.approx((3 + 0 + 2) / (3 + 4 + 5), abs=1e-12)
    for k in (3, 5):
        assert psp(JUDGED, WEIGHTS, k).share == pytest.approx((4 + 4 + 2) / (4 + 4 + 8), abs=1e-12)
        assert psp(JUDGED, WEIGHTS, k, among=ODD).share == pytest.approx((4 + 2) / 16, abs=1e-12)
        assert psp(JUDGED, WEIGHTS, k, normalization="none").share == pytest.approx(10 / (4 * k), abs=1e-12)
    assert psndcg(JUDGED, WEIGHTS, 1).share == pytest.approx(5 / 12, abs=1e-12)
    two, three = 1 + D2, 1 + D2 + D3
    above = (3 + D3) / two + 4 * D2 + 2 / three
    below = (3 + D2) / two + 4 + (5 + 2 * D2 + D3) / three
    assert psndcg(JUDGED, WEIGHTS, 3).share == pytest.approx(above / below, abs=1e-12)
    assert above / below == pytest.approx(0.596659, abs=1e-6)
    assert psndcg(JUDGED, WEIGHTS, 3, normalization="none").share == pytest.approx(above / 4, abs=1e-12)
    assert psdcg(JUDGED, WEIGHTS, 3).share == pytest.approx((3 + D3 + 4 * D2 + 2) / (4 * three), abs=1e-12)


def test_propensity_scored_recall() -> None:
    assert psr(JUDGED, WEIGHTS, 2).gained.tolist() == pytest.approx([3 / 2, 4, 0, 2 / 3])
    assert psr(JUDGED, WEIGHTS, 2).possible.tolist() == pytest.approx([4 / 2, 4, 0, 7 / 3])
    assert psr(JUDGED, WEIGHTS, 2, normalization="none").possible.tolist() == [1, 1, 1, 1]
    assert micro_psr(JUDGED, WEIGHTS, 2).possible.tolist() == [4, 4, 0, 8]
    assert micro_psr(JUDGED, WEIGHTS, 2).share == pytest.approx((3 + 4 + 2) / 16, abs=1e-12)


def test_inverse_propensities() -> None:
    # ln 20 - 1 = 1.995732, (1 + 1)^0.5 = 1.414214, (3 + 1)^-0.5 = 1/2
    assert inverse_propensities([3], 20, 0.5, 1.0)[0] == pytest.approx(1 + 1.995732 * 1.414214 / 2, abs=1e-5)
    # the default: C = (ln 100 - 1) 2.5^0.55 = 5.967518, 1.5^-0.55 = 0.800110
    assert inverse_propensities([0], 100)[0] == pytest.approx(1 + 5.967518 * 0.800110, abs=1e-4)
    assert inverse_propensities([0, 1, 2], 2).tolist() == [1, 1, 1]
    assert inverse_propensities([0], 0).tolist() == [1]


def test_counts_of_labels() -> None:
    counts = count_labels(JUDGED, 5)
    assert counts.relevant.tolist() == [2, 1, 1, 1, 1, 0]
    assert counts.predicted.tolist() == [3, 2, 2, 2, 0, 1]
    assert counts.found.tolist() == [1, 1, 1, 1, 0, 0]
    rare = np.array([False, False, True, True, True, False])
    assert coverage(counts) == 4 / 5 and coverage(counts, rare) == 2 / 3
    assert micro_recall(counts) == 4 / 6 and micro_recall(counts, rare) == 2 / 3
    assert macro_f1(counts) == pytest.approx((2 / 5 + 2 / 3 + 2 / 3 + 2 / 3 + 0) / 5)
    # label 5 is predicted once and never relevant
    assert macro_f1(counts, over="seen") == macro_f1(counts, over="all") == pytest.approx(2.4 / 6)
    first = count_labels(JUDGED, 1)
    assert first.predicted.tolist() == [2, 1, 1, 0, 0, 0] and first.found.tolist() == [0, 1, 1, 0, 0, 0]
    assert macro_f1(first, over="seen") == pytest.approx((0 + 1 + 1 + 0 + 0) / 5)
    assert macro_f1(first, over="all", zero_division=1.0) == pytest.approx((0 + 1 + 1 + 0 + 0 + 1) / 6)
    nobody = np.zeros(6, dtype=bool)
    assert coverage(counts, nobody) is macro_f1(counts, nobody) is micro_recall(counts, nobody) is None


def test_the_whole_evaluation() -> None:
    result = evaluate(RANKED, TRUTH, FREQUENCIES, 200)
    assert list(result.metrics) == [
        "P@1", "P@3", "P@5", "nDCG@1", "nDCG@3", "nDCG@5", "PSP@1", "PSP@3", "PSP@5",
        "PSnDCG@1", "PSnDCG@3", "PSnDCG@5",
        "R@10", "R@100", "tail_R@10", "coverage@10", "tail_coverage@10", "macro_F1@5", "micro_F1@5", "hit@10", "MRR@10",
    ]  # fmt: skip
    shares = {
        "P@1": 50, "P@3": 33.3333, "P@5": 20, "nDCG@1": 50, "nDCG@3": 50.4982, "R@10": 58.3333, "R@100": 58.3333,
        "tail_R@10": 66.6667, "coverage@10": 80, "tail_coverage@10": 66.6667, "macro_F1@5": 48,
        "micro_F1@5": 100 * 8 / 16, "hit@10": 75, "MRR@10": 62.5,
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
    assert list(bins) == ["unseen", "1", "2", "3-5", "6-10", "11-100", ">100"]
    assert [(one.low, one.high) for one in bins.values()] == [
        (0, 0), (1, 1), (2, 2), (3, 5), (6, 10), (11, 100), (101, None),
    ]  # fmt: skip
    sizes = {name: (one.labels, one.test_labels, one.pairs) for name, one in bins.items()}
    assert sizes == {"unseen": (1, 1, 1), "1": (1, 1, 1), "2": (0, 0, 0), "3-5": (1, 1, 1), "6-10": (1, 1, 1),
                     "11-100": (2, 1, 2), ">100": (0, 0, 0)}  # fmt: skip
    none = {"R@10": 0, "R@100": 0, "P_share@5": 0, "PSP_share@5": 0, "coverage@10": 0, "macro_F1@5": 0}
    assert bins["unseen"].metrics == none
    w = inverse_propensities(FREQUENCIES, 200)
    part = pytest.approx(100 * w[[0, 1, 2, 3]] / w[[0, 1, 2, 3]].sum(), abs=1e-4)
    assert [bins[name].metrics["PSP_share@5"] for name in ("11-100", "6-10", "3-5", "1")] == part
    assert [bins[name].metrics["P_share@5"] for name in ("11-100", "6-10", "3-5", "1")] == [25] * 4
    frequent = {key: value for key, value in bins["11-100"].metrics.items() if "share" not in key}
    assert frequent == {"R@10": 50, "R@100": 50, "coverage@10": 100, "macro_F1@5": 40}
    assert bins["3-5"].metrics["macro_F1@5"] == 66.6667
    assert set(bins[">100"].metrics.values()) == {None}


def test_deciles_hold_equal_shares_of_the_test_pairs() -> None:
    # frequencies 0 1 5 6 100 with 1 1 1 1 2 pairs: thirds end at 1, 6 and 100; sixths where there is a sixth
    relevant = np.array([2, 1, 1, 1, 1, 0])
    assert decile_edges(FREQUENCIES, relevant, 3) == (1, 6)
    assert decile_edges(FREQUENCIES, relevant, 6) == (0, 1, 5, 6)
    assert decile_edges(FREQUENCIES, relevant) == (0, 1, 5, 6)
    assert decile_edges(np.full(4, 7), np.array([5, 0, 1, 2])) == ()
    assert decile_edges(FREQUENCIES, np.zeros(6, dtype=np.int64), 3) == (0,)
    deciles = evaluate(RANKED, TRUTH, FREQUENCIES, 200).deciles
    assert [(one.name, one.pairs) for one in deciles] == [("unseen", 1), ("1", 1), ("2-5", 1), ("6", 1), (">6", 2)]
    assert [one.name for one in ranges(())] == ["any"]


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
