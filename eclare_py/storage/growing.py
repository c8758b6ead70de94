"""A large output written piece by piece: killed, the same job goes on behind the last piece that is safe on the disk.

While it grows there are two files beside the output, which itself appears only when it is whole:

    NAME.partial        the pieces so far
    NAME.partial.json   of which job they are, how many bytes of them are safe, their SHA-256, and notes of the writer

A piece is safe once it is flushed to the disk and, after that, the second file says so. What lies behind it in the
first file is cut off when the job goes on.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from eclare_py.errors import ModelError
from eclare_py.storage.fault import point
from eclare_py.storage.files import check_regular, naming, read_json, remove_stale, sync, write_json
from eclare_py.storage.lock import exclusive
from eclare_py.storage.state import JSON

_BLOCK = 1 << 20


class GrowingFile:
    """The file of `growing_file` while it grows.

    Attributes:
        notes: What the writer noted with the last safe piece; {} at the beginning.
        dropped: An interrupted job was there, but another one, or damaged: it is given up.
    """

    def __init__(self, target: Path, job: dict[str, JSON], every: float) -> None:
        self.target = target
        self.partial = target.with_name(f"{target.name}.partial")
        self.journal = target.with_name(f"{target.name}.partial.json")
        self.notes: dict[str, JSON] = {}
        self._job, self._every = job, every
        self._digest = hashlib.sha256()
        self._saved_at = time.monotonic()
        remove_stale(self.journal)
        found = self._kept()
        self.dropped = found is None and self.journal.exists()
        self._file = self._start() if found is None else self._go_on(*found)

    def add(self, piece: bytes, notes: dict[str, JSON]) -> None:
        """Append a piece; `notes` are plain data that a run which goes on behind it needs."""
        point(f"write {self.partial.name}", writes=True)
        self._file.write(piece)
        self._digest.update(piece)
        self._pending = notes
        if time.monotonic() - self._saved_at >= self._every:
            self.keep()

    def keep(self) -> None:
        """Make safe what was added so far."""
        self._flush()
        self.notes = self._pending
        state = {"job": self._job, "bytes": self._file.tell(), "sha256": self._digest.hexdigest(), "notes": self.notes}
        write_json(self.journal, state)
        self._saved_at = time.monotonic()

    def restart(self) -> None:
        """Give up what is there, as it does not fit what comes."""
        self._file.close()
        self._file = self._start()
        self.dropped = True

    def finish(self, convert: Callable[[Path], None] | None) -> None:
        """Put the whole file in its place: as it is, or as `convert` writes it of the partial one."""
        self._flush()
        self._file.close()
        if convert is None:
            point(f"replace {self.target.name}")
            os.replace(self.partial, self.target)
            point(f"sync folder of {self.target.name}")
            sync(self.target.parent)
        else:
            convert(self.partial)
        self._remove()

    def leave(self) -> None:
        """After an error: keep what is safe, and nothing where nothing is."""
        with suppress(OSError):  # a full disk takes no more of it
            self._file.close()
        if not self.notes:
            self._remove()

    def _kept(self) -> tuple[int, JSON] | None:
        """Safe bytes and notes of an interrupted run of the same job; its digest is then that of those bytes."""
        try:
            state = read_json(self.journal)
            size, notes = state["bytes"], state["notes"]
            if state["job"] != self._job or not isinstance(size, int) or not isinstance(notes, dict) or not notes:
                return None
            if self.partial.stat().st_size < size or self._read(size) != state["sha256"]:
                return None
        except (ModelError, OSError, KeyError, TypeError):
            return None
        return size, notes

    def _read(self, size: int) -> str:
        with self.partial.open("rb") as file:
            while size > 0 and (block := file.read(min(size, _BLOCK))):
                self._digest.update(block)
                size -= len(block)
        return self._digest.hexdigest()

    def _go_on(self, size: int, notes: dict[str, JSON]) -> IO[bytes]:
        self.notes = self._pending = notes
        file = self.partial.open("r+b")
        point(f"cut {self.partial.name}")
        file.truncate(size)
        file.seek(size)
        return file

    def _start(self) -> IO[bytes]:
        self.notes, self._pending, self._digest = {}, {}, hashlib.sha256()
        self._remove()
        point(f"open {self.partial.name}", writes=True)
        return self.partial.open("wb")

    def _flush(self) -> None:
        point(f"sync {self.partial.name}", writes=True)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _remove(self) -> None:
        """The journal first: a journal alone, or one of other bytes, is never gone on with."""
        for path in (self.journal, self.partial):
            point(f"remove {path.name}")
            path.unlink(missing_ok=True)


@contextmanager
def growing_file(
    path: str | Path, job: dict[str, JSON], *, every: float = 1.0, convert: Callable[[Path], None] | None = None
) -> Iterator[GrowingFile]:
    """Write a file in pieces, so that the same call goes on where a killed one was.

    Leaving the block puts the file in its place. An error leaves what is safe for the next call.

    Args:
        path: The file; an earlier one stays until the new one is whole. A link is followed.
        job: Plain data that says what is written; pieces of another job are not gone on with.
        every: Least seconds between two moments at which what was added is made safe.
        convert: Writes the file, all or nothing, of the pieces; without it they are the file.

    Yields:
        The growing file; its `notes` say where to go on.

    Raises:
        UsageError: Another process writes it.
        OSError: It is no regular file, or the disk is full; names the file.
    """
    target = Path(os.path.realpath(path))
    check_regular(target)
    with exclusive(target), naming(target):
        remove_stale(target)
        growing = GrowingFile(target, job, every)
        try:
            yield growing
            growing.finish(convert)
        except BaseException:
            growing.leave()
            raise
