"""Arrays out of a zip archive (`.npz`) whose declared sizes are believed only after a look."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_BYTES = 1 << 32  # of all arrays together
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_KINDS = "biufU"


def read_archive(path: str | Path, names: Iterable[str], *, most: int = MAX_BYTES) -> dict[str, npt.NDArray[Any]]:
    """Read some arrays of an archive that `numpy.savez` wrote; nothing in it is run.

    A small archive can declare arrays without end, and unpack to gigabytes: an array is read only where the bytes that
    its shape asks for are those that the archive says it has, and all of them together stay below a limit.

    Args:
        path: The archive.
        names: The arrays wanted.
        most: Bytes that they may take unpacked.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: No such archive, an array is missing or of another kind, or they take too much.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in names:
                entry = archive.getinfo(f"{name}.npy")
                most -= entry.file_size
                if most < 0 or entry.compress_type not in _PLAIN or entry.flag_bits & 1:
                    raise ValueError(f"array {name} is too large, encrypted or packed in another way")
                found[name] = _read_array(archive, entry)
    except FileNotFoundError:
        raise
    except (KeyError, EOFError, OSError, zlib.error, zipfile.BadZipFile, struct.error, NotImplementedError) as error:
        raise ValueError(f"damaged or no such archive: {error}") from error
    return found


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{entry.filename} has version {version}")
        reads = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reads(stream)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in _KINDS or fortran or min(shape, default=0) < 0 or size != entry.file_size - stream.tell():
            raise ValueError(f"{entry.filename} says {dtype} {shape}, which is not what it holds")
        return np.frombuffer(stream.read(), dtype=dtype).reshape(shape)
