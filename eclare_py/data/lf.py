"""The LF raw format of the Extreme Classification Repository: JSON lines, packed with gzip.

A folder holds `lbl.json.gz`, `trn.json.gz` and mostly `tst.json.gz`; an object a line with `title`, optional `content`,
optional `uid`, and for documents `target_ind` (row numbers of lbl.json.gz, from 0) and optional `target_rel`.
With a `groups.json.gz`, see `aggregated`, train documents have no labels of their own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eclare_py.data.lf_writer import GROUPS, LfWriter, write_lf
from eclare_py.data.lines import LineReader
from eclare_py.data.problems import Place, Report, show
from eclare_py.data.rows import (
    DocumentRows,
    IdColumn,
    LabelMatrix,
    LabelRows,
    checked_indices,
    checked_relevances,
    checked_text,
    tell_duplicate_ids,
)
from eclare_py.storage.texts import TextCollector

__all__ = ["LfWriter", "parse_object", "read_documents", "read_labels", "write_lf"]


def read_labels(path: Path, report: Report) -> LabelRows:
    """Read lbl.json.gz; ids must be distinct, texts need not be."""
    place, ids, texts = Place(path, report), IdColumn(), []
    lines = LineReader(path, report)
    for place.line, line in lines:
        row = None if line is None else parse_object(line, place)
        if row is None or line is None:
            texts.append("")
            ids.skip()
            continue
        texts.append(_text(row, place, "\\u" in line, "label"))
        ids.add(row.get("uid"), place)
    names = ids.finish()
    tell_duplicate_ids(names, place, "label")
    if lines.complete and not texts:
        report.error(path, None, "no labels in it: write one object with a title for each label")
    return LabelRows(texts, None if names is None else list(names), lines.complete)


def read_documents(
    path: Path, n_labels: int | None, report: Report, *, labelled: bool = True
) -> DocumentRows:
    """Read trn.json.gz or tst.json.gz.

    Args:
        path: The file.
        n_labels: L; None where the labels could not be read, then indices have no upper end.
        report: Told every problem.
        labelled: Every document has labels; False: none may have, as they are of groups.
    """
    place, ids, texts, matrix = Place(path, report), IdColumn(), TextCollector(), LabelMatrix()
    lines = LineReader(path, report)
    for place.line, line in lines:
        row = None if line is None else parse_object(line, place)
        if row is None or line is None:
            texts.add("")
            ids.skip()
            matrix.add([], None)
            continue
        texts.add(_text(row, place, "\\u" in line, "document"))
        ids.add(row.get("uid"), place)
        matrix.add(*(_targets(row, n_labels, place) if labelled else _no_targets(row, place)))
    if lines.complete and not len(texts):
        report.error(path, None, "no documents in it: write one object with title and target_ind for each document")
    return DocumentRows(texts.finish(), matrix.finish(n_labels), ids.finish(), lines.complete)


def parse_object(line: str, place: Place) -> dict[str, Any] | None:
    """A line's JSON object, or None after telling why there is none."""
    if not line or line.isspace():
        place.fault("empty line: remove it, rows are counted by lines")
        return None
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        place.fault(f"invalid JSON at column {error.colno} ({error.msg}): write one object on each line")
        return None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits, or brackets without end
        place.fault(f"JSON that cannot be taken in ({type(error).__name__}): write one plain object on each line")
        return None
    if not isinstance(value, dict):
        place.fault(f"{show(value)} is not a JSON object: write one object on each line")
        return None
    return value


def _text(row: dict[str, Any], place: Place, escaped: bool, kind: str) -> str:
    title, content = row.get("title"), row.get("content")
    if "title" not in row:
        place.fault(f"key title is missing (found {show(sorted(row))}): add the {kind}'s text")
        return ""
    for key, value in (("title", title), ("content", content)):
        if not isinstance(value, str) and (key == "title" or value is not None):
            place.fault(f"{key} is {show(value)}: it must be a string")
            return ""
    text = str(f"{title} {content}" if content and title else content or title)
    return checked_text(text, place, escaped=escaped, kind=kind)


def _no_targets(row: dict[str, Any], place: Place) -> tuple[list[int], None]:
    for key in ("target_ind", "target_rel"):
        if key in row:
            place.fault(f"{key} is given, but the labels are of the groups of {GROUPS}: remove it, or that file")
    return [], None


def _targets(row: dict[str, Any], n_labels: int | None, place: Place) -> tuple[list[int], list[float] | None]:
    if "target_ind" not in row:
        place.fault(f"key target_ind is missing (found {show(sorted(row))}): add the list of label row numbers")
        return [], None
    given = row["target_ind"]
    indices = checked_indices(given, n_labels, place, "target_ind")
    relevances = row.get("target_rel")
    if relevances is None or not isinstance(given, list):
        return indices, None
    checked = checked_relevances(relevances, len(given), place, "target_rel")
    return indices, checked if len(indices) == len(given) else None
