"""Sentence vectors beside TF-IDF rows."""

from __future__ import annotations

import numpy as np
import pytest

from eclare_py.errors import UsageError
from eclare_py.features.dense_columns import append_dense
from eclare_py.types import Csr, as_csr, check_csr


@pytest.mark.parametrize(("n", "v", "t"), [(1, 5, 3), (7, 4, 1), (9, 0, 6), (0, 4, 2)])
def test_it_is_the_concatenation(n: int, v: int, t: int) -> None:
    random = np.random.default_rng(n)
    rows = as_csr(random.random((n, v)) * (random.random((n, v)) < 0.4))
    vectors = random.standard_normal((n, t)).astype(np.float32)
    joined = check_csr(append_dense(rows, vectors, 2.0), name="joined", shape=(n, v + t))
    np.testing.assert_array_equal(joined.toarray(), np.hstack([rows.toarray(), 2 * vectors]))
    assert joined.indices.dtype == rows.indices.dtype and joined.data.dtype == np.float32


def test_a_vector_of_zeros_is_stored_in_full() -> None:
    joined = append_dense(Csr((1, 2), dtype=np.float32), np.zeros((1, 4), np.float32))
    np.testing.assert_array_equal(joined.indices, [2, 3, 4, 5])


def test_row_counts_must_fit() -> None:
    with pytest.raises(UsageError, match="3 vectors for 2 rows"):
        append_dense(Csr((2, 2), dtype=np.float32), np.zeros((3, 4), np.float32))
