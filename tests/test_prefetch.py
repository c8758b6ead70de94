import numpy as np
from numba import njit

from eclare_py.prefetch import prefetch, prefetch_row


@njit
def ask(matrix, flat):
    for row in range(matrix.shape[0]):
        prefetch_row(matrix, row)
    prefetch(flat, 0)
    prefetch(flat, flat.shape[0] + 10**6)  # behind the end: no fault


def test_asking_for_memory_changes_nothing():
    for kind in (np.int8, np.float32, np.int64):
        matrix, flat = np.arange(300).astype(kind).reshape(3, 100), np.arange(5).astype(kind)
        before = matrix.copy(), flat.copy()
        ask(matrix, flat)
        assert np.array_equal(matrix, before[0]) and np.array_equal(flat, before[1])
