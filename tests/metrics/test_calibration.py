"""Reliability diagrams, calibration errors and the Brier score: by hand, against loops, and their identities."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eclare_py.metrics.bin_thresholds import bin_thresholds
from eclare_py.metrics.calibration import brier, reliability
from eclare_py.metrics.score_quality import calibration_section, selective_section
from eclare_py.metrics.selective import CONFIDENCE, Scored, lowest_threshold, select

SCORES = np.array([0.1, 0.15, 0.5, 0.9, 1.0], dtype=np.float32)
HITS = np.array([False, True, True, True, True])


def random_problem(seed, size=157):
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, 41, size) / 40).astype(np.float32)  # with ties, 0 and 1 among them
    return scores, rng.random(size) < scores**2


def test_equal_width_by_hand():
    """Bins 0-0.25: score 0.125, half right; 0.5-0.75: 0.5, right; 0.75-1: 0.95, right; the second bin is empty."""
    found = reliability(SCORES, HITS, bins=4)
    np.testing.assert_allclose(found.low, [0, 0.5, 0.75])
    np.testing.assert_allclose(found.high, [0.25, 0.75, 1])
    np.testing.assert_allclose(found.score, [0.125, 0.5, 0.95], atol=1e-7)
    np.testing.assert_allclose(found.share, [0.5, 1, 1])
    assert found.count.tolist() == [2, 1, 2]
    assert found.expected_error == pytest.approx((2 * 0.375 + 0.5 + 2 * 0.05) / 5, abs=1e-7)
    assert found.largest_error == pytest.approx(0.5)


def test_equal_mass_by_hand():
    found = reliability(SCORES, HITS, bins=2, split="mass")
    assert found.count.tolist() == [2, 3]
    np.testing.assert_allclose(found.low, [0.1, 0.5])
    np.testing.assert_allclose(found.high, [0.15, 1.0])
    np.testing.assert_allclose(found.score, [0.125, 0.8], atol=1e-7)
    np.testing.assert_allclose(found.share, [0.5, 1])


def test_equal_scores_stay_together():
    scores = np.array([0.2, 0.6, 0.6, 0.6, 0.6, 0.7], dtype=np.float32)
    found = reliability(scores, scores > 0.5, bins=3, split="mass")
    assert found.count.tolist() == [1, 5]
    shuffled = reliability(scores[::-1], scores[::-1] > 0.5, bins=3, split="mass")
    np.testing.assert_array_equal(found.score, shuffled.score)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("split", ["width", "mass"])
def test_bins_equal_a_loop(seed, split):
    scores, hit = random_problem(seed)
    found = reliability(scores, hit, bins=7, split=split)
    start = 0
    order = np.argsort(scores, kind="stable")
    for low, high, score, share, count in zip(
        found.low, found.high, found.score, found.share, found.count, strict=True
    ):
        if split == "width":
            inside = [i for i, s in enumerate(scores) if low <= s and (s < high or high == 1)]
        else:
            inside = order[start : start + count]
            assert (scores[inside[0]], scores[inside[-1]]) == (low, high)
            start += count
        assert count == len(inside) > 0
        assert score == pytest.approx(np.mean(scores[inside], dtype=float))
        assert share == pytest.approx(np.mean(hit[inside]))
    assert found.count.sum() == len(scores)
    errors = np.abs(found.score - found.share)
    assert found.expected_error == pytest.approx(np.average(errors, weights=found.count))
    assert found.expected_error <= found.largest_error == errors.max()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("split", ["width", "mass"])
def test_the_brier_score_is_the_sum_of_its_parts(seed, split):
    scores, hit = random_problem(seed)
    parts = brier(scores, hit, bins=6, split=split)
    groups = reliability(scores, hit, bins=6, split=split)
    bounds = np.append(groups.low, 2)
    within, base = 0.0, hit.mean()
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        inside = (scores >= low) & (scores < high)
        s, h = scores[inside].astype(float), hit[inside].astype(float)
        within += ((s - s.mean()) ** 2 - 2 * (s - s.mean()) * (h - h.mean())).sum() / len(scores)
    assert parts.total == pytest.approx(np.mean((scores.astype(float) - hit) ** 2))
    assert parts.within == pytest.approx(within, abs=1e-12)
    assert parts.uncertainty == pytest.approx(base * (1 - base))
    assert parts.reliability >= 0 and 0 <= parts.resolution <= parts.uncertainty


def test_brier_by_hand():
    """Scores 0.5 twice, one right, and 1 right: off 0, apart 2/3 * (1/6)^2 + 1/3 * (1/3)^2 = 1/18, base 2/3."""
    parts = brier(np.array([0.5, 0.5, 1.0], np.float32), np.array([True, False, True]), bins=2, split="width")
    bins_of_one = (parts.reliability, parts.resolution, parts.uncertainty, parts.total)
    # With two bins all three share the upper one: score 2/3, share 2/3.
    assert bins_of_one == pytest.approx((0, 0, 2 / 9, 1 / 6))
    parts = brier(np.array([0.5, 0.5, 1.0], np.float32), np.array([True, False, True]), bins=3, split="width")
    assert (parts.reliability, parts.resolution, parts.within) == pytest.approx((0, 1 / 18, 0), abs=1e-12)


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan"), float("-inf")])
def test_scores_that_are_no_probabilities_are_refused(bad):
    with pytest.raises(ValueError, match="calibration needs 0 to 1"):
        reliability(np.array([0.5, bad], np.float32), np.array([True, False]))
    with pytest.raises(ValueError, match="must be one"):
        reliability(SCORES, HITS[:-1])


@pytest.mark.parametrize("split", ["width", "mass"])
def test_nothing_gives_nothing(split):
    none = np.empty(0, np.float32), np.empty(0, bool)
    found = reliability(*none, split=split)
    assert (len(found.count), found.expected_error, found.largest_error) == (0, 0, 0)
    assert brier(*none).total == 0


# --- the sections of a result ---


def predictions(seed, n, k=4):
    rng = np.random.default_rng(seed)
    scores = -np.sort(-rng.random((n, k)), axis=1).astype(np.float32)
    frequencies = rng.choice([1, 10, 50, 5000], (n, k))
    hit = rng.random((n, k)) < scores ** (1 + (frequencies < 5))  # rare labels are right less often
    scores[::9, -1], hit[::9, -1] = -np.inf, False
    return Scored(scores, hit, frequencies)


def test_the_selective_section_says_what_thresholds_give():
    test, validation = predictions(0, 900), predictions(1, 700)
    found = json.loads(json.dumps(selective_section(test, validation)))
    assert (found["k"], found["validation_documents"]) == (4, 700)
    for name, k in (("first", 1), ("all", 4)):
        rows = found[name]["targets"]
        assert [row["target"] for row in rows] == [0.8, 0.9, 0.95, 0.99]
        shares = [row["share"] for row in rows]
        assert shares == sorted(shares, reverse=True)
        for row in rows:
            assert row["threshold"] == lowest_threshold(validation.top(k), row["target"])
            guarded = lowest_threshold(validation.top(k), row["target"], confidence=CONFIDENCE)
            assert row["guarded"]["threshold"] == guarded
            assert row["guarded"]["kept"] == select(test.top(k), guarded).kept
            outcome = select(test.top(k), row["threshold"])
            assert (row["kept"], row["hits"], row["documents"]) == (outcome.kept, outcome.hits, outcome.documents)
            assert row["validation"]["precision"] is None or row["validation"]["precision"] >= row["target"]
        assert len(found[name]["curve"]["risk"]) == len(found[name]["curve"]["share"]) <= 200
    for target in found["first"]["targets"]:
        thresholds = bin_thresholds(validation.top(1), target["target"], confidence=CONFIDENCE)
        assert ("by_bin" in target) == (thresholds is not None)
        if thresholds is not None:
            kept = select(test.top(1), thresholds.of(test.top(1).frequencies))
            assert (target["by_bin"]["kept"], target["by_bin"]["hits"]) == (kept.kept, kept.hits)
    by_bin = found["all"]["targets"][0]["by_bin"]
    assert [one["name"] for one in by_bin["bins"]] == ["0-5", "6-20", "21-100", "101-1000", ">1000"]
    assert sum(one["kept"] for one in by_bin["bins"]) == by_bin["kept"]
    guarded = found["all"]["targets"][0]["guarded"]
    assert sum(one["common"]["kept"] for one in by_bin["bins"]) == guarded["kept"] < found["all"]["targets"][0]["kept"]
    assert sum(one["predictions"] for one in by_bin["bins"]) == int(test.there.sum())
    rare, frequent = by_bin["bins"][0], by_bin["bins"][-1]
    assert rare["threshold"] > guarded["threshold"] > frequent["threshold"]


def test_without_validation_there_are_no_thresholds():
    found = selective_section(predictions(0, 90), None)
    assert found["validation_documents"] is None
    assert found["first"]["targets"] == found["all"]["targets"] == []
    assert 0 < found["first"]["area"] < found["all"]["area"] < 1


def test_the_calibration_section_has_the_diagrams():
    test = predictions(0, 900)
    found = json.loads(json.dumps(calibration_section(test)))
    there = test.there
    assert found["predictions"] == there.sum() == sum(one["count"] for one in found["equal_mass"]["bins"])
    expected = reliability(test.scores[there], test.hit[there])
    assert found["equal_width"]["expected_error"] == pytest.approx(expected.expected_error, abs=1e-6)
    assert [one["share"] for one in found["equal_width"]["bins"]] == pytest.approx(expected.share, abs=1e-6)
    parts = found["brier"]
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert parts["total"] == pytest.approx(total, abs=3e-6)
