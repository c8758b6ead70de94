"""Matrices of vectors in model folders: one byte a number, or half of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from eclare_py.errors import ModelError
from eclare_py.quantize import Rows, codes_of, from_arrays, to_arrays
from eclare_py.storage.state import State
from eclare_py.types import FloatArray

_MEND = "restore the folder from its source or train again"


def vectors_to_arrays(name: str, matrix: FloatArray) -> dict[str, npt.NDArray[Any]]:
    """A matrix of vectors as one byte a number; `read_dense` reads it back."""
    try:
        return to_arrays(name, codes_of(matrix))
    except ValueError as error:
        raise ModelError(f"{name}: {error}; train again") from error


def read_rows(folder: Path, part: str, state: State, name: str, rows: int | None, dim: int) -> Rows:
    """Codes of `rows` vectors, where their number is known."""
    file = folder / f"{part}.safetensors"
    try:
        found = from_arrays(state.arrays, name, dim)
    except ValueError as error:
        raise ModelError(f"{file}: {error}; {_MEND}") from error
    if rows is not None and len(found.values) != rows:
        raise ModelError(f"{file}: {name} has {len(found.values)} rows, expected {rows}; {_MEND}")
    return found


def read_dense(folder: Path, part: str, state: State, name: str, rows: int | None, dim: int) -> FloatArray:
    """A matrix that `vectors_to_arrays` wrote."""
    return read_rows(folder, part, state, name, rows, dim).dense()
