"""Texts to be ranked: plain lines or JSON lines, from a file or stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eclare_py.data.lf import parse_object
from eclare_py.data.lines import LineReader, lone_surrogate
from eclare_py.data.problems import Place, Report, show


@dataclass(frozen=True)
class Row:
    """A text, and its uid where the input names one."""

    text: str
    uid: str | None = None


def read_rows(source: str) -> Iterator[Row]:
    """Rows of a file, or of stdin for "-".

    Raises:
        DataError: Missing, not UTF-8, a damaged line; names file and line.
    """
    path = Path("stdin" if source == "-" else source)
    place = Place(path, Report())
    lines = _stdin(place) if source == "-" else iter(LineReader(path, Report(), skip_bom=True))
    as_json: bool | None = None
    for place.line, line in lines:
        if line is None:
            continue
        if as_json is None:
            as_json = line.lstrip().startswith("{")
        yield _from_json(line, place) if as_json else Row(line)


def _from_json(line: str, place: Place) -> Row:
    row = parse_object(line, place) or {}
    if "text" in row:
        parts = [row["text"]]
    elif "title" in row:
        parts = [row["title"], *([row["content"]] if row.get("content") else [])]
    else:
        place.fault(f'key text is missing (found {show(sorted(row))}): write {{"text": ...}} on each line')
        parts = []
    for part in parts:
        if not isinstance(part, str):
            place.fault(f"text is {show(part)}: it must be a string")
        elif (half := lone_surrogate(part)) is not None:
            place.fault(f"text holds the lone surrogate {half}: write the whole character or remove it")
    uid = row.get("uid")
    return Row(" ".join(part for part in parts if part), None if uid is None else str(uid))


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
