import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eclare_py.errors import ModelError
from eclare_py.storage.distinct import distinct_from_arrays, distinct_to_arrays


def test_numbers_of_which_few_differ_by_hand():
    values = np.tile(np.array([0.5, 0.25, 0.5, 0.125], dtype=np.float32), 10)
    arrays = distinct_to_arrays("w", values)
    assert arrays["w"].tolist() == [0.125, 0.25, 0.5] and arrays["w_of"][:4].tolist() == [2, 1, 2, 0]
    all_differ = np.arange(40, dtype=np.float32)
    assert list(distinct_to_arrays("w", all_differ)) == ["w"]


@settings(deadline=None)
@given(hnp.arrays(np.float32, st.integers(0, 90), elements=st.sampled_from([0.0, 0.5, -3.0, 7.25])))
def test_numbers_come_back(values):
    found = distinct_from_arrays(distinct_to_arrays("w", values), "w", owner="table")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": None}, "w is missing"),
        ({"w_of": np.array([0, 3])}, "outside of 3"),
        ({"w_of": np.array([-1, 0])}, "outside of 3"),
        ({"w_of": np.array([0, 1], dtype=np.uint8)}, "uint8"),
        ({"w_of": np.array([[0, 1]])}, "not a row for a row"),
        ({"w": np.ones((3, 1), dtype=np.float32)}, "not a row for a row"),
    ],
)
def test_damaged_codes_are_refused(change, message):
    arrays = {"w": np.array([1, 2, 3], dtype=np.float32), "w_of": np.array([0, 1])} | change
    with pytest.raises(ModelError, match=f"^table: .*{message}"):
        distinct_from_arrays({name: array for name, array in arrays.items() if array is not None}, "w", owner="table")
