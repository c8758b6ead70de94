"""Records of JSONL, CSV, TSV and parquet files, read as a stream, each with the line it came from."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eclare_py.data.lf import parse_object
from eclare_py.data.lines import LineReader
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import UsageError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSONL = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_BATCH = 8192


def read_records(path: Path, columns: Sequence[str], report: Report) -> Iterator[tuple[Place, list[Any]]]:
    """Iterate over the records of a table.

    Args:
        path: Its suffix says the format; `.gz` may follow, but not for parquet.
        columns: The columns wanted; each must be there.
        report: Told every problem; a record at fault is left out.

    Yields:
        Where the record stands (for parquet the row number as line) and its values in the order of `columns`.

    Raises:
        UsageError: Unknown suffix, or parquet without pyarrow.
    """
    suffix, place = _format(path), Place(path, report)
    if suffix in _JSONL:
        return _json_records(place, columns)
    if suffix in _DELIMITERS:
        return _csv_records(place, columns, _DELIMITERS[suffix])
    if suffix in _PARQUET and path.suffix != ".gz":
        return _parquet_records(place, columns, _parquet_module())
    raise UsageError(f"{path}: cannot tell the format from {path.suffix!r}: name it .jsonl, .csv, .tsv or .parquet")


def is_json(path: Path) -> bool:
    """Whether a table is read as JSON lines, in which lists are lists."""
    return _format(path) in _JSONL


def _format(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def _json_records(place: Place, columns: Sequence[str]) -> Iterator[tuple[Place, list[Any]]]:
    lines = LineReader(place.path, place.report, skip_bom=True)
    for place.line, line in lines:
        row = None if line is None else parse_object(line, place)
        if row is None:
            continue
        missing = [column for column in columns if column not in row]
        if missing:
            place.fault(f"key {missing[0]} is missing (found {show(sorted(row))}): add it or name another column")
            continue
        yield place, [row[column] for column in columns]


def _csv_records(place: Place, columns: Sequence[str], delimiter: str) -> Iterator[tuple[Place, list[Any]]]:
    lines = LineReader(place.path, place.report, skip_bom=True)
    reader = csv.reader((f"{line or ''}\n" for _, line in lines), delimiter=delimiter, strict=True)
    width, picked = 0, [0]
    while True:
        place.line = reader.line_num + 1  # a quoted cell may span lines: the record is where it begins
        try:
            cells = next(reader, None)
        except csv.Error as error:
            place.fault(f"broken table ({error}): check the quotes; texts over 128 KB must come as JSONL")
            return
        if cells is None:
            return
        if not cells:
            continue
        if not width:
            wrong = [column for column in columns if cells.count(column) != 1]
            if wrong:
                place.fault(f"no single column {wrong[0]!r} in the header {show(cells)}: rename or name another column")
                return
            width, picked = len(cells), [cells.index(column) for column in columns]
        elif len(cells) != width:
            place.fault(f"{len(cells)} cells, the header has {width}: put quotes around cells with {delimiter!r}")
        else:
            yield place, [cells[column] for column in picked]


def _parquet_module() -> Any:
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("reading parquet needs pyarrow: pip install 'eclare_py[parquet]'") from error


def _parquet_records(place: Place, columns: Sequence[str], parquet: Any) -> Iterator[tuple[Place, list[Any]]]:
    try:
        with parquet.ParquetFile(place.path) as table:
            missing = [column for column in columns if column not in table.schema_arrow.names]
            if missing:
                found = show(table.schema_arrow.names)
                place.fault(f"column {missing[0]} is missing (found {found}): rename or name another column")
                return
            row = 0
            for batch in table.iter_batches(_BATCH, columns=list(columns)):
                for values in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
                    row += 1
                    place.line = row
                    yield place, list(values)
    except FileNotFoundError:
        place.fault("file is missing")
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these two kinds
        place.fault(f"damaged or no parquet file ({show(str(error))}): write it again")
