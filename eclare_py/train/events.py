"""What training says while it runs: a JSONL event log, and hooks for whoever shows progress."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

from eclare_py.errors import TrainingError
from eclare_py.storage.fault import point


class Listener(Protocol):
    """Told of every event as it happens, e.g. to move a progress bar."""

    def __call__(self, event: str, values: dict[str, Any]) -> None:
        """`event` is one of start, stage, step, epoch, validation, note, done, stopped."""
        ...


class EventLog:
    """Appends one JSON object an event to a file, flushed at once, and passes it on.

    Args:
        path: The log; None keeps none.
        listener: Also told.
    """

    def __init__(self, path: Path | None, listener: Listener | None = None) -> None:
        self.path, self.listener = path, listener
        self.started = time.perf_counter()
        self.file: IO[bytes] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _mend(path)
            # No buffer: what a full disk refused must not come up again when the file is closed.
            self.file = path.open("ab", buffering=0)

    def __call__(self, event: str, *, log: bool = True, **values: Any) -> None:
        """Tell one event; `log=False` keeps it out of the file (steps are many).

        Raises:
            TrainingError: The disk is full; names the log.
        """
        if self.file is not None and log:
            seconds = round(time.perf_counter() - self.started, 3)
            self._write(self.file, event, json.dumps({"event": event, "seconds": seconds, **values}) + "\n")
        else:
            point(f"event {event}")
        if self.listener is not None:
            self.listener(event, values)

    def _write(self, file: IO[bytes], event: str, line: str) -> None:
        left = line.encode()
        try:
            point(f"event {event}", writes=True)
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            mend = "free space and call it again; the last checkpoint is kept"
            raise TrainingError(f"cannot write {self.path}: {error}; {mend}") from error

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            with suppress(TrainingError):  # the error that ends the training is told, not that the log cannot be
                self("stopped", reason=f"{type(error).__name__}: {error}")
        if self.file is not None:
            self.file.close()


def _mend(path: Path) -> None:
    """Cut off half a line at the end, which a kill or a full disk may have left."""
    if path.is_file():
        with path.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
