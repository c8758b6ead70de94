"""Writing a whole folder at once: a kill, a full disk or an error leaves a complete old or a complete new folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from eclare_py.errors import DataError, EclareError, ModelError, UsageError
from eclare_py.storage.fault import point
from eclare_py.storage.files import ACTIVE, aside, remove, sync, temporary
from eclare_py.storage.lock import exclusive
from eclare_py.storage.manifest import MANIFEST, UNCHECKED, build_manifest, list_files, read_manifest
from eclare_py.storage.recovery import clean, discard, recover, swap_lock

__all__ = ["atomic_folder", "check_target", "recover"]


@contextmanager
def atomic_folder(
    path: str | Path,
    *,
    manifest: bool = True,
    kind: str = "model",
    extra: dict[str, Any] | None = None,
    may_go: Collection[str] = (),
) -> Iterator[Path]:
    """Prepare a folder beside `path` and put it in its place when the block ends without an error.

    An existing folder is replaced, but only one that this function wrote: files that do not belong to it are never
    deleted. With `manifest=False` they are those that the new folder does not hold.

    Args:
        path: The folder; its parents are made. A link is followed.
        manifest: Write `manifest.json` (needed by `verify_manifest`).
        kind: What the folder holds, e.g. "model".
        extra: JSON data for the manifest's `extra`.
        may_go: Without manifest: files of the old folder that the new one may be without.

    Yields:
        The temporary folder to write into.

    Raises:
        UsageError: `path` is a file, holds files of others, or is being written already, here or by another process.
        ModelError: The disk is full or refuses to write; what was at `path` is unchanged. (DataError without manifest.)
    """
    target = Path(os.path.realpath(path))
    partial = temporary(target)
    if partial in ACTIVE:
        raise UsageError(f"{target} is being written by this process already")
    try:
        with exclusive(target):
            clean(target)
            _refuse_strangers(target, kind) if manifest else _refuse_file(target)
            ACTIVE.add(partial)
            try:
                point("make folder", writes=True)
                partial.mkdir()
                yield partial
                _finish(partial, kind, extra, manifest)
                if not manifest:
                    _refuse_losses(target, partial, may_go)
                _swap(partial, target)
            finally:
                ACTIVE.discard(partial)
                with suppress(OSError):
                    remove(partial)
    except OSError as error:
        failure: type[EclareError] = ModelError if manifest else DataError
        mend = "free space or choose another place; what was there before is unchanged"
        raise failure(f"cannot write {target}: {error}; {mend}") from error


def check_target(path: str | Path, kind: str = "model") -> None:
    """Refuse what `atomic_folder` would refuse to replace, before hours of work and not after.

    Raises:
        UsageError: `path` is a file, or holds files of others.
    """
    target = Path(os.path.realpath(path))
    clean(target)
    _refuse_strangers(target, kind)


def _finish(partial: Path, kind: str, extra: dict[str, Any] | None, manifest: bool) -> None:
    """Write the manifest and flush every file and folder to the disk."""
    if manifest:
        point("write manifest", writes=True)
        (partial / MANIFEST).write_bytes(build_manifest(partial, kind=kind, extra=extra).encode())
    for parent, _, names in os.walk(partial, topdown=False):
        for name in names:
            point(f"sync {name}", writes=True)
            sync(Path(parent) / name)
        sync(Path(parent))


def _swap(partial: Path, target: Path) -> None:
    """Move the old folder aside and the new one in; see `recovery.recover` for a kill in between."""
    old = aside(target)
    with swap_lock(target):
        point("move old aside")
        if target.exists():
            target.rename(old)
            point("sync the move")
            sync(target.parent)
        point("move new in")
        try:
            partial.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        point("sync the new")
        sync(target.parent)
        point("delete old")
        if old.exists():
            with suppress(OSError):  # the new folder is in place; what is left is deleted by the next save
                discard(old)


def _refuse_file(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; name a folder")


def _refuse_strangers(target: Path, kind: str) -> None:
    """Refuse to replace a folder that this library did not write."""
    _refuse_file(target)
    if not target.exists() or not any(target.iterdir()):
        return
    try:
        listed = read_manifest(target, kind)["files"]
    except ModelError as error:
        raise UsageError(f"{target} is not empty and no saved {kind}, so it is not replaced ({error})") from error
    strangers = [name for name in list_files(target) if name not in listed and name not in (MANIFEST, UNCHECKED)]
    if strangers:
        raise UsageError(f"{target / strangers[0]} is not part of the saved {kind} and would be lost; move it away")


def _refuse_losses(target: Path, partial: Path, may_go: Collection[str]) -> None:
    """Refuse to replace a folder without manifest where that would delete a file that is not written anew."""
    kept = {*list_files(partial), *may_go}
    lost = [name for name in list_files(target) if name not in kept] if target.exists() else []
    if lost:
        raise UsageError(f"{target / lost[0]} would be lost; move it away or choose another folder")
