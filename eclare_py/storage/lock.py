"""One writer at a time: `path.lock` beside an output says which process is at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eclare_py.errors import UsageError
from eclare_py.storage.fault import point

try:
    import fcntl
except ImportError:  # not a Unix: two writers are not kept apart
    fcntl = None  # type: ignore[assignment]

# Outputs this process holds, with its own number: a forked child does not hold what its parent does.
_held: dict[Path, int] = {}
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def exclusive(path: str | Path) -> Iterator[None]:
    """Be the only process that writes `path`; a process that holds it already may enter again.

    The lock is one of the system (flock) on a small file `path.lock` with the number of the process. It ends with the
    process, so what a killed one leaves is no obstacle, and goes with the next writer.

    Args:
        path: A file or folder to be written, there or not; its parents are made. A link is followed.

    Raises:
        UsageError: Another process writes it.
        OSError: The lock cannot be made.
    """
    target = Path(os.path.realpath(path))
    if _held.get(target) == os.getpid():
        yield
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.with_name(f"{target.name}.lock")
    handle = _acquire(file, target)
    _held[target] = os.getpid()
    try:
        point(f"locked {target.name}")
        yield
    finally:
        del _held[target]
        with suppress(OSError):
            file.unlink()  # before the lock ends: whoever waits with the same file sees that it is gone
        os.close(handle)


def _acquire(file: Path, target: Path) -> int:
    """An open, locked file."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        try:
            _lock(handle, target)
            if _is_at(handle, file):
                with suppress(OSError):  # a full disk: the message of another process is then without the number
                    os.ftruncate(handle, 0)
                    os.write(handle, f"{os.getpid()}\n".encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, target: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(handle, 20).decode("ascii", "replace").strip()
        holder = f"process {pid}" if pid.isdecimal() else "another process"
        raise UsageError(f"{target} is being written by {holder}: wait for it, or choose another place") from None
    except OSError:
        pass  # a file system without locks


def _is_at(handle: int, file: Path) -> bool:
    """Whether an open file is still the one of this name: its last holder deletes it."""
    try:
        return os.path.samestat(os.fstat(handle), file.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False
