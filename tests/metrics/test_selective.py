"""Thresholds for a precision and the risk-coverage curve: worked by hand, against loops, and what must hold always."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from eclare_py.metrics.bin_thresholds import bin_thresholds, bins_of, own_thresholds, threshold_spread
from eclare_py.metrics.selective import Scored, lowest_threshold, precision_bound, risk_coverage, select
from eclare_py.types import Ranking, as_csr

NOTHING = -np.inf


def scored(scores, hit, frequencies=None):
    scores = np.atleast_2d(np.array(scores, dtype=np.float32))
    frequencies = np.zeros(scores.shape, np.int64) if frequencies is None else np.atleast_2d(np.array(frequencies))
    return Scored(scores, np.atleast_2d(np.array(hit, dtype=bool)), frequencies)


def column(scores, hit):
    """First predictions of as many documents."""
    return scored(np.array(scores)[:, None], np.array(hit)[:, None])


def random_scored(seed, n=37, k=3, levels=12):
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.integers(1, levels, (n, k)) / levels, axis=1).astype(np.float32)
    hit = rng.random((n, k)) < scores
    scores[rng.random((n, k)) < 0.1] = NOTHING
    hit &= ~np.isneginf(scores)
    return Scored(scores, hit, rng.integers(0, 30, (n, k)))


# Six documents, best first: right, right, wrong, right, right, wrong; precision 1, 1, 2/3, 3/4, 4/5, 4/6.
FIRST = column([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 0, 1, 1, 0])


@pytest.mark.parametrize(
    ("precision", "threshold", "share"),
    [(1.0, 0.8, 2 / 6), (0.81, 0.8, 2 / 6), (0.8, 0.5, 5 / 6), (0.7, 0.5, 5 / 6), (2 / 3, 0.4, 1.0), (0.1, 0.4, 1.0)],
)
def test_the_lowest_threshold_by_hand(precision, threshold, share):
    """At 0.8 the precision has dipped to 2/3 in between: the lowest threshold counts, not the first that fails."""
    found = lowest_threshold(FIRST, precision)
    assert found == pytest.approx(threshold)
    assert select(FIRST, found).share == pytest.approx(share)


def test_c_at_1_is_the_share_of_all_documents_of_another_set():
    test = column([0.95, 0.81, 0.79, NOTHING, 0.1], [1, 0, 1, 0, 1])
    found = select(test, lowest_threshold(FIRST, 1.0))
    assert (found.places, found.kept, found.hits, found.documents) == (5, 2, 1, 2)
    assert (found.share, found.precision) == (0.4, 0.5)


def test_ties_are_automated_together():
    tied = column([0.9, 0.9, 0.9, 0.2], [1, 1, 0, 1])
    assert lowest_threshold(tied, 0.9) is None
    assert lowest_threshold(tied, 0.7) == pytest.approx(0.2)


def test_out_of_reach_automates_nothing():
    wrong_first = column([0.9, 0.8], [0, 1])
    assert lowest_threshold(wrong_first, 0.6) is None
    assert lowest_threshold(column([NOTHING, NOTHING], [0, 0]), 0.5) is None
    found = select(wrong_first, None)
    assert (found.kept, found.share, found.precision, found.documents) == (0, 0.0, None, 0)


def test_the_guard_asks_for_a_bound_by_hand():
    """All of n right: the bound is (1 - confidence)^(1/n), 0.794 for 10 and 0.902 for 22 at 0.9; none right: 0."""
    counts = np.array([10, 22, 0]), np.array([10, 22, 5])
    np.testing.assert_allclose(precision_bound(*counts, 0.9), [0.1 ** (1 / 10), 0.1 ** (1 / 22), 0])
    perfect = column(np.linspace(0.99, 0.5, 22), np.ones(22))
    assert lowest_threshold(perfect, 0.9, confidence=0.9) == pytest.approx(0.5)
    assert lowest_threshold(perfect, 0.91, confidence=0.9) is None
    assert lowest_threshold(perfect, 0.91) == pytest.approx(0.5)


@given(st.integers(1, 60), st.data())
def test_the_bound_is_where_so_many_hits_become_unlikely(kept, data):
    found = data.draw(st.integers(1, kept))
    bound = precision_bound(np.array([found]), np.array([kept]), 0.95)[0]
    assert binom.sf(found - 1, kept, bound) == pytest.approx(0.05, abs=1e-9)
    assert bound < found / kept


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("confidence", [None, 0.8])
def test_thresholds_equal_a_loop_over_all_scores(seed, confidence):
    validation = random_scored(seed)
    there = validation.there
    for precision in (0.3, 0.6, 0.75, 0.9):
        good = []
        for level in set(validation.scores[there].tolist()):
            kept = there & (validation.scores >= level)
            hits = int((validation.hit & kept).sum())
            reached = hits / kept.sum()
            if confidence is not None:
                reached = precision_bound(np.array(hits), kept.sum(), confidence)
            if reached >= precision:
                good.append(level)
        assert lowest_threshold(validation, precision, confidence=confidence) == (min(good) if good else None)


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_more_precision_never_automates_more(seed):
    validation, test = random_scored(seed), random_scored(seed + 1, n=23)
    shares = []
    for precision in (0.2, 0.5, 0.7, 0.8, 0.9, 1.0):
        threshold = lowest_threshold(validation, precision)
        reached = select(validation, threshold).precision
        assert reached is None if threshold is None else reached >= precision
        guarded = lowest_threshold(validation, precision, confidence=0.9)
        assert guarded is None or guarded >= threshold
        shares.append(select(test, threshold).share)
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("precision", [0.0, -0.1, 1.1, float("nan")])
def test_bad_targets_are_refused(precision):
    with pytest.raises(ValueError, match="must be above 0"):
        lowest_threshold(FIRST, precision)
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        lowest_threshold(FIRST, 0.9, confidence=1.0)
    with pytest.raises(ValueError, match="must be one"):
        Scored(FIRST.scores, FIRST.hit[:-1], FIRST.frequencies)


def test_scored_of_a_ranking():
    ranking = Ranking(np.array([[2, 0, -1], [1, 3, 2]]), np.array([[0.9, 0.5, NOTHING], [0.8, 0.7, 0.1]], np.float32))
    found = Scored.of(ranking, as_csr([[1, 0, 0, 1], [0, 1, 1, 0]]), np.array([10, 20, 30, 40]))
    assert found.hit.tolist() == [[False, True, False], [True, False, True]]
    assert found.frequencies[found.there].tolist() == [30, 10, 20, 40, 30]
    assert found.top(1).scores.tolist() == [[pytest.approx(0.9)], [pytest.approx(0.8)]]


# --- the risk-coverage curve ---


def test_the_curve_by_hand():
    """Risks of FIRST: 0, 0, 1/3, 1/4, 1/5, 1/3. The best score would have 0, 0, 0, 0, 1/5, 1/3."""
    curve = risk_coverage(FIRST)
    np.testing.assert_allclose(curve.share, np.arange(1, 7) / 6)
    np.testing.assert_allclose(curve.risk, [0, 0, 1 / 3, 1 / 4, 1 / 5, 1 / 3])
    np.testing.assert_allclose(curve.threshold, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], atol=1e-7)
    assert curve.area == pytest.approx((1 / 3 + 1 / 4 + 1 / 5 + 1 / 3) / 6)
    assert curve.excess == pytest.approx((1 / 3 + 1 / 4) / 6)


def test_the_best_score_has_no_excess_and_none_has_no_area():
    assert risk_coverage(column([0.9, 0.8, 0.3, 0.2], [1, 1, 0, 0])).excess == pytest.approx(0)
    empty = risk_coverage(column([NOTHING], [0]))
    assert (empty.area, empty.excess, len(empty.share)) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_the_area_is_the_mean_over_orders_of_ties(seed):
    some = random_scored(seed, n=11, levels=4)
    there = some.there
    scores, hit, rng, areas = some.scores[there], some.hit[there], np.random.default_rng(seed), []
    for _ in range(4000):
        order = np.lexsort((rng.random(len(scores)), -scores))
        areas.append(np.mean(1 - np.cumsum(hit[order]) / np.arange(1, len(order) + 1)))
    curve = risk_coverage(some)
    assert curve.area == pytest.approx(np.mean(areas), abs=5 * np.std(areas) / 4000**0.5 + 1e-9)
    assert curve.excess >= 0


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    many = random_scored(0, n=3000, k=2, levels=2000)
    whole, thin = risk_coverage(many, points=10**6), risk_coverage(many)
    assert len(thin.share) <= 200 < len(whole.share)
    assert (thin.area, thin.excess) == (whole.area, whole.excess)
    places = np.searchsorted(whole.share, thin.share)
    assert places[0] == 0 and places[-1] == len(whole.share) - 1
    for name in ("share", "risk", "threshold"):
        np.testing.assert_array_equal(getattr(whole, name)[places], getattr(thin, name))
    assert np.diff(thin.share).max() < 0.02


# --- thresholds by frequency ---


def test_bins_by_hand():
    assert bins_of(np.array([[0, 1, 5], [6, 20, 21]]), (0, 5, 20)).tolist() == [[0, 1, 1], [2, 2, 3]]


# Rare labels (frequency 1) are right less often at the same score than frequent ones (frequency 50).
MIXED = scored([0.9, 0.8, 0.7, 0.6, 0.95, 0.5, 0.4, 0.3], [1, 0, 0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 50, 50, 50, 50])


def logit(score):
    return np.log(score / (1 - score))


def test_thresholds_by_bin_by_hand():
    """Of all, 2/2 at 0.9 and 2/3 at 0.8; rare alone 0.9, frequent alone 0.3 (3 of 4); the bins between have nothing."""
    own = bin_thresholds(MIXED, 0.75, edges=(5, 20), prior=0)
    assert own.common == pytest.approx(0.9)
    assert own.thresholds == pytest.approx((0.9, 0.9, 0.3)) and own.counts == (4, 0, 4)
    assert own.of(np.array([0, 5, 6, 99])).tolist() == pytest.approx([0.9, 0.9, 0.9, 0.3])
    drawn = bin_thresholds(MIXED, 0.75, edges=(5, 20), prior=12)
    assert logit(drawn.thresholds[2]) == pytest.approx(0.25 * logit(0.3) + 0.75 * logit(0.9), abs=1e-5)
    assert drawn.thresholds[:2] == pytest.approx((0.9, 0.9))
    assert select(MIXED, own.of(MIXED.frequencies)).hits == 4 > select(MIXED, own.common).hits


def test_a_bin_out_of_reach_is_closed_and_all_out_of_reach_is_none():
    hopeless = scored([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], [50, 50, 1, 1])
    found = bin_thresholds(hopeless, 0.9, edges=(5,), prior=0)
    assert found.common == pytest.approx(0.8) and found.thresholds[0] > np.float32(0.7)
    assert select(hopeless.only(hopeless.frequencies == 1), found.of(hopeless.frequencies)).kept == 0
    assert bin_thresholds(scored([0.9, 0.8], [0, 1]), 0.9) is None


def test_a_bin_within_reach_is_open_though_all_together_are_not():
    lifted = scored([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], [1, 1, 50, 50])
    assert lowest_threshold(lifted, 0.8) is None
    found = bin_thresholds(lifted, 0.8, edges=(5,), prior=0)
    assert found.common > np.float32(0.9) and found.thresholds[1] == pytest.approx(0.6)
    assert select(lifted, found.of(lifted.frequencies)).hits == 2
    drawn = bin_thresholds(lifted, 0.8, edges=(5,), prior=1).thresholds[1]
    assert logit(drawn) == pytest.approx(2 / 3 * logit(0.6) + 1 / 3 * logit(0.9), abs=1e-4)


def test_a_score_of_one_can_be_drawn_too():
    sure = scored([1.0, 0.9, 0.5, 0.4], [0, 1, 1, 1], [1, 1, 50, 50])
    found = bin_thresholds(sure, 0.7, edges=(5,), prior=2)
    assert found.common == pytest.approx(0.4) and 0.4 < found.thresholds[0] < 1


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.4, 0.6, 0.8]))
def test_thresholds_go_from_their_own_to_the_common_one(seed, precision):
    validation = random_scored(seed, n=60)
    paths = [bin_thresholds(validation, precision, edges=(3, 12), prior=prior) for prior in (0, 5, 50, 1e3, 1e12)]
    if paths[0] is None:
        assert lowest_threshold(validation, precision) is None and paths == [None] * 5
        return
    common = paths[0].common
    for number, (low, high) in enumerate(((0, 3), (4, 12), (13, 10**9))):
        part = validation.only((validation.frequencies >= low) & (validation.frequencies <= high))
        own = lowest_threshold(part, precision)
        ways = [path.thresholds[number] for path in paths]
        assert own is None or ways[0] == own
        assert ways[-1] == pytest.approx(common, rel=1e-5)
        gaps = [abs(way - common) for way in ways]
        assert all(far >= near - 1e-6 for far, near in zip(gaps[:-1], gaps[1:], strict=True))


def test_spread_of_thresholds_by_hand():
    """Rare alone 0.9, frequent alone 0.3, four predictions each: 0.3 beside the mean; an empty bin is none."""
    assert own_thresholds(MIXED, 0.75, edges=(5, 20)) == pytest.approx([0.9, None, 0.3])
    assert threshold_spread(MIXED, 0.75, edges=(5, 20)) == pytest.approx(0.3)
    # Three of seven rare, at 0.9, and four frequent, at 0.3: variance 0.6 ** 2 x 3/7 x 4/7.
    fewer = MIXED.only(MIXED.scores != np.float32(0.6))
    assert threshold_spread(fewer, 0.75, edges=(5, 20)) == pytest.approx(0.6 * np.sqrt(12 / 49))
    assert threshold_spread(scored([0.9, 0.8], [0, 1]), 0.9) is None
    assert threshold_spread(scored([0.9, 0.8], [1, 1]), 0.9) == 0
