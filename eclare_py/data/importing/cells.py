"""Records of tables whose cells stand between delimiters: CSV, TSV, and what calls itself so."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from eclare_py.data.importing.columns import missing_column
from eclare_py.data.importing.lines import TableLines
from eclare_py.data.importing.tally import Tally
from eclare_py.data.problems import Place, Report, show
from eclare_py.errors import DataError

_OTHERS = (",", ";", "\t", "|")


def delimited_records(
    lines: TableLines, path: Path, columns: Sequence[str], optional: Sequence[str], delimiter: str, tally: Tally
) -> Iterator[tuple[Place, Sequence[str | None]]]:
    """Iterate over the records of a table with a header; see `read_table`.

    Where the wanted columns are not in the header, other delimiters are tried (spreadsheets of some countries write
    ";"). A quote that is opened and not closed as it should be is taken as a plain character, so that it costs no more
    than its own line.
    """
    place = Place(path, Report())
    source = _Lines(lines)
    header = next(source, None)
    if header is None:
        return
    place.line = source.taken[0][0]
    delimiter, names = _header(header, columns, delimiter, place)
    if delimiter not in (",", "\t"):
        tally.note("other delimiter", f"{path.name}: {delimiter!r} stands between the cells")
    picked = [names.index(name) if name in names else None for name in (*columns, *optional)]
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.taken.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            cells = source.first_alone().split(delimiter)
            place.line = source.taken[0][0]
            if len(cells) == len(names):
                tally.repair("stray quote", place, show(source.taken[0][1]))
            else:
                tally.reject("broken quotes", place, f"{error}: {show(source.taken[0][1])}")
                continue
        if cells is None:
            return
        place.line = source.taken[0][0]  # a quoted cell may span lines: the record is where it begins
        if not any(cells):
            continue
        if len(cells) > len(names) and not any(cell.strip() for cell in cells[len(names) :]):
            tally.repair("empty cells behind the last column", place, show(delimiter.join(cells)))
            del cells[len(names) :]
        if len(cells) != len(names):
            what = f"{len(cells)}, the header has {len(names)}: {show(delimiter.join(cells))}"
            tally.reject("wrong number of cells", place, what)
        else:
            yield place, [None if column is None else cells[column] for column in picked]


class _Lines:
    """Lines for csv.reader, which can be given back where a quote ran on over them."""

    def __init__(self, lines: TableLines) -> None:
        self._lines = ((number, line) for number, line in lines if line is not None)
        self._ahead: deque[tuple[int, str]] = deque()
        self.taken: list[tuple[int, str]] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.taken.append(self._ahead.popleft() if self._ahead else next(self._lines))
        return self.taken[-1][1] + "\n"

    def first_alone(self) -> str:
        """The first line of the record, with the others given back."""
        self._ahead.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
        return self.taken[0][1]


def _header(line: str, columns: Sequence[str], delimiter: str, place: Place) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns."""
    found: dict[str, list[str]] = {}
    for one in (delimiter, *(other for other in _OTHERS if other != delimiter)):
        try:
            found[one] = [cell.strip() for cell in next(csv.reader([line], delimiter=one))]
        except csv.Error as error:
            raise DataError(f"broken header ({error}): check its quotes", path=place.path, line=place.line) from error
        if missing_column(columns, found[one]) is None:
            return one, found[one]
    likely = max(found.values(), key=len)
    raise DataError(str(missing_column(columns, likely)), path=place.path, line=place.line)
