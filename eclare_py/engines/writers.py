"""Answers of one shard as a file that appears under its name when it is complete, whoever is killed before."""

from __future__ import annotations

import glob
import importlib
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from eclare_py.data.importing.tables import parquet_module
from eclare_py.engines.answers import as_line
from eclare_py.errors import UsageError

Records: TypeAlias = Sequence[dict[str, Any]]
FORMATS = ("jsonl", "parquet")
_PART = ".part-"


@contextmanager
def shard_writer(target: Path, format: str) -> Iterator[Callable[[Records], None]]:
    """Write the answers of a shard, chunk by chunk.

    The temporary's name is of this writer alone, not of its process id as in `atomic_file`: two machines on one file
    system may have the same ids, and a worker that the cluster has given up may still be writing.

    Args:
        target: The file; its folder is made.
        format: One of `FORMATS`.

    Yields:
        A function that takes the records of a chunk.

    Raises:
        UsageError: An unknown format, or parquet without pyarrow.
    """
    if format not in FORMATS:
        raise UsageError(f"format {format} is unknown: choose {' or '.join(FORMATS)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}{_PART}{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}")
    try:
        with open(partial, "wb") as handle:
            with _lines(handle) if format == "jsonl" else _table(handle) as write:
                yield write
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def partials(target: Path) -> list[Path]:
    """What is being written for `target`, or was when its writer was killed."""
    return list(target.parent.glob(f".{glob.escape(target.name)}{_PART}*"))


def remove_partials(folder: Path) -> None:
    """Delete what killed writers have left below a folder; its writers must be dead."""
    for path in folder.rglob(f".*{_PART}*"):
        path.unlink(missing_ok=True)


@contextmanager
def _lines(handle: IO[bytes]) -> Iterator[Callable[[Records], None]]:
    yield lambda records: handle.writelines(as_line(record).encode() for record in records)


@contextmanager
def _table(handle: IO[bytes]) -> Iterator[Callable[[Records], None]]:
    """A row group for each chunk; a shard without rows has the columns nevertheless."""
    parquet, arrow = parquet_module(), importlib.import_module("pyarrow")
    label = arrow.struct([("label", arrow.string()), ("text", arrow.string()), ("score", arrow.float64())])
    schema = arrow.schema([("uid", arrow.string()), ("labels", arrow.list_(label)), ("automate", arrow.bool_())])
    with parquet.ParquetWriter(handle, schema) as writer:
        yield lambda records: writer.write_table(arrow.Table.from_pylist(list(records), schema=schema))
