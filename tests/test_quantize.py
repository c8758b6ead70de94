import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.quantize import dot_row, plain, quantize, rounded


def test_codes_by_hand():
    """The largest number of a row becomes 127; the scale is its 127th, rounded up to 16 bits."""
    rows = quantize(np.array([[0, 127, -63.6], [2, -254, 1], [0, 0, 0]], dtype=np.float32))
    assert rows.values.dtype == np.int8
    assert rows.values.tolist() == [[0, 127, -64], [1, -127, 0], [0, 0, 0]]
    assert rows.scale.tolist() == [1, 2, 0]
    assert rows.dense().tolist() == [[0, 127, -64], [2, -254, 0], [0, 0, 0]]
    assert rows.dense(np.array([1])).tolist() == [[2, -254, 0]]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-30, 1e30))
def test_the_error_is_half_a_step_and_a_second_time_changes_nothing(seed, size):
    matrix = (np.random.default_rng(seed).normal(size=(4, 7)) * size).astype(np.float32)
    once = rounded(matrix)
    step = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert np.all(np.abs(once - matrix) <= 0.501 * step)
    np.testing.assert_array_equal(rounded(once), once)
    np.testing.assert_array_equal(quantize(once).values, quantize(matrix).values)


def test_products_equal_those_of_the_dense_rows():
    rng = np.random.default_rng(0)
    matrix, vector = rng.normal(size=(5, 33)).astype(np.float32), rng.normal(size=33).astype(np.float32)
    rows = quantize(matrix)
    for row in range(5):
        assert dot_row(*rows, row, vector) == pytest.approx(float(rows.dense()[row] @ vector), abs=1e-5)
        assert dot_row(*plain(matrix), row, vector) == pytest.approx(float(matrix[row] @ vector), abs=1e-5)


def test_empty_and_not_finite():
    assert quantize(np.empty((0, 3), np.float32)).dense().shape == (0, 3)
    with pytest.raises(ValueError, match="row 1 holds NaN"):
        quantize(np.array([[1, 2], [np.nan, 0]], dtype=np.float32))
