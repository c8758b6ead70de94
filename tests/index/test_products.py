"""Products of rows with a document: codes exactly as whole numbers, float32 as numpy has it."""

import numpy as np
import pytest
from numba import njit

from eclare_py.errors import UsageError
from eclare_py.index.multiplicands import Multiplicands, sixteen_bits
from eclare_py.index.products import ROWS, multiply_rows, multiply_rows_anywhere
from eclare_py.quantize import Rows, in_nibbles, plain, quantize


def loop(multiply):
    @njit
    def all_rows(values, which, x, out):
        for start in range(0, which.shape[0], ROWS):
            multiply(values, which, start, which.shape[0] - 1, x, out, start)

    def products(rows, which, found):
        out = np.empty(len(which) + ROWS, np.float32)
        all_rows(rows.values, which, found.values[0], out)
        return out[: len(which)]

    return products


LOOPS = {"here": loop(multiply_rows), "anywhere": loop(multiply_rows_anywhere)}
# Lengths below a step, of whole steps, of steps and a rest, and of more steps than fit into sums of 16 bits.
SHAPES = [(7, 5), (9, 37), (3, 64), (6, 300), (5, 1000)]


def draw(n, d, bits=8):
    rng = np.random.default_rng(n * d)
    rows = quantize(rng.normal(size=(n, d)).astype(np.float32), bits)
    return rng, rows, rng.normal(size=(1, d)).astype(np.float32), rng.integers(0, n, 11)


@pytest.mark.parametrize("place", LOOPS)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_float32(place, n, d):
    _, rows, x, which = draw(n, d)
    dense = plain(rows.dense())
    found = LOOPS[place](dense, which, Multiplicands.of(x, dense))
    np.testing.assert_allclose(found, dense.values[which] @ x[0], atol=1e-4)


@pytest.mark.parametrize("place", LOOPS)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_codes_of_8_bits(place, n, d):
    _, rows, x, which = draw(n, d)
    documents = Multiplicands.of(x, rows)
    exact = rows.values[which].astype(np.int64) @ documents.values[0].astype(np.int64)
    np.testing.assert_array_equal(LOOPS[place](rows, which, documents), exact.astype(np.float32))


@pytest.mark.parametrize("place", LOOPS)
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_codes_of_4_bits(place, n, d):
    _, rows, x, which = draw(n, d, bits=4)
    documents = Multiplicands.of(x, in_nibbles(rows))
    exact = rows.values[which].astype(np.int64) @ documents.values[0, :d].astype(np.int64)
    found = LOOPS[place](in_nibbles(rows), which, documents)
    np.testing.assert_array_equal(found - documents.base[0], exact.astype(np.float32))


@pytest.mark.parametrize("place", LOOPS)
@pytest.mark.parametrize("d", [256, 640, 2048])
@pytest.mark.parametrize(("bits", "largest"), [(4, 7), (8, 127)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_fit(place, d, bits, largest, sign):
    rows = Rows(np.full((2, d), sign * largest, np.int8), np.ones(2, np.float32))
    rows = in_nibbles(rows) if bits == 4 else rows
    documents = Multiplicands.of(np.ones((1, d), np.float32), rows)
    found = LOOPS[place](rows, np.array([1, 0]), documents)
    products = (found - documents.base[0]) * documents.unit[0]
    np.testing.assert_allclose(products, sign * largest * d, rtol=1e-6)


@pytest.mark.parametrize("bits", [4, 8])
def test_products_are_those_of_the_numbers(bits):
    """Up to what the codes of the document round off: half of one in 127, or in 2^15 - 1, of its largest number."""
    _, rows, x, which = draw(40, 97, bits)
    codes = in_nibbles(rows) if bits == 4 else rows
    documents = Multiplicands.of(x, codes)
    found = (LOOPS["here"](codes, which, documents) - documents.base[0]) * documents.unit[0] * rows.scale[which]
    dense = rows.dense(which)
    bound = np.abs(dense).sum(axis=1) * np.abs(x).max() / {4: 127, 8: 2**15 - 1}[bits] / 2
    assert np.all(np.abs(found - dense @ x[0]) <= bound + 1e-5)
    assert np.abs(found - dense @ x[0]).max() > 0


@pytest.mark.parametrize("value", [0, 1e-42, 1e-31])
def test_a_document_of_next_to_nothing(value):
    _, rows, _, which = draw(7, 5)
    documents = Multiplicands.of(np.full((1, 5), value, np.float32), rows)
    assert documents.unit[0] == 0
    np.testing.assert_array_equal(LOOPS["here"](rows, which, documents), 0)


def test_sixteen_bits_of_a_document():
    x = np.random.default_rng(0).normal(size=(3, 37)).astype(np.float32)
    seen = sixteen_bits(x)
    assert np.all(np.abs(seen - x) <= np.abs(x).max(axis=1, keepdims=True) / (2**15 - 1) * 0.501)
    np.testing.assert_allclose(sixteen_bits(seen), seen, rtol=1e-6)
    x[1, 2] = np.nan
    with pytest.raises(UsageError, match="NaN"):
        sixteen_bits(x)


def test_codes_that_need_more_bits_are_refused():
    with pytest.raises(ValueError, match="more than 4 bits"):
        in_nibbles(Rows(np.array([[8]], np.int8), np.ones(1, np.float32)))
