"""Records of JSONL, CSV, TSV and parquet files, read as a stream, each with the line it came from.

A record at fault is left out and told to the tally; only what concerns the whole table raises.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from eclare_py.data.importing.cells import delimited_records
from eclare_py.data.importing.columns import missing_column
from eclare_py.data.importing.json_rows import json_records
from eclare_py.data.importing.lines import TableLines
from eclare_py.data.importing.tally import Tally
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import DataError, UsageError

Record: TypeAlias = tuple[Place, Sequence[Any]]
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
_BATCH = 8192


def read_table(
    path: Path, columns: Sequence[str], tally: Tally, *, optional: Sequence[str] = (), encoding: str | None = None
) -> Iterator[Record]:
    """Iterate over the records of a table.

    Args:
        path: Its suffix says the format; `.gz` may follow, but not for parquet. A file of JSON holds an object a line,
            or one array of objects, which is read whole.
        columns: The columns wanted; each must be there. A row of JSON may lack some, but not all rows the same.
        tally: Told every row that is left out.
        optional: Columns that may be missing altogether.
        encoding: Of text files; None finds out.

    Yields:
        Where the record stands (for parquet and an array of JSON the row number as line) and its values in the order of
        `columns` and `optional`; None where a row of JSON or the table has none.

    Raises:
        DataError: A missing or damaged file, a missing column (with the near name).
        UsageError: Unknown suffix, or parquet without pyarrow.
    """
    suffix = table_format(path)
    if suffix in JSON:
        return json_records(TableLines(path, tally, encoding), path, columns, optional, tally)
    if suffix in DELIMITERS:
        lines = TableLines(path, tally, encoding)
        return delimited_records(lines, path, columns, optional, DELIMITERS[suffix], tally)
    if suffix in PARQUET and path.suffix != ".gz":
        return _parquet_records(path, columns, optional, parquet_module())
    raise UsageError(f"{path}: cannot tell the format from {path.suffix!r}: name it .jsonl, .csv, .tsv or .parquet")


def table_format(path: Path) -> str:
    """The suffix that says the format, without .gz."""
    return Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def parquet_module() -> Any:
    """`pyarrow.parquet`.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("parquet needs pyarrow: pip install 'eclare_py[parquet]'") from error


def _parquet_records(path: Path, columns: Sequence[str], optional: Sequence[str], parquet: Any) -> Iterator[Record]:
    place, row = Place(path, Report()), 0
    try:
        with parquet.ParquetFile(path) as table:
            there = list(table.schema_arrow.names)
            if (wrong := missing_column(columns, there)) is not None:
                raise DataError(wrong, path=path)
            read = [name for name in (*columns, *optional) if name in there]
            for batch in table.iter_batches(_BATCH, columns=read):
                values = {name: batch.column(name).to_pylist() for name in read}
                nothing = [None] * batch.num_rows
                for record in zip(*(values.get(name, nothing) for name in (*columns, *optional)), strict=True):
                    row += 1
                    place.line = row
                    yield place, record
    except FileNotFoundError:
        raise DataError("file is missing", path=path) from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these two kinds
        raise DataError(f"damaged or no parquet file ({show(str(error))}): write it again", path=path) from error
