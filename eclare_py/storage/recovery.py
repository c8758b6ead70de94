"""What happens to the folders beside a saved folder: the lock of a swap, litter of dead writers, a half-done swap."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eclare_py.storage.fault import point
from eclare_py.storage.files import remove, remove_stale, siblings, sync, temporary

try:
    import fcntl
except ImportError:  # not a Unix: two processes saving to one place at once are not kept apart
    fcntl = None  # type: ignore[assignment]


@contextmanager
def swap_lock(path: Path) -> Iterator[None]:
    """Keep other processes from swapping or recovering folders in the same parent.

    The lock is on the parent folder itself: it leaves no file behind and ends with the process.
    """
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def recover(path: str | Path) -> None:
    """Finish or undo a swap that was killed; does nothing, and writes nothing, where there was none.

    A swap moves the old folder to `path.old-<pid>` and the new one to `path`. A folder of the first name is always
    complete (it is renamed again before it is deleted), so it is put back where `path` is missing.
    """
    target = Path(os.path.realpath(path))
    if not siblings(target, "old"):
        return
    with swap_lock(target):
        for entry, _ in siblings(target, "old"):
            if target.exists():
                discard(entry)
            else:
                point(f"put {target.name} back")
                entry.rename(target)
                sync(target.parent)


def discard(folder: Path) -> None:
    """Delete an old folder under a name that marks it as litter, so that a kill half-way is never taken for data."""
    stem, _, pid = folder.name.rpartition(".old-")
    doomed = folder.with_name(f"{stem}.tmp-{pid}")
    remove(doomed)
    point(f"mark old {stem} as litter")
    folder.rename(doomed)
    point(f"remove old {stem}")
    remove(doomed)


def remove_whole(folder: Path) -> None:
    """Delete a folder at once: a kill half-way leaves litter for `remove_stale`, never a folder with parts missing."""
    doomed = temporary(folder)
    remove(doomed)
    point(f"mark {folder.name} as litter")
    folder.rename(doomed)
    point(f"remove {folder.name}")
    remove(doomed)


def clean(path: Path) -> None:
    """Before a save: bring back a half-done swap, delete temporaries of dead writers."""
    recover(path)
    remove_stale(path)
