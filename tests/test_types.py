"""Blocks of rows: all of them, in order, none too large."""

from __future__ import annotations

import numpy as np
import pytest

from eclare_py.types import as_csr, row_blocks


@pytest.mark.parametrize(("rows", "entries"), [(4, 100), (100, 7), (3, 5), (1, 1), (100, 10**6)])
def test_row_blocks_are_all_rows_in_order_and_not_too_large(rows: int, entries: int) -> None:
    dense = np.random.default_rng(0).random((23, 6)) < np.linspace(0, 1, 23)[:, None]
    matrix = as_csr(dense)
    blocks = list(row_blocks(matrix, rows, entries))
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(23))
    for block in blocks:
        size = block.stop - block.start
        assert size == 1 or (size <= rows and matrix[block].nnz <= entries)
    assert list(row_blocks(as_csr(np.zeros((0, 6))), rows, entries)) == []
