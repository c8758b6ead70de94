"""The definitions of pyxclib and napkinXC: numbers that the two gave for one example, and how to get them here.

Recorded from pyxclib 0.97 (commit 5d13086, April 2025) and napkinXC 0.7.2 on CSR matrices of these arrays, k = 1 to 5.
Document 1 is ranked too short, document 3 has no labels, document 4 no ranking, label 7 is never seen. The scores of a
document are all different, as neither package defines the order of ties. pyxclib returns nDCG and PSnDCG as float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from eclare_py.metrics import inverse_propensities
from eclare_py.metrics import propensity as ps
from eclare_py.metrics import ratios as rt
from eclare_py.metrics.coverage import count_labels, coverage, macro_f1
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.ranking import discounts
from eclare_py.types import Ranking, as_csr

SCORES = np.array(
    [
        [0.9, 0.1, 0.8, 0, 0.3, 0.7, 0.2, 0, 0.6],
        [0, 0.5, 0, 0.4, 0, 0, 0, 0, 0],
        [0.2, 0.6, 0.1, 0.9, 0.3, 0, 0.7, 0, 0.4],
        [0, 0.3, 0.8, 0, 0.9, 0.4, 0.5, 0, 0.6],
        [0] * 9,
        [0.7, 0.2, 0, 0.8, 0.1, 0.9, 0.6, 0, 0.3],
        [0, 0.35, 0.6, 0.45, 0, 0, 0.95, 0, 0.15],
    ]
)
TRUTH = np.array(
    [
        [1, 0, 1, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 1, 0, 0, 0, 1],
        [0] * 9,
        [0, 0, 1, 0, 0, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 1, 0, 1],
        [0, 0, 0, 0, 0, 1, 0, 0, 1],
    ]
)
FREQUENCIES, N_TRAIN = [60, 12, 25, 3, 1, 7, 2, 0, 5], 100
JUDGED = Judged.of(Ranking.from_csr(as_csr(SCORES), 9), as_csr(TRUTH))
INVERSE = inverse_propensities(FREQUENCIES, N_TRAIN)
WEIGHTS = ps.Weights.of(as_csr(TRUTH), INVERSE)
KS = (1, 2, 3, 4, 5)


def values(figure: Callable[[int], rt.Ratio]) -> list[float]:
    return [figure(k).share for k in KS]


# compute_inv_propesity(train, 0.55, 1.5) and Jain_et_al_inverse_propensity(train), the same numbers
def test_inverse_propensities() -> None:
    recorded = [
        1.6193148047683574, 2.4259661065009483, 1.9840282011120909, 3.609311288158641, 4.605170185988092,
        2.839129736696389, 3.996093423161382, 5.774661450557821, 3.131524994015122,
    ]  # fmt: skip
    assert INVERSE.tolist() == pytest.approx(recorded, abs=1e-9)


# pyxclib precision, recall, psprecision, psrecall, hits; napkinXC precision_at_k, recall_at_k, psprecision_at_k,
# psrecall_at_k and abandonment_at_k gave the same numbers to 1e-15
@pytest.mark.parametrize(
    ("figure", "recorded"),
    [
        (
            lambda k: rt.precision(JUDGED, k),
            [0.14285714285714285, 0.2857142857142857, 0.2857142857142857, 0.2857142857142857, 0.31428571428571433],
        ),
        (
            lambda k: rt.recall(JUDGED, k),
            [0.047619047619047616, 0.26666666666666666, 0.34285714285714286, 0.419047619047619, 0.5666666666666667],
        ),
        (
            lambda k: rt.hit_rate(JUDGED, k),
            [0.14285714285714285, 0.42857142857142855, 0.5714285714285714, 0.5714285714285714, 0.7142857142857143],
        ),
        (
            lambda k: ps.psp(JUDGED, WEIGHTS, k),
            [0.07301669372048598, 0.3029212297078028, 0.34653848387760433, 0.4852366727644903, 0.6999974968275634],
        ),
        (
            lambda k: ps.psr(JUDGED, WEIGHTS, k),
            [0.052604471679257664, 0.3663870941997612, 0.39034133856933256, 0.4845165572454556, 0.6841550737431686],
        ),
    ],
)
def test_what_both_packages_agree_on(figure: Callable[[int], rt.Ratio], recorded: list[float]) -> None:
    assert values(figure) == pytest.approx(recorded, abs=1e-9)


# pyxclib ndcg and psndcg, float32
def test_discounted_by_pyxclib() -> None:
    recorded = [0.1428571492433548, 0.28825464844703674, 0.30880728363990784, 0.3489510118961334, 0.4160880446434021]
    assert values(lambda k: rt.ndcg(JUDGED, k)) == pytest.approx(recorded, rel=2e-7)
    recorded = [0.0730166956782341, 0.2685352861881256, 0.2921259105205536, 0.3508945107460022, 0.4478392004966736]
    assert values(lambda k: ps.psndcg(JUDGED, WEIGHTS, k)) == pytest.approx(recorded, rel=2e-7)


# napkinXC ndcg_at_k and psndcg_at_k
def test_discounted_by_napkinxc() -> None:
    recorded = [0.14285714285714285, 0.2882546515437142, 0.30880728964981435, 0.3489510071542719, 0.41608805715786257]
    assert values(lambda k: rt.ndcg(JUDGED, k)) == pytest.approx(recorded, abs=1e-9)
    recorded = [0.07301669372048598, 0.26853529661823067, 0.2921259142097118, 0.35089448537522594, 0.4478392220435873]
    assert values(lambda k: ps.psndcg(JUDGED, WEIGHTS, k)) == pytest.approx(recorded, abs=1e-9)


# pyxclib recall_at_k (float32) and Metrics(labels, inv, remove_invalid=True).eval(scores)
def test_documents_without_labels_left_out() -> None:
    recorded = [0.0555555559694767, 0.31111112236976624, 0.4000000059604645, 0.4888888895511627, 0.6611111164093018]
    assert values(lambda k: rt.recall(JUDGED, k, without_labels="skip")) == pytest.approx(recorded, rel=2e-7)
    recorded = [0.16666666666666666, 0.3333333333333333, 0.3333333333333333, 0.3333333333333333, 0.3666666666666667]
    assert values(lambda k: rt.precision(JUDGED, k, without_labels="skip")) == pytest.approx(recorded, abs=1e-9)
    recorded = [0.1666666716337204, 0.33629709482192993, 0.36027517914772034, 0.40710949897766113, 0.4854360520839691]
    assert values(lambda k: rt.ndcg(JUDGED, k, without_labels="skip")) == pytest.approx(recorded, rel=2e-7)


# napkinXC recall_at_k and ndcg_at_k with zero_division=1
def test_documents_without_labels_as_one() -> None:
    recorded = [0.19047619047619047, 0.4095238095238095, 0.4857142857142857, 0.5619047619047619, 0.7095238095238096]
    assert values(lambda k: rt.recall(JUDGED, k, without_labels="one")) == pytest.approx(recorded, abs=1e-9)
    recorded = [0.2857142857142857, 0.43111179440085706, 0.45166443250695726, 0.49180815001141476, 0.5589452000150054]
    assert values(lambda k: rt.ndcg(JUDGED, k, without_labels="one")) == pytest.approx(recorded, abs=1e-9)


# napkinXC psprecision_at_k, psrecall_at_k, psndcg_at_k and psdcg_at_k with normalize=False
def test_raw_propensity_scores() -> None:
    recorded = [0.23133068639547963, 0.7729975415855522, 0.7079641187365254, 0.7855308896658407, 0.9389452881331964]
    assert values(lambda k: ps.psp(JUDGED, WEIGHTS, k, normalization="none")) == pytest.approx(recorded, abs=1e-9)
    recorded = [0.0771102287984932, 0.790326840154836, 0.9521151729815962, 1.2154095085964511, 1.7478558263783484]
    assert values(lambda k: ps.psr(JUDGED, WEIGHTS, k, normalization="none")) == pytest.approx(recorded, abs=1e-9)
    recorded = [0.23133068639547963, 0.7762713273697252, 0.806057235871218, 0.9576582159302215, 1.2067201228928555]
    assert values(lambda k: ps.psndcg(JUDGED, WEIGHTS, k, normalization="none")) == pytest.approx(recorded, abs=1e-9)
    recorded = [0.23133068639547963, 0.5303957851411466, 0.44991340226717647, 0.4470671290993146, 0.47777945996408233]
    by_k = [ps.psdcg(JUDGED, WEIGHTS, k).share * discounts(k).sum() / k for k in KS]  # theirs is divided by k
    assert by_k == pytest.approx(recorded, abs=1e-9)


# napkinXC f1_measure(average="micro") on lists of the first 1, 3 and 5 labels
def test_micro_f1() -> None:
    recorded = [0.09090909090909091, 0.36363636363636365, 0.5116279069767442]
    assert [rt.micro_f1(JUDGED, k).share for k in (1, 3, 5)] == pytest.approx(recorded, abs=1e-9)


# napkinXC coverage_at_k and macro_f1_measure_at_k, zero_division 0 and 1 (it gives k = 1 to 5 whatever k is asked for)
def test_label_metrics() -> None:
    counts = [count_labels(JUDGED, k) for k in KS]
    assert [coverage(one) for one in counts] == pytest.approx([0.125, 0.375, 0.5, 0.75, 0.875], abs=1e-9)
    recorded = [0.07407407407407407, 0.2074074074074074, 0.28518518518518515, 0.34814814814814815, 0.44999999999999996]
    assert [macro_f1(one, over="all") for one in counts] == pytest.approx(recorded, abs=1e-9)
    recorded = [0.18518518518518517, 0.31851851851851853, 0.39629629629629626, 0.4592592592592592, 0.5611111111111111]
    assert [macro_f1(one, over="all", zero_division=1.0) for one in counts] == pytest.approx(recorded, abs=1e-9)
