"""States and CSR matrices on disk: what comes back equals what went in, what is hostile or damaged is refused."""

from __future__ import annotations

import json
import os
import resource
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import ModelError
from eclare_py.storage import State, csr_from_arrays, csr_to_arrays, read_state, write_state
from eclare_py.types import as_csr

TYPES = [np.float16, np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_]


def sample_csr() -> Any:
    return as_csr(sp.random_array((5, 7), density=0.4, rng=np.random.default_rng(3), format="csr"))


def raw_file(path: Path, header: dict[str, Any], body: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4), (2, 3, 4)])
def test_arrays_come_back_bitwise(tmp_path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    write_state(tmp_path, "part", State({"a": array}, {}))
    back = read_state(tmp_path, "part").arrays["a"]
    assert back.dtype == array.dtype and back.shape == array.shape and np.array_equal(back, array)


def test_views_are_saved_as_they_read(tmp_path: Path) -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {"turned": base.T, "strided": base[::2, 1::2], "reversed": base[::-1], "fortran": np.asfortranarray(base)}
    write_state(tmp_path, "part", State(arrays, {}))
    back = read_state(tmp_path, "part").arrays
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())


def test_an_empty_state(tmp_path: Path) -> None:
    write_state(tmp_path, "part", State())
    assert read_state(tmp_path, "part") == State()


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=8,
        ),
    )
)
def test_meta_comes_back(tmp_path_factory: pytest.TempPathFactory, meta: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("meta")
    write_state(folder, "part", State({}, meta))
    assert read_state(folder, "part").meta == meta


def test_lone_surrogates_in_meta_survive(tmp_path: Path) -> None:
    write_state(tmp_path, "part", State({}, {"text": "a\ud800b"}))
    assert read_state(tmp_path, "part").meta["text"] == "a\ud800b"


def test_files_follow_the_umask(tmp_path: Path) -> None:
    write_state(tmp_path, "part", State({"a": np.zeros(2, np.float32)}, {}))
    (tmp_path / "plain").touch()
    modes = {(tmp_path / name).stat().st_mode & 0o777 for name in ("plain", "part.json", "part.safetensors")}
    assert len(modes) == 1


@pytest.mark.parametrize(
    "meta",
    [{"a": float("nan")}, {"a": float("inf")}, {"a": {1: 2}}, {"a": [{(1, 2): 3}]}, {"a": object()}, {"a": b"x"}],
)
def test_meta_that_json_cannot_hold_is_refused(tmp_path: Path, meta: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="not plain JSON data"):
        write_state(tmp_path, "part", State({}, meta))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path: Path, bad: float, dtype: Any) -> None:
    array = np.full((2, 3), 0.1, dtype=dtype)
    write_state(tmp_path, "part", State({"good": array, "weights": array}, {}))
    path = tmp_path / "part.safetensors"
    array[1, 0] = bad
    with pytest.raises(ModelError, match="weights holds .* at position 3"):
        write_state(tmp_path, "part", State({"weights": array}, {}))
    path.write_bytes(path.read_bytes()[: -array.nbytes] + array.tobytes())
    with pytest.raises(ModelError, match=r"part\.safetensors: array weights holds"):
        read_state(tmp_path, "part")


def test_the_last_value_of_a_large_array_is_checked(tmp_path: Path) -> None:
    array = np.zeros((1 << 22) + 5, dtype=np.float16)
    array[-1] = np.nan
    with pytest.raises(ModelError, match=f"position {len(array) - 1} "):
        write_state(tmp_path, "part", State({"a": array}, {}))


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.array([1j]), np.array(["2020"], "M8[D]")])
def test_other_array_types_are_refused(tmp_path: Path, array: Any) -> None:
    with pytest.raises(ModelError, match=r"array a has type .* not saved"):
        write_state(tmp_path, "part", State({"a": array}, {}))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="state name"):
        write_state(tmp_path, name, State())
    with pytest.raises(ValueError, match="state name"):
        read_state(tmp_path, name)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_missing_files_are_named(tmp_path: Path, suffix: str) -> None:
    write_state(tmp_path, "part", State())
    (tmp_path / f"part{suffix}").unlink()
    with pytest.raises(ModelError, match=rf"part\{suffix} is missing"):
        read_state(tmp_path, "part")


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": -Infinity}', "[1]", "{", "", '"x"', "[" * 100_000, '{"a": ' + "9" * 9_999 + "}", "\udcff"],
)
def test_damaged_json_is_refused(tmp_path: Path, text: str) -> None:
    write_state(tmp_path, "part", State())
    (tmp_path / "part.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"part\.json"):
        read_state(tmp_path, "part")


def test_truncated_or_lengthened_files_are_refused(tmp_path: Path) -> None:
    write_state(tmp_path, "part", State({"a": np.arange(40, dtype=np.float32)}, {}))
    path = tmp_path / "part.safetensors"
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"part\.safetensors is damaged"):
            read_state(tmp_path, "part")
    path.write_bytes(whole + b"x")
    with pytest.raises(ModelError, match=r"part\.safetensors is damaged"):
        read_state(tmp_path, "part")


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}},
        {"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}},
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, header: dict[str, Any]) -> None:
    write_state(tmp_path, "part", State())
    raw_file(tmp_path / "part.safetensors", header, b"\0" * 8)
    with pytest.raises(ModelError, match=r"part\.safetensors"):
        read_state(tmp_path, "part")


