"""Texts to be ranked: plain lines, JSON lines or the rows of a parquet file."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eclare_py.data.lf import parse_object
from eclare_py.data.lines import LineReader, lone_surrogate
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import DataError, UsageError

CHUNK = 2048  # rows that are ranked together
PARQUET = (".parquet", ".pq")
_KEYS = ("text", "title", "content", "uid")


@dataclass(frozen=True)
class Row:
    """A text, and its uid where the input names one."""

    text: str
    uid: str | None = None


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a file: parquet by its suffix, else lines, `.gz` too.

    Raises:
        DataError: Missing, damaged, not UTF-8, a row without text; names file and line (of parquet the row).
        UsageError: A parquet file, and no pyarrow.
    """
    place = Place(path, Report())
    if path.suffix.lower() in PARQUET:
        return _parquet_rows(place, parquet_module())
    return rows_of_lines(LineReader(path, Report(), skip_bom=True), place)


def rows_of_lines(lines: Iterable[tuple[int, str | None]], place: Place) -> Iterator[Row]:
    """Numbered lines as rows: JSON objects where the first line begins with a brace, else each line is a text."""
    as_json: bool | None = None
    for place.line, line in lines:
        if line is None:
            continue
        if as_json is None:
            as_json = line.lstrip().startswith("{")
        yield _row(parse_object(line, place) or {}, place) if as_json else Row(line)


def in_chunks(rows: Iterator[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    """Lists of `size` rows; the last may be shorter."""
    while chunk := list(islice(rows, size)):
        yield chunk


def parquet_module() -> Any:
    """`pyarrow.parquet`.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("parquet needs pyarrow: pip install 'eclare_py[parquet]'") from error


def _parquet_rows(place: Place, parquet: Any) -> Iterator[Row]:
    try:
        with parquet.ParquetFile(place.path) as table:
            wanted = [name for name in table.schema_arrow.names if name in _KEYS]
            if not {"text", "title"} & set(wanted):
                place.fault(f"column text is missing (found {show(table.schema_arrow.names)})")
            place.line = 0
            for batch in table.iter_batches(CHUNK, columns=wanted):
                for row in batch.to_pylist():
                    place.line += 1
                    yield _row(row, place)
    except FileNotFoundError:
        raise DataError("file is missing", path=place.path) from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these two kinds
        raise DataError(f"damaged or no parquet file ({show(str(error))}): write it again", path=place.path) from error


def _row(row: Mapping[str, Any], place: Place) -> Row:
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
