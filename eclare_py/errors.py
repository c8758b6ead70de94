"""Errors that reach the user: every message names the place, the bad value and the mend."""

from __future__ import annotations

from pathlib import Path


class EclareError(Exception):
    """Base of all expected failures; `exit_code` is what the command line returns."""

    exit_code = 1


class DataError(EclareError):
    """A data file or folder is at fault.

    Args:
        message: What is wrong, with the bad value and the mend.
        path: The file at fault.
        line: Its line, counted from 1.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        self.path = None if path is None else str(path)
        self.line = line
        place = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(place + message)


class ModelError(EclareError):
    """A saved model is damaged, incomplete or of an unknown version."""


class TrainingError(EclareError):
    """Training cannot go on (NaN, no data left, ...); the message gives the reason and the last good checkpoint."""


class UsageError(EclareError):
    """The call is at fault: a wrong argument, option or recipe key."""

    exit_code = 2


class ConfigError(UsageError):
    """A recipe or an override has an unknown key or a bad value."""
