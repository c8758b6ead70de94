"""Problems of data files: raised one at a time when loading, collected when validating.

Every parser of this package tells a `Report` what it found. The plain `Report` raises at the first error, which makes
the strict reader; a `Collector` keeps all of them, which makes the validator. There is no second parser.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from eclare_py.errors import DataError

Severity: TypeAlias = Literal["error", "warning"]
SHOWN_CHARACTERS = 60
MOST_ERRORS = 10_000


@dataclass(frozen=True)
class Problem:
    """One finding in a data folder.

    Attributes:
        path: The file (or folder) at fault.
        line: Its line, counted from 1; None where the whole file is meant.
        message: What is wrong, with the bad value and the mend.
        severity: An "error" stops loading; a "warning" does not.
    """

    path: str
    line: int | None
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.severity}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """The problem as plain data, one key per attribute."""
        return asdict(self)


class Report:
    """Takes findings; this one is strict: the first error is raised, warnings are dropped."""

    def error(self, path: Path, line: int | None, message: str) -> None:
        """Tell an error.

        Raises:
            DataError: Always, in this class.
        """
        raise DataError(message, path=path, line=line)

    def warning(self, path: Path, line: int | None, message: str) -> None:
        """Tell a warning."""


class TooManyProblems(Exception):
    """Told to a parser that goes on and on; whoever collects catches it."""


class Collector(Report):
    """Keeps every finding in the order in which it was told, up to a number that no person reads."""

    def __init__(self, most: int = MOST_ERRORS) -> None:
        self.problems: list[Problem] = []
        self.most = most

    def error(self, path: Path, line: int | None, message: str) -> None:
        """Keep an error and let the parser go on.

        Raises:
            TooManyProblems: These are enough: a file of nothing but faults would fill the memory with them.
        """
        self.problems.append(Problem(str(path), line, message))
        if len(self.problems) >= self.most:
            raise TooManyProblems

    def warning(self, path: Path, line: int | None, message: str) -> None:
        """Keep a warning."""
        self.problems.append(Problem(str(path), line, message, "warning"))


class Place:
    """Where a parser is: a file and a line that moves, so that a fault is told in one short call."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path = path
        self.report = report
        self.line: int | None = None

    def fault(self, message: str) -> None:
        """Tell an error at the present line."""
        self.report.error(self.path, self.line, message)


def show(value: object) -> str:
    """A bad value for a message: its repr, shortened, safe to print whatever it holds."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # an absurdly deep list, or an integer too long to print
        return f"a {type(value).__name__} too large to show"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
