"""Single files: durable writes, JSON without NaN, and the naming of temporary siblings."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from eclare_py.errors import ModelError
from eclare_py.storage.fault import point

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a disk says without naming the file

# Temporaries this process is writing now. A `.tmp-<own pid>` that is not in here is litter of a dead process that
# had our pid (every container starts counting at 1).
ACTIVE: set[Path] = set()


def temporary(path: Path) -> Path:
    """The temporary sibling in which this process prepares `path`."""
    return path.with_name(f"{path.name}.tmp-{os.getpid()}")


def aside(path: Path) -> Path:
    """Where this process moves the old `path` for the instant of a swap."""
    return path.with_name(f"{path.name}.old-{os.getpid()}")


def siblings(path: Path, mark: str) -> list[tuple[Path, int]]:
    """The (path, pid) of all `path.<mark>-<pid>` beside `path`, sorted."""
    prefix = f"{path.name}.{mark}-"
    if not path.parent.is_dir():
        return []
    found = [entry for entry in path.parent.iterdir() if entry.name.startswith(prefix)]
    return sorted((entry, int(entry.name[len(prefix) :])) for entry in found if entry.name[len(prefix) :].isdecimal())


def remove(path: Path) -> None:
    """Delete a file, link or folder; gone already is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    """Whether a process of this number runs here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def remove_stale(path: Path) -> None:
    """Delete the temporaries of `path` whose writers are dead."""
    for entry, pid in siblings(path, "tmp"):
        if entry not in ACTIVE and (pid == os.getpid() or not _alive(pid)):
            remove(entry)


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_regular(path: Path) -> None:
    """Refuse to put a file in the place of a folder, a pipe or a device, as a rename does with /dev/null.

    Raises:
        OSError: It is one.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in the error of a full disk, which by itself does not."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def atomic_file(path: str | Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Write one file so that a reader sees the old content or all of the new, never a part; its folder is made.

    Args:
        path: The file; a link is followed, so that its target is replaced.
        mode: "w" (UTF-8 text) or "wb".

    Yields:
        The open temporary file, which takes the place of `path` when the block ends without an error.

    Raises:
        ValueError: Another mode, or this process is already writing the same file.
        OSError: It is no regular file, or the disk is full or refuses; names the file, which is unchanged.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"mode is {mode!r}, choose 'w' or 'wb'")
    target = Path(os.path.realpath(path))
    check_regular(target)
    partial = temporary(target)
    if partial in ACTIVE:
        raise ValueError(f"{target} is being written by this process already")
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(target)
    ACTIVE.add(partial)
    try:
        text = {"encoding": "utf-8", "newline": "\n"} if mode == "w" else {}
        with naming(target):
            point(f"open {target.name}", writes=True)
            with open(partial, mode, **text) as handle:  # type: ignore[call-overload]
                yield handle
                point(f"write {target.name}", writes=True)
                handle.flush()
                point(f"sync {target.name}", writes=True)
                os.fsync(handle.fileno())
            point(f"replace {target.name}")
            os.replace(partial, target)
            point(f"sync folder of {target.name}")
            sync(target.parent)
    finally:
        ACTIVE.discard(partial)
        partial.unlink(missing_ok=True)


def render_json(value: Any, *, indent: int | None = None) -> str:
    """JSON as this library writes it: ASCII (lone surrogates survive), no NaN, keys are strings.

    Raises:
        ModelError: The value is not plain JSON data.
    """
    try:
        _check_keys(value, "value")
        return json.dumps(value, allow_nan=False, indent=indent) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"not plain JSON data: {error}") from error


def _check_keys(value: Any, place: str) -> None:
    """Refuse keys that `json` would silently turn into strings, as {1: ...} would not come back the same."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ModelError(f"not plain JSON data: key {key!r} in {place} is not a string")
            _check_keys(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, dict | list | tuple):
                _check_keys(item, place)


def write_json(path: str | Path, value: Any, *, indent: int | None = None) -> None:
    """Write `value` to a file atomically.

    Raises:
        ModelError: The value is not plain JSON data (NaN and infinity included).
    """
    text = render_json(value, indent=indent)
    with atomic_file(path) as handle:
        handle.write(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond the largest number")
    return value


def read_json(path: str | Path) -> Any:
    """Read a JSON file; whatever is wrong with it is a ModelError that names it.

    Raises:
        ModelError: Missing, not a regular file, not UTF-8, not JSON, NaN, or nested too deep.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelError(f"{file} is missing; restore the folder from its source or save it again")
    try:
        return json.loads(file.read_bytes().decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as JSON ({error}); restore it or save it again") from error
