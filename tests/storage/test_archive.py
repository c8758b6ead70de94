"""Archives: read by what they hold, not by what they say."""

from __future__ import annotations

import io
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.storage.archive import read_archive


def member(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def archive(path: Path, content: bytes, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as file:
        file.writestr("a.npy", content)
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_what_numpy_saves_comes_back(tmp_path: Path, packed: bool) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.array([["x", "yz"]]), "d": np.empty(0)}
    (np.savez_compressed if packed else np.savez)(tmp_path / "x.npz", **arrays)
    found = read_archive(tmp_path / "x.npz", arrays)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_bomb_is_refused_by_its_declared_size_and_takes_no_memory(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "x.npz", member(np.zeros(25_000_000)))
    assert bomb.stat().st_size < 300_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="too large"):
        read_archive(bomb, ["a"], most=1 << 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def lying(shape: str) -> bytes:
    """The header of a float64 array of this shape, and eight bytes."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(8)


def test_a_true_header_made_by_hand_is_read(tmp_path: Path) -> None:
    assert read_archive(archive(tmp_path / "x.npz", lying("(1,)")), ["a"])["a"].tolist() == [0.0]


@pytest.mark.parametrize(
    "content",
    [*map(lying, ("(2,)", "(0,)", "(1099511627776,)", "(4611686018427387904, 4)", "(-1,)", "(-1, -1)", "(1.5,)", "x")),
     member(np.array([{}], dtype=object)), member(np.asfortranarray(np.ones((2, 3)))), b"", b"junk", lying("(1,)")[:-1],
     member(np.ones(3))[:-1], b"\x93NUMPY\x09\x00" + bytes(20), member(np.ones(3, dtype=complex))],
)  # fmt: skip
def test_arrays_that_are_not_what_they_say_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=".+"):
        read_archive(archive(tmp_path / "x.npz", content), ["a"])


def test_other_files_and_members_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04junk")
    with pytest.raises(ValueError, match="damaged or no such archive"):
        read_archive(tmp_path / "x.npz", ["a"])
    with pytest.raises(ValueError, match=r"b\.npy"):
        read_archive(archive(tmp_path / "y.npz", member(np.ones(3))), ["b"])
    with pytest.raises(ValueError, match="packed in another way"):
        read_archive(archive(tmp_path / "z.npz", member(np.ones(3)), zipfile.ZIP_BZIP2), ["a"])
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "none.npz", ["a"])