def test_csr_comes_back(tmp_path: Path) -> None:
    csr = sample_csr()
    write_state(tmp_path, "part", State(csr_to_arrays("graph", csr), {}))
    back = csr_from_arrays(read_state(tmp_path, "part").arrays, "graph", "label graph", shape=(5, 7))
    assert back.shape == csr.shape and back.dtype == csr.dtype and (back != csr).nnz == 0
    empty = as_csr(sp.csr_array((0, 3)))
    assert csr_from_arrays(csr_to_arrays("e", empty), "e", "empty").shape == (0, 3)


def test_columns_far_apart_take_a_byte_or_two_each() -> None:
    csr = as_csr(sp.random_array((30, 100_000), density=0.001, format="csr", dtype=np.float32, rng=0))
    csr.sort_indices()
    arrays = csr_to_arrays("g", csr)
    assert arrays["g.indices"].dtype == np.uint8 and 1 < len(arrays["g.indices"]) / csr.nnz < 2
    back = csr_from_arrays(arrays, "g", "graph")
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(back, part), getattr(csr, part))
        assert getattr(back, part).dtype == getattr(csr, part).dtype
    for bad in (arrays["g.indices"][:-1], arrays["g.indices"] | 128):
        with pytest.raises(ModelError, match=r"graph: the arrays g\.\* are damaged"):
            csr_from_arrays(arrays | {"g.indices": bad}, "g", "graph")


def changed(part: str, position: int, value: float) -> dict[str, Any]:
    arrays = {key: array.copy() for key, array in csr_to_arrays("g", sample_csr()).items()}
    arrays[f"g.{part}"][position] = value
    return arrays


@pytest.mark.parametrize(
    ("part", "position", "value", "message"),
    [
        ("indices", 2, 7, "column index 7 outside 0..6"),
        ("indices", 2, 2**31 - 1, "outside"),
        ("indices", 0, -1, "outside"),
        ("indices", 1, 0, "not sorted and unique"),
        ("indptr", 2, 10**6, "row pointers"),
        ("indptr", 2, 0, "row pointers decrease"),
        ("indptr", 0, 1, ""),
        ("indptr", -1, 3, ""),
        ("indptr", -1, 10**6, ""),
        ("indptr", 1, -4, ""),
        ("data", 0, np.nan, "NaN"),
        ("data", 3, np.inf, "infinity"),
        ("shape", 0, 2**60, "outside 0"),
        ("shape", 1, 2**60, "outside 0"),
        ("shape", 1, -1, "outside 0"),
        ("shape", 0, 2**28, "says 268435456 rows"),
        ("shape", 0, 4, "says 4 rows"),
        ("shape", 1, 3, "outside 0..2"),
    ],
)
def test_hostile_csr_is_refused(part: str, position: int, value: float, message: str) -> None:
    with pytest.raises(ModelError, match=f"label graph: .*{message}"):
        csr_from_arrays(changed(part, position, value), "g", "label graph")


@pytest.mark.parametrize("part", ["indptr", "indices", "data", "shape"])
def test_csr_arrays_of_a_wrong_kind_are_refused(part: str) -> None:
    arrays = csr_to_arrays("g", sample_csr())
    for bad in (arrays[f"g.{part}"].reshape(1, -1), arrays[f"g.{part}"].astype("S4"), np.array(3)):
        with pytest.raises(ModelError, match=rf"graph: g\.{part}"):
            csr_from_arrays({**arrays, f"g.{part}": bad}, "g", "graph")
    del arrays[f"g.{part}"]
    with pytest.raises(ModelError, match=rf"graph: array g\.{part} is missing"):
        csr_from_arrays(arrays, "g", "graph")


def test_csr_of_another_shape_than_expected_is_refused() -> None:
    with pytest.raises(ModelError, match="graph is 5 x 7, expected 7 x 7"):
        csr_from_arrays(csr_to_arrays("g", sample_csr()), "g", "graph", shape=(7, 7))


def test_a_huge_declared_shape_allocates_nothing() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for rows, columns in ((2**28, 3), (3, 2**62), (2**62, 2**62)):
        arrays = csr_to_arrays("g", sample_csr()) | {"g.shape": np.array([rows, columns])}
        with pytest.raises(ModelError):
            csr_from_arrays(arrays, "g", "graph")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000 * (
        1024 if os.uname().sysname == "Darwin" else 1
    )
