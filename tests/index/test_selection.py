"""Choosing and sorting the best: higher score, then lower id."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.index.selection import ascending, keep_best, kth_smallest, sort_best

_SCORES = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=80)


def best_first(scores, ids):
    order = np.lexsort((ids, -scores.astype(np.float64)))
    return scores[order], ids[order]


@settings(deadline=None)  # kernels compile
@given(_SCORES, st.randoms(use_true_random=False), st.integers(0, 80))
def test_sorted_items_are_those_of_numpy(values, random, size):
    values += [0.0, -0.0, 1.5, 1.5, -np.inf, -np.inf]
    ids = random.sample(range(2**32), len(values) - 2) + [0, 2**32 - 1]
    scores, ids, size = np.array(values, np.float32), np.array(ids), min(size, len(values))
    expected = best_first(scores[:size], ids[:size])
    rest = scores[size:].copy(), ids[size:].copy()
    sort_best(scores, ids, size)
    np.testing.assert_array_equal(scores[:size], expected[0])
    np.testing.assert_array_equal(ids[:size], expected[1])
    np.testing.assert_array_equal(scores[size:], rest[0])
    np.testing.assert_array_equal(ids[size:], rest[1])


@pytest.mark.parametrize(("n", "k"), [(5, 9), (9, 9), (700, 1), (700, 64), (700, 699)])
@pytest.mark.parametrize("kind", ["drawn", "few values", "equal", "far apart", "close"])
def test_the_best_are_kept(n, k, kind):
    rng = np.random.default_rng(n + k)
    scores = {
        "drawn": rng.normal(size=n),
        "few values": rng.integers(0, 4, n),
        "equal": np.ones(n),
        "far apart": rng.choice([-3e38, -1.0, 0.0, 3e38], n),  # further than a number of 32 bits can say
        "close": rng.choice([-1e-45, 0.0, 1e-45], n),
    }[kind]
    scores, ids = scores.astype(np.float32), rng.permutation(10 * n)[:n]
    kept_scores, kept_ids = np.empty(k, np.float32), np.empty(k, np.int64)
    size = keep_best(scores, ids, kept_scores, kept_ids)
    assert size == min(n, k)
    sort_best(kept_scores, kept_ids, size)
    expected = best_first(scores, ids)
    np.testing.assert_array_equal(kept_scores[:size], expected[0][:size])
    np.testing.assert_array_equal(kept_ids[:size], expected[1][:size])


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1), max_size=60), st.sampled_from([np.int32, np.int64]))
def test_places_ascend_and_equal_numbers_keep_their_order(values, kind):
    numbers = np.array(values + values[:7], kind)
    np.testing.assert_array_equal(ascending(numbers), np.argsort(numbers, kind="stable"))


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=90), st.data())
def test_the_largest_of_the_smallest_is_that_of_a_sort(values, data):
    numbers = np.array(values + values[: data.draw(st.integers(0, len(values)))], np.float32)
    count, before = data.draw(st.integers(1, len(numbers))), numbers.copy()
    assert kth_smallest(numbers, count) == np.sort(numbers)[count - 1]
    np.testing.assert_array_equal(numbers, before)


@pytest.mark.parametrize("numbers", [np.arange(5000), -np.arange(5000), np.ones(5000), np.arange(5000) % 3])
def test_the_smallest_of_ordered_and_of_equal_numbers(numbers):
    for count in (1, 2, 2500, 4999, 5000):
        assert kth_smallest(numbers.astype(np.float32), count) == np.sort(numbers)[count - 1]
