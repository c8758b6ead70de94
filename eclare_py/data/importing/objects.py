"""Records of tables in memory: a Hugging Face dataset, a pandas DataFrame, any rows of mappings. None is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eclare_py.data.importing.columns import missing_column
from eclare_py.data.importing.values import is_missing
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import DataError, UsageError

_BATCH = 1000


def read_object(table: Any, columns: Sequence[str], *, name: str = "rows") -> Iterator[tuple[Place, Sequence[Any]]]:
    """Iterate over the records of a table in memory.

    Args:
        table: A `datasets.Dataset` or `IterableDataset` (numbers of a ClassLabel become its names), a DataFrame, or an
            iterable of mappings from column to value.
        columns: The columns wanted.
        name: What places call it.

    Yields:
        The row number, counted from 1, as a place, and the values in the order of `columns`.

    Raises:
        DataError: A column is missing, or a row is no mapping.
        UsageError: The table is none of these.
    """
    if hasattr(table, "iter") and hasattr(table, "features"):
        return _numbered(_dataset_rows(table, columns, name), name)
    if hasattr(table, "itertuples") and hasattr(table, "columns"):
        _check(columns, [str(column) for column in table.columns], name)
        return _numbered(table[list(columns)].itertuples(index=False, name=None), name)
    if isinstance(table, Iterable) and not isinstance(table, (str, bytes, Mapping)):
        return _numbered(_mapping_rows(table, columns, name), name)
    raise UsageError(f"cannot import a {type(table).__name__}: give files, a dataset, a DataFrame or rows of mappings")


def _numbered(rows: Iterable[Sequence[Any]], name: str) -> Iterator[tuple[Place, Sequence[Any]]]:
    place = Place(Path(name), Report())
    for place.line, row in enumerate(rows, start=1):
        yield place, [_plain(value) for value in row]


def _dataset_rows(table: Any, columns: Sequence[str], name: str) -> Iterator[Sequence[Any]]:
    there = getattr(table, "column_names", None)
    if there is not None:
        _check(columns, there, name)
        table = table.select_columns(list(columns))
    readers = [_class_names(table.features, column) for column in columns]
    for batch in table.iter(batch_size=_BATCH):
        if there is None:
            _check(columns, list(batch), name)
        for row in zip(*(batch[column] for column in columns), strict=True):
            yield [value if read is None else read(value) for read, value in zip(readers, row, strict=True)]


def _class_names(features: Any, column: str) -> Callable[[Any], Any] | None:
    """How the numbers of a ClassLabel, or of a list of such, become names; None where the column has none."""
    feature = features.get(column) if isinstance(features, Mapping) else None
    for one in (feature, getattr(feature, "feature", None)):
        name_of = getattr(one, "int2str", None)
        if name_of is not None:

            def read(value: Any, name_of: Callable[[Any], Any] = name_of) -> Any:
                return None if value is None else name_of(value)

            return read
    return None


def _mapping_rows(table: Iterable[Any], columns: Sequence[str], name: str) -> Iterator[Sequence[Any]]:
    for number, row in enumerate(table, start=1):
        if not isinstance(row, Mapping):
            raise DataError(f"row is {show(row)}: it must be a mapping from column to value", path=name, line=number)
        if number == 1:
            _check(columns, [str(key) for key in row], name)
        yield [row.get(column) for column in columns]


def _check(columns: Sequence[str], there: Sequence[str], name: str) -> None:
    if (wrong := missing_column(columns, there)) is not None:
        raise DataError(wrong, path=name)


def _plain(value: Any) -> Any:
    """The missing values of pandas and numpy as None, arrays as lists."""
    if is_missing(value):
        return None
    return value.tolist() if hasattr(value, "tolist") else value
