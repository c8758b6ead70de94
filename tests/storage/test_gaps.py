import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.storage.gaps import pack_gaps, unpack_gaps


def test_bytes_by_hand():
    """3, then 127 more in one byte, then 300 = 0b10_0101100 in two; the second list starts over."""
    packed = pack_gaps(np.array([3, 130, 430, 0, 128]), np.array([0, 3, 3, 5]))
    assert packed.tolist() == [3, 127, 0b10101100, 0b10, 0, 0b10000000, 1]


@settings(deadline=None)  # the first example compiles the kernels
@given(st.lists(st.lists(st.integers(0, 2**35 - 1), unique=True, max_size=5), max_size=6))
def test_lists_come_back(lists):
    lists = [sorted(one) for one in lists]
    values = np.array([value for one in lists for value in one], dtype=np.int64)
    pointers = np.cumsum([0, *(len(one) for one in lists)])
    np.testing.assert_array_equal(unpack_gaps(pack_gaps(values, pointers), pointers), values)


@pytest.mark.parametrize(
    ("packed", "pointers"),
    [
        ([1, 2], [0, 1]),
        ([1], [0, 2]),
        ([1, 200], [0, 1]),
        ([200, 200, 200, 200, 200, 1], [0, 1]),
        ([], [0, 1]),
        ([1, 2], [1, 2]),
        ([1, 2], [0, 3, 2]),
    ],
)
def test_other_numbers_of_gaps_are_refused(packed, pointers):
    with pytest.raises(ValueError, match="gap"):
        unpack_gaps(np.array(packed, dtype=np.uint8), np.array(pointers))


@pytest.mark.parametrize("values", [[5, 3], [-1, 3]])
def test_numbers_that_do_not_ascend_are_refused(values):
    with pytest.raises(ValueError, match="ascend"):
        pack_gaps(np.array(values), np.array([0, 2]))


def test_pointers_that_ask_for_more_than_there_is_make_no_room():
    with pytest.raises(ValueError, match="3 gaps of uint8 for"):
        unpack_gaps(np.array([1, 2, 3], dtype=np.uint8), np.array([0, 2**60]))
