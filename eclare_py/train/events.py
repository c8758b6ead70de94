"""What training says while it runs: a JSONL event log, and hooks for whoever shows progress."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol


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
        self.listener = listener
        self.started = time.perf_counter()
        self.file: IO[str] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("a", encoding="utf-8")

    def __call__(self, event: str, *, log: bool = True, **values: Any) -> None:
        """Tell one event; `log=False` keeps it out of the file (steps are many)."""
        if self.file is not None and log:
            seconds = round(time.perf_counter() - self.started, 3)
            self.file.write(json.dumps({"event": event, "seconds": seconds, **values}) + "\n")
            self.file.flush()
        if self.listener is not None:
            self.listener(event, values)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self("stopped", reason=f"{type(error).__name__}: {error}")
        if self.file is not None:
            self.file.close()
