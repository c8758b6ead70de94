"""The state of a part: arrays in safetensors and plain data in JSON, checked on the way in and on the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from eclare_py.errors import ModelError
from eclare_py.storage.distinct import distinct_from_arrays, distinct_to_arrays
from eclare_py.storage.fault import point
from eclare_py.storage.files import read_json, write_json
from eclare_py.storage.gaps import pack_gaps, unpack_gaps
from eclare_py.storage.narrow import narrow, widen
from eclare_py.types import Csr, check_csr

T = TypeVar("T")
JSON: TypeAlias = Any  # str, int, finite float, bool, None, list, dict with str keys; checked when written

# What the file calls the types that numpy can hold; bfloat16 and the 8-bit floats would need torch.
ARRAY_TYPES = {
    "F16": np.float16, "F32": np.float32, "F64": np.float64, "I8": np.int8, "I16": np.int16, "I32": np.int32,
    "I64": np.int64, "U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64, "BOOL": np.bool_,
}  # fmt: skip
CSR_PARTS = ("indptr", "indices", "shape", "data")
MAX_DIMENSION = 2**28  # rows or columns of a CSR on disk: far above any label set, far below what exhausts memory
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CHUNK = 1 << 22
_TYPES = "types"  # where the header names the types of arrays that are narrower on disk


@dataclass(frozen=True)
class State:
    """What a part needs to come back: `State` out of `part.state()`, part out of `Part.from_state(state)`.

    Attributes:
        arrays: Plain numpy arrays by name, all finite.
        meta: Plain JSON data.
    """

    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    meta: dict[str, JSON] = field(default_factory=dict)


def csr_to_arrays(prefix: str, csr: Csr) -> dict[str, npt.NDArray[Any]]:
    """The plain arrays `prefix.indptr`, `.indices`, `.data`, `.shape` of a CSR.

    Columns are bytes, the gaps between those of a row, where they ascend in each row and that is smaller; weights may
    come with `.data_of`, see `distinct_to_arrays`.
    """
    columns = csr.indices
    if csr.has_sorted_indices:
        gaps = pack_gaps(csr.indices, csr.indptr)
        columns = gaps if len(gaps) < narrow(csr.indices).nbytes else columns
    arrays = {"indptr": csr.indptr, "indices": columns, "shape": np.asarray(csr.shape, dtype=np.int64)}
    named = {f"{prefix}.{part}": np.asarray(array) for part, array in arrays.items()}
    return named | distinct_to_arrays(f"{prefix}.data", np.asarray(csr.data))


def csr_from_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], prefix: str, name: str, *, shape: tuple[int, int] | None = None
) -> Csr:
    """Build a CSR from untrusted arrays; nothing is allocated by the declared shape.

    Args:
        arrays: Arrays as `csr_to_arrays` names them.
        prefix: The prefix given there.
        name: What the messages call the matrix.
        shape: The shape it must have, where that is known.

    Raises:
        ModelError: An array is missing or of a wrong type, or the CSR is not valid (see `types.check_csr`).
    """
    missing = [f"{prefix}.{part}" for part in CSR_PARTS if f"{prefix}.{part}" not in arrays]
    if missing:
        raise ModelError(f"{name}: array {missing[0]} is missing")
    indptr, indices, declared = (arrays[f"{prefix}.{part}"] for part in CSR_PARTS[:3])
    data = distinct_from_arrays(arrays, f"{prefix}.data", owner=name)
    if indices.dtype == np.uint8 and indices.ndim == indptr.ndim == 1 and indptr.dtype.kind == "i":
        try:
            indices = unpack_gaps(indices, indptr)
        except ValueError as error:
            raise ModelError(f"{name}: the arrays {prefix}.* are damaged: {error}") from error
        if indices.max(initial=0) <= np.iinfo(indptr.dtype).max:
            indices = indices.astype(indptr.dtype, copy=False)
    for part, array, kinds in (("indptr", indptr, "i"), ("indices", indices, "i"), ("data", data, "iuf")):
        if array.ndim != 1 or array.dtype.kind not in kinds or array.dtype.itemsize < 4:
            raise ModelError(f"{name}: {prefix}.{part} is {array.dtype} {array.shape}, not a plain vector for a CSR")
    if declared.shape != (2,) or declared.dtype.kind != "i":
        raise ModelError(f"{name}: {prefix}.shape is {declared.dtype} {declared.shape}, not two integers")
    rows, columns = (int(value) for value in declared)
    if not (0 <= rows <= MAX_DIMENSION and 0 <= columns <= MAX_DIMENSION):
        raise ModelError(f"{name}: {prefix}.shape says {rows} x {columns}, outside 0..{MAX_DIMENSION}")
    if rows + 1 != len(indptr):
        raise ModelError(f"{name}: {prefix}.shape says {rows} rows, {prefix}.indptr holds {len(indptr) - 1}")
    try:
        return check_csr(Csr((data, indices, indptr), shape=(rows, columns)), name=name, shape=shape)
    except ValueError as error:
        raise ModelError(f"{name}: the arrays {prefix}.* are damaged: {error}") from error


def write_state(folder: str | Path, name: str, state: State) -> None:
    """Write `name.safetensors` and `name.json` into a folder (an `atomic_folder` makes both appear at once).

    Raises:
        ModelError: An array is not finite or not of a plain type, the meta is not JSON data, or the disk is full.
    """
    _check_name(name)
    path = Path(folder) / f"{name}.safetensors"
    arrays: dict[str, npt.NDArray[Any]] = {}
    for key, array in state.arrays.items():
        if array.dtype.type not in ARRAY_TYPES.values():
            raise ModelError(f"{path.name}: array {key} has type {array.dtype}, which is not saved; convert it first")
        _check_finite(array, f"{path.name}: array {key}", "it is not saved")
        arrays[key] = np.asarray(narrow(array), order="C")  # a strided view would be written in the order of its memory
    types = {key: array.dtype.name for key, array in state.arrays.items() if arrays[key].dtype != array.dtype}
    try:
        point(f"write {path.name}", writes=True)
        path.touch()  # safetensors would create it readable by the owner alone
        mode = path.stat().st_mode & 0o777
        save_file(arrays, path, metadata={_TYPES: json.dumps(types, sort_keys=True)} if types else None)
        path.chmod(mode)
        point(f"written {path.name}")
        write_json(path.with_suffix(".json"), state.meta)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"cannot write {path}: {error}; free disk space or choose another folder") from error


def read_state(folder: str | Path, name: str) -> State:
    """Read what `write_state` wrote.

    Raises:
        ModelError: A file is missing or damaged, or an array holds NaN or infinity; names the file and the array.
    """
    _check_name(name)
    path = Path(folder) / f"{name}.safetensors"
    meta = read_json(Path(folder) / f"{name}.json")
    if not isinstance(meta, dict):
        raise ModelError(f"{path.with_suffix('.json')} holds a {type(meta).__name__}, not an object")
    if not path.is_file():
        raise ModelError(f"{path} is missing; restore the folder from its source or save it again")
    try:
        arrays = dict(_read_arrays(path))
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {error}; restore it or save it again") from error
    return State(arrays, meta)


def read_part(folder: str | Path, name: str, build: Callable[[State], T]) -> T:
    """Read a part and build it, e.g. by `Part.from_state`.

    Raises:
        ModelError: A file is missing or damaged, or the part is not right; names the file.
    """
    with about_part(folder, name):
        return build(read_state(folder, name))


@contextmanager
def about_part(folder: str | Path, name: str) -> Iterator[None]:
    """Checks inside know no files: their ModelErrors get the names of the part's two."""
    try:
        yield
    except ModelError as error:
        if str(folder) in str(error):
            raise
        raise ModelError(f"{Path(folder) / name}.{{json,safetensors}}: {error}") from error


