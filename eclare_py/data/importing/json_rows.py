"""Records of JSON: an object a line, or one array of objects."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eclare_py.data.importing.columns import missing_column
from eclare_py.data.importing.lines import TableLines
from eclare_py.data.importing.tally import Tally
from eclare_py.data.lf import parse_object
from eclare_py.data.lines import MAX_LINE_BYTES
from eclare_py.data.problems import Collector, Place, Report, show
from eclare_py.errors import DataError

_CERTAIN = 1000  # rows after which a key that none of them has is taken for a mistake
_LONGEST = MAX_LINE_BYTES  # characters of an array, which is read whole; what an array on one line may have anyway
_MEND = "write one object on each line (jq -c '.[]' FILE > FILE.jsonl)"


def json_records(
    lines: TableLines, path: Path, columns: Sequence[str], optional: Sequence[str], tally: Tally
) -> Iterator[tuple[Place, Sequence[Any]]]:
    """Iterate over the records of a file of JSON; see `read_table`.

    A row may lack keys, but not all rows the same. Places of an array of objects are the numbers of its rows.
    """
    place = Place(path, Report())
    wanted = (*columns, *optional)
    absent, keys, rows = set(columns), dict[str, None](), 0
    for row in _objects(lines, place, tally):
        rows += 1
        if absent:
            absent.difference_update(row)
            keys.update(dict.fromkeys(row))
            _check_keys(absent, columns, list(keys), path, rows >= _CERTAIN)
        yield place, [row.get(column) for column in wanted]
    _check_keys(absent, columns, list(keys), path, rows > 0)


def _objects(lines: TableLines, place: Place, tally: Tally) -> Iterator[dict[str, Any]]:
    """The objects of a file, with the place moved to each; what is none is told to the tally."""
    told = Collector()
    parser = Place(place.path, told)
    numbered = ((number, line) for number, line in lines if line is not None and line.strip())
    head = list(itertools.islice(numbered, 2))
    if head and head[0][1].lstrip().startswith("["):
        items = _array(head, numbered, place.path)
        if items is not None:
            for place.line, item in enumerate(items, start=1):
                if isinstance(item, dict):
                    yield item
                else:
                    tally.reject("no JSON object", place, f"{show(item)} is not a JSON object")
            return
    for place.line, line in itertools.chain(head, numbered):
        row = parse_object(line, parser)
        if row is None:
            tally.reject("no JSON object", place, told.problems.pop().message)
        else:
            yield row


def _array(head: Sequence[tuple[int, str]], others: Iterator[tuple[int, str]], path: Path) -> list[Any] | None:
    """The items of a file that is one array; None where its first line is an array and others follow.

    Args:
        head: The first two lines, or the only one, with their numbers.
        others: The others.
        path: The file.

    Raises:
        DataError: It is broken, or too long to be read whole.
    """
    if len(head) > 1 and _is_whole(head[0][1]):
        return None
    taken, size = [], 0
    for one in itertools.chain(head, others):
        taken.append(one)
        size += len(one[1])
        if size > _LONGEST:
            raise DataError(f"a JSON array of more than {_LONGEST:,} characters: {_MEND}", path=path)
    try:
        found = json.loads("\n".join(line for _, line in taken))
    except json.JSONDecodeError as error:
        line = taken[min(error.lineno, len(taken)) - 1][0]
        raise DataError(f"broken JSON array ({error.msg}): correct it, or {_MEND}", path=path, line=line) from error
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, or brackets without end
        raise DataError(f"JSON that cannot be taken in ({type(error).__name__}): {_MEND}", path=path) from error
    return list(found)


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _check_keys(absent: set[str], columns: Sequence[str], keys: Sequence[str], path: Path, certain: bool) -> None:
    if absent and certain:
        wrong = missing_column([name for name in columns if name in absent], keys) or ""
        raise DataError(wrong.replace("no column", "no row has the key"), path=path)
