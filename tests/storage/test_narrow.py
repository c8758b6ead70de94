import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eclare_py.storage import State, read_state, write_state
from eclare_py.storage.narrow import WIDE, narrow, widen


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0, 255], np.int64, np.uint8),
        ([0, 256], np.int64, np.uint16),
        ([-1, 127], np.int64, np.int8),
        ([-129, 5], np.int32, np.int16),
        ([0, 2**32 - 1], np.int64, np.uint32),
        ([0, 2**32], np.int64, np.int64),
        ([0, 65535], np.uint16, np.uint16),
        ([0.5, -2048, 65504], np.float32, np.float16),
        ([0.1], np.float32, np.float32),
        ([70000], np.float32, np.float32),
        ([0.1], np.float64, np.float64),
        ([], np.int64, np.int64),
    ],
)
def test_the_smallest_type_by_hand(values, kind, expected):
    assert narrow(np.array(values, dtype=kind)).dtype == expected


@settings(deadline=None)
@given(
    st.sampled_from(sorted(WIDE)).flatmap(
        lambda name: hnp.arrays(
            name, hnp.array_shapes(min_side=0), elements={"allow_nan": False} if name[0] == "f" else None
        )
    )
)
def test_nothing_is_lost(array):
    again = widen(narrow(array), array.dtype.name)
    assert again.dtype == array.dtype and again.tobytes() == array.tobytes()


def test_late_full_precision_is_seen():
    array = np.ones(10_000, dtype=np.float32)
    array[-1] = 0.1
    assert narrow(array) is array


def test_files_hold_the_narrow_type_and_give_back_the_wide_one(tmp_path):
    arrays = {"columns": np.arange(1000, dtype=np.int64) % 200, "weights": np.full(1000, 0.25, dtype=np.float32)}
    write_state(tmp_path, "part", State(arrays, {}))
    assert (tmp_path / "part.safetensors").stat().st_size < 3400
    again = read_state(tmp_path, "part").arrays
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)
    with pytest.raises(ValueError, match="type 'object'"):
        widen(arrays["columns"], "object")
