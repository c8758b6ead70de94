"""Sparse matrices: rows of entries, entries by place, the largest of each row."""

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.sparse import entries_at, row_ids, top_k_rows


def test_row_ids_are_those_of_a_coo_matrix():
    matrix = sp.random_array((7, 5), density=0.4, format="csr", rng=np.random.default_rng(0))
    assert row_ids(matrix).dtype == np.int64
    np.testing.assert_array_equal(row_ids(matrix), matrix.tocoo().row)


def test_entries_are_looked_up():
    matrix = sp.csr_array(np.array([[0, 2, 0], [3, 0, 0]], dtype=np.float32))
    rows, columns = np.array([0, 0, 1, 1]), np.array([1, 2, 0, 2])
    assert entries_at(matrix, rows, columns).tolist() == [2, 0, 3, 0]
    assert entries_at(sp.csr_array((2, 3), dtype=np.float32), rows, columns, absent=-1).tolist() == [-1] * 4


def test_top_k_rows_of_a_block():
    rows = sp.csr_array(np.array([[5, 5, 1, 5], [0, 2, 8, 3]], dtype=np.float32))
    cut = top_k_rows(rows, 1, first_row=2).toarray()  # the diagonal of these rows is column 2, then 3
    np.testing.assert_array_equal(cut, [[5, 0, 1, 0], [0, 0, 8, 3]])
    assert top_k_rows(rows, None) is rows


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("top_k", [0, 1, 3, 11, 10**9])
def test_top_k_rows_equals_a_sort_of_every_row(kind, top_k):
    """Few distinct weights, so that most are tied; rows of all lengths, some without a diagonal."""
    rng = np.random.default_rng(top_k % 7)
    dense = (rng.integers(1, 4, (23, 29)) * (rng.random((23, 29)) < 0.5)).astype(kind)
    dense[3], dense[5, :2] = 0, 2
    cut, expected = top_k_rows(sp.csr_array(dense), top_k, first_row=4).toarray(), np.zeros_like(dense)
    for row in range(23):
        diagonal = row + 4
        others = [column for column in np.flatnonzero(dense[row]) if column != diagonal]
        best = sorted(others, key=lambda column: (-dense[row, column], column))[:top_k]
        expected[row, best] = dense[row, best]
        expected[row, diagonal] = dense[row, diagonal]
    np.testing.assert_array_equal(cut, expected)