def _read_arrays(path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The checked arrays of one file; its header is checked against its size by safetensors before this starts."""
    with safe_open(path, framework="numpy") as file:
        types = _types(path, file.metadata())
        for key in sorted(file.keys()):
            kind = file.get_slice(key).get_dtype()
            if kind not in ARRAY_TYPES:
                raise ModelError(f"{path}: array {key} has type {kind}, which this version cannot read")
            array = file.get_tensor(key)
            _check_finite(array, f"{path}: array {key}", "restore it or save it again")
            yield key, widen(array, types[key]) if key in types else array


def _types(path: Path, metadata: dict[str, str] | None) -> dict[str, str]:
    """The types of the arrays that were narrowed."""
    types = json.loads((metadata or {}).get(_TYPES, "{}"))  # bad JSON is a ValueError
    if not isinstance(types, dict) or not all(isinstance(name, str) for name in types.values()):
        raise ModelError(f"{path}: the types in its header are no mapping of names; restore it or save it again")
    return types


def _check_finite(array: npt.NDArray[Any], place: str, mend: str) -> None:
    """Refuse NaN and infinity, a slice at a time so that no second array of the same size is made."""
    if array.dtype.kind != "f":
        return
    flat = array.reshape(-1)
    for start in range(0, len(flat), _CHUNK):
        bad = ~np.isfinite(flat[start : start + _CHUNK])
        if bad.any():
            raise ModelError(f"{place} holds {flat[start + int(bad.argmax())]} at position {start + int(bad.argmax())}"
                             f" of shape {array.shape}; {mend}")  # fmt: skip


def _check_name(name: str) -> None:
    """A state name is one plain file name: no folders, nothing hidden."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"state name {name!r} must be letters, digits, '_', '.', '-'")
