"""Texts to be ranked: plain lines, JSON lines, or the rows of a CSV, TSV or parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from eclare_py.data.importing.columns import listed
from eclare_py.data.importing.tables import DELIMITERS, JSON, PARQUET, parquet_module, read_table, table_format
from eclare_py.data.importing.tally import Tally
from eclare_py.data.lf import parse_object
from eclare_py.data.lines import LineReader, lone_surrogate
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import DataError

CHUNK = 2048  # rows that are ranked together
_KEYS = ("text", "title", "content", "uid")
_SAY = "say which columns are the text: --text NAME, or several by commas"


@dataclass(frozen=True)
class Row:
    """A text, and its uid where the input names one."""

    text: str
    uid: str | None = None


def read_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a file: CSV, TSV, JSON lines and parquet by their suffix, else lines; all but parquet also with `.gz`.

    Args:
        path: The file.
        columns: Columns of a table, or keys of JSON, that are the text, joined by a space. None: text, or of JSON and
            parquet title and content where there is no text.

    Raises:
        DataError: Missing, damaged, not UTF-8, a row without text; names file and line (of parquet the row).
        UsageError: A parquet file, and no pyarrow.
    """
    place, format = Place(path, Report()), table_format(path)
    if format in PARQUET and path.suffix != ".gz":
        return _table_rows(path, columns) if columns else _parquet_rows(place, parquet_module())
    if format in DELIMITERS:
        return _table_rows(path, columns)
    lines = LineReader(path, Report(), skip_bom=True)
    return rows_of_lines(lines, place, columns, as_json=True if format in JSON else None)


def rows_of_lines(
    lines: Iterable[tuple[int, str | None]], place: Place, columns: Sequence[str] = (), *, as_json: bool | None = None
) -> Iterator[Row]:
    """Numbered lines as rows: JSON objects, or texts; where it is not said, objects if the first begins with a brace.

    Raises:
        DataError: A line that is no such object, or columns of a text.
    """
    for place.line, line in lines:
        if line is None:
            continue
        if as_json is None:
            as_json = line.lstrip().startswith("{")
            if line.lstrip().startswith("[{") or line.strip() == "[":
                as_json = True  # and told below what it is
            elif columns and not as_json:
                place.fault(f"lines have no columns ({', '.join(columns)}): write JSON objects, or leave out --text")
        if not as_json:
            yield Row(line)
        elif line.lstrip().startswith("["):
            place.fault("a JSON array, where each line is to hold one object: jq -c '.[]' FILE writes it so")
        else:
            yield _row(parse_object(line, place) or {}, place, columns)


def in_chunks(rows: Iterator[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    """Lists of `size` rows; the last may be shorter."""
    while chunk := list(islice(rows, size)):
        yield chunk


def _table_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    tally = Tally(strict=True, mend="correct it")
    wanted = tuple(columns) or ("text",)
    optional = () if "uid" in wanted else ("uid",)
    try:
        for place, values in read_table(path, wanted, tally, optional=optional):
            filled = (None if value == "" else value for value in values)
            yield _row(dict(zip((*wanted, *optional), filled, strict=True)), place, wanted)
    except DataError as error:
        if columns or "no column 'text'" not in str(error):
            raise
        said = str(error).removeprefix(f"{path}: ").removeprefix(f"{path}:{error.line}: ")
        raise DataError(f"{said}; {_SAY}", path=path, line=error.line) from None


def _parquet_rows(place: Place, parquet: Any) -> Iterator[Row]:
    try:
        with parquet.ParquetFile(place.path) as table:
            schema = table.schema_arrow
            texts = [field.name for field in schema if str(field.type) in ("string", "large_string")]
            _check_keys(schema.names, texts, place)
            place.line = 0
            for batch in table.iter_batches(CHUNK, columns=[name for name in schema.names if name in _KEYS]):
                for row in batch.to_pylist():
                    place.line += 1
                    yield _row(row, place)
    except FileNotFoundError:
        raise DataError("file is missing", path=place.path) from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these two kinds
        raise DataError(f"damaged or no parquet file ({show(str(error))}): write it again", path=place.path) from error


def _check_keys(there: Sequence[str], texts: Sequence[str], place: Place) -> None:
    """Whether it is clear, without columns being named, what the text is.

    Args:
        there: Columns, or keys of a row.
        texts: Those of them that hold text.
        place: Told where it is not.
    """
    if "text" in there:
        return
    if "title" not in there:
        place.fault(f"text is missing (found {listed(there)}); {_SAY}")
    # Of a title alone, the better part of the text may stand in another column, which training was given too.
    elif "content" not in there and (others := [name for name in texts if name not in _KEYS]):
        place.fault(f"is the text the title alone, or {listed(others)} too? {_SAY}")


def _row(row: Mapping[str, Any], place: Place, columns: Sequence[str] = ()) -> Row:
    if columns:
        parts = [row[name] for name in columns if row.get(name) is not None]
        if not any(name in row for name in columns):
            place.fault(f"no key {' or '.join(columns)} (found {listed(list(row))})")
    else:
        _check_keys(list(row), [name for name, value in row.items() if isinstance(value, str)], place)
        content = [row["content"]] if row.get("content") else []
        parts = [row["text"]] if "text" in row else [row.get("title"), *content]
    for part in parts:
        if not isinstance(part, str):
            place.fault(f"text is {show(part)}: it must be a string")
        elif (half := lone_surrogate(part)) is not None:
            place.fault(f"text holds the lone surrogate {half}: write the whole character or remove it")
    uid = row.get("uid")
    return Row(" ".join(part for part in parts if part), None if uid is None else str(uid))
