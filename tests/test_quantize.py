import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.quantize import (
    coarse,
    coarse_matrix,
    codes_of,
    dot_row,
    from_arrays,
    plain,
    quantize,
    rounded,
    to_arrays,
)
from eclare_py.types import as_csr


def test_codes_by_hand():
    """The largest number of a row becomes 127; the scale is its 127th, rounded up to 16 bits."""
    rows = quantize(np.array([[0, 127, -63.6], [2, -254, 1], [0, 0, 0]], dtype=np.float32))
    assert rows.values.dtype == np.int8
    assert rows.values.tolist() == [[0, 127, -64], [1, -127, 0], [0, 0, 0]]
    assert rows.scale.tolist() == [1, 2, 0]
    assert rows.dense().tolist() == [[0, 127, -64], [2, -254, 0], [0, 0, 0]]
    assert rows.dense(np.array([1])).tolist() == [[2, -254, 0]]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-30, 1e30), st.sampled_from([8, 4]))
def test_the_error_is_half_a_step_and_a_second_time_changes_nothing(seed, size, bits):
    matrix = (np.random.default_rng(seed).normal(size=(4, 7)) * size).astype(np.float32)
    once = rounded(matrix, bits)
    step = np.abs(matrix).max(axis=1, keepdims=True) / {8: 127, 4: 7}[bits]
    assert np.all(np.abs(once - matrix) <= 0.501 * step)
    np.testing.assert_array_equal(rounded(once, bits), once)
    np.testing.assert_array_equal(codes_of(once).values, quantize(matrix, bits).values)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("rows", [0, 1, 5, 11])
def test_blocks_of_rows_change_nothing(bits, rows, monkeypatch):
    matrix = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    codes, once, again = quantize(matrix, bits), rounded(matrix, bits), codes_of(rounded(matrix, bits))
    monkeypatch.setattr("eclare_py.quantize._BLOCK", 5)
    for ours, theirs in ((quantize(matrix, bits), codes), (codes_of(once), again)):
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.scale, theirs.scale)
    np.testing.assert_array_equal(rounded(matrix, bits), once)


def test_codes_of_eight_bits_where_a_later_block_needs_them(monkeypatch):
    """Rows that four bits give back come first; one that they do not decides for all."""
    monkeypatch.setattr("eclare_py.quantize._BLOCK", 2)
    matrix = np.array([[7, 1], [-3, 7], [2, 7], [0, 0], [127, 64]], dtype=np.float32)
    np.testing.assert_array_equal(codes_of(matrix[:4]).values, quantize(matrix[:4], 4).values)
    np.testing.assert_array_equal(codes_of(matrix).values, quantize(matrix, 8).values)


def test_the_row_that_is_no_number_is_named_in_any_block(monkeypatch):
    monkeypatch.setattr("eclare_py.quantize._BLOCK", 2)
    matrix = np.ones((5, 2), dtype=np.float32)
    matrix[3, 1] = np.inf
    with pytest.raises(ValueError, match="row 3 holds"):
        quantize(matrix)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("shape", [(3, 5), (4, 6), (2, 1), (0, 3)])
def test_codes_come_back_from_the_disk(bits, shape):
    matrix = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    matrix[1:2] = 0
    rows = quantize(matrix, bits)
    arrays = to_arrays("table", rows)
    width = shape[1] if bits == 8 and shape[0] else -(-shape[1] // 2)
    assert arrays["table"].shape == (max(shape[0] - 1, 0), width)
    again = from_arrays(arrays, "table", shape[1])
    np.testing.assert_array_equal(again.values, rows.values)
    np.testing.assert_array_equal(again.scale, rows.scale)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"table": None}, "table is missing"),
        ({"table": np.zeros((2, 3), np.int16)}, "int16"),
        ({"table": np.zeros((1, 4), np.int8)}, "no codes of 2 rows"),
        ({"table_scale": np.array([1, -1], np.float32)}, "below 0"),
        ({"table_scale": np.array([1, 0], np.float32)}, "no codes of 2 rows"),
    ],
)
def test_damaged_codes_are_refused(damage, message):
    arrays = to_arrays("table", quantize(np.full((2, 4), 0.3, dtype=np.float32))) | damage
    arrays = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        from_arrays(arrays, "table", 4)


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


def test_five_significant_bits_by_hand():
    """1.03 lies between 1 and 1.0625, 0.7 between 22 and 23 32nds; powers of two and 0 stay."""
    values = np.array([1.03, 1.05, 0.7, -0.7, 0.25, 0, 1e-6], dtype=np.float32)
    np.testing.assert_allclose(coarse(values)[:6], [1, 1.0625, 0.6875, -0.6875, 0.25, 0], rtol=0)
    many = np.random.default_rng(0).lognormal(size=1000).astype(np.float32)
    assert np.abs(coarse(many) / many - 1).max() <= 1 / 32
    np.testing.assert_array_equal(coarse(coarse(many)), coarse(many))
    assert coarse_matrix(as_csr(np.array([[0, 0.7]], dtype=np.float32))).toarray().tolist() == [[0, 0.6875]]
