"""Texts to be ranked, from a file or from stdin."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from eclare_py.data.importing.tables import DELIMITERS, PARQUET, table_format
from eclare_py.data.problems import Place, Report
from eclare_py.engines.rows import Row, rows_of_lines
from eclare_py.engines.rows import read_rows as rows_of_file
from eclare_py.errors import UsageError


def is_stream(source: str) -> bool:
    """Whether an input can be read only once: stdin, as "-", or a pipe."""
    return source == "-" or Path(source).is_fifo()


def read_rows(source: str, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a file, of a pipe, or of stdin for "-"; see `engines.rows.read_rows`.

    Raises:
        DataError: Missing, not UTF-8, a damaged line; names file and line.
    """
    if not is_stream(source):
        return rows_of_file(Path(source), columns)
    if (kind := table_format(Path(source))) in (*DELIMITERS, *PARQUET):
        raise UsageError(f"{source} is a pipe, which is read as lines or JSON objects, not as {kind}: give a file")
    place = Place(Path("stdin" if source == "-" else source), Report())
    return rows_of_lines(_lines(_stdin() if source == "-" else _pipe(source), place), place, columns)


def as_they_come(rows: Iterator[Row], most: int) -> Iterator[list[Row]]:
    """Chunks of what is there, so that a row need not wait for those that a slow program has yet to write.

    Args:
        rows: Read by a thread of its own, which waits for the next one.
        most: Rows of a chunk; so many more are read ahead.
    """
    ready: queue.Queue[Row | BaseException | None] = queue.Queue(most)

    def read() -> None:
        try:
            for row in rows:
                ready.put(row)
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    threading.Thread(target=read, daemon=True).start()  # nobody waits for it where the answers are given up
    while True:
        taken = [ready.get()]
        while len(taken) < most and not ready.empty():
            taken.append(ready.get())
        if chunk := [one for one in taken if isinstance(one, Row)]:
            yield chunk
        if isinstance(taken[-1], BaseException):
            raise taken[-1]
        if taken[-1] is None:
            return


def _stdin() -> Iterable[bytes]:
    """Stdin by a reader of its own: Python cannot end while another thread waits in `sys.stdin`."""
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:  # something in memory that stands for it
        return sys.stdin.buffer


def _pipe(source: str) -> Iterator[bytes]:
    with open(source, "rb") as stream:
        yield from stream


def _lines(stream: Iterable[bytes], place: Place) -> Iterator[tuple[int, str]]:
    """Numbered lines, decoded as UTF-8 whatever the locale."""
    for number, raw in enumerate(stream, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            place.line = number
            place.fault(f"invalid UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}; save as UTF-8")
            continue
        yield number, line.rstrip("\r\n") if line.endswith("\n") else line
