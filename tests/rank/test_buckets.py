"""Tables in buckets, and loops over entries that look their columns up there."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from eclare_py.rank.buckets import buckets_of, sum_and_best_of_matches, sum_of_matches
from eclare_py.registers import LANES


@njit
def sums(table, columns, weights, begin, end):
    return sum_of_matches(table.keys, table.values, table.shift, columns, weights, begin, end)


@njit
def sums_and_best(table, columns, weights, others, begin, end, out):
    sum_and_best_of_matches(table.keys, table.values, table.shift, columns, weights, others, begin, end, out)


def test_by_hand():
    table = buckets_of(np.array([5, 9], np.int32), np.array([0.5, 2], np.float32))
    columns, weights = np.array([9, 7, 5, 9], np.int32), np.array([1, 10, 4, 3], np.float32)
    assert sums(table, columns, weights, 0, 3) == 2 * 1 + 0.5 * 4
    out = np.full(2, np.nan, np.float32)
    sums_and_best(table, columns, weights, np.array([0.1, 50, 3, 50], np.float32), 0, 3, out)
    np.testing.assert_array_equal(out, [4, 1.5])


@settings(deadline=None)  # kernels compile
@given(st.sets(st.integers(0, 3_000_000), max_size=400), st.lists(st.integers(0, 3_000_000), max_size=40), st.data())
def test_a_loop_finds_what_a_dictionary_holds(inside, others, data):
    keys = np.array(sorted(inside), np.int32)
    mixed = data.draw(st.permutations([*others, *sorted(inside)[:30]]))
    rng = np.random.default_rng(len(mixed))
    values, weights, mutual = (rng.random(n).astype(np.float32) for n in (len(keys), len(mixed), len(mixed)))
    table, held = buckets_of(keys, values), dict(zip(keys.tolist(), values, strict=True))
    found = np.array([held.get(column, 0) for column in mixed], np.float32)
    columns, begin = np.array(mixed, np.int32), len(mixed) // 3
    expected = (weights * found)[begin:].sum()
    np.testing.assert_allclose(sums(table, columns, weights, begin, len(mixed)), expected, rtol=1e-5, atol=1e-6)
    out = np.full(2, np.nan, np.float32)
    sums_and_best(table, columns, weights, mutual, begin, len(mixed), out)
    np.testing.assert_allclose(out, [expected, (mutual * found)[begin:].max(initial=0)], rtol=1e-5, atol=1e-6)


def test_every_key_has_its_place_though_many_meet():
    """Keys whose hashes begin alike: a bucket overflows until there are enough."""
    hashes = (np.arange(10**6, dtype=np.uint64) * 0x9E3779B1) & 0xFFFFFFFF
    keys = np.flatnonzero(hashes >> 24 == 0)[:100].astype(np.int32)
    table = buckets_of(keys, np.ones(len(keys), np.float32))
    assert len(keys) == 100 and table.keys.shape[1] == LANES and table.keys.shape[0] > 256
    assert sums(table, keys, np.ones(len(keys), np.float32), 0, len(keys)) == len(keys)
