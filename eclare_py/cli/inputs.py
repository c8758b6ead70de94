"""Texts to be ranked, from a file or from stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from eclare_py.data.problems import Place, Report
from eclare_py.engines.rows import Row, rows_of_lines
from eclare_py.engines.rows import read_rows as rows_of_file


def read_rows(source: str) -> Iterator[Row]:
    """Rows of a file, or of stdin for "-".

    Raises:
        DataError: Missing, not UTF-8, a damaged line; names file and line.
    """
    if source != "-":
        return rows_of_file(Path(source))
    place = Place(Path("stdin"), Report())
    return rows_of_lines(_stdin(place), place)


def _stdin(place: Place) -> Iterator[tuple[int, str]]:
    """Numbered lines of stdin, decoded as UTF-8 whatever the locale."""
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            place.line = number
            place.fault(f"invalid UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}; save as UTF-8")
            continue
        yield number, line.rstrip("\r\n") if line.endswith("\n") else line
