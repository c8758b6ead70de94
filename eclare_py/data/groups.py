"""Reading groups.json.gz: members and labels of groups of train documents, see `aggregated`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.data.lf import parse_object
from eclare_py.data.lines import LineReader
from eclare_py.data.problems import Place, Report, show
from eclare_py.data.rows import IdColumn, LabelMatrix, checked_indices, tell_duplicate_ids
from eclare_py.types import Csr, IntArray

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class GroupRows:
    """Groups as read.

    Attributes:
        of: (N,) group of each train document, -1 where there was none.
        labels: (M, L) label matrix of the groups.
        complete: The whole file was read.
    """

    of: IntArray
    labels: Csr
    complete: bool


def read_groups(path: Path, n_documents: int | None, n_labels: int | None, report: Report) -> GroupRows:
    """Read groups.json.gz; every document must be in exactly one group.

    Args:
        path: The file.
        n_documents: N; None where the documents could not be read, then members have no upper end.
        n_labels: L; None where it is not known.
        report: Told every problem.
    """
    place, ids, matrix = Place(path, report), IdColumn(), LabelMatrix()
    lines, seen = LineReader(path, report), dict[int, int]()
    for place.line, line in lines:
        row = None if line is None else parse_object(line, place)
        if row is None:
            ids.skip()
            matrix.add([], None)
            continue
        ids.add(row.get("uid"), place)
        for document in _members(row, n_documents, place):
            first = seen.setdefault(document, place.line)
            if first != place.line:
                place.fault(f"document {document} is in the group of line {first} too: leave it in one")
        matrix.add(_labels(row, n_labels, place), None)
    tell_duplicate_ids(ids.finish(), place, "group")
    if lines.complete and not lines.count:
        report.error(path, None, "no groups in it: write one object with members and target_ind for each group")
    total = max(seen, default=-1) + 1 if n_documents is None else n_documents
    of = np.full(total, -1, dtype=np.int64)
    of[list(seen)] = np.array(list(seen.values()), dtype=np.int64) - 1
    left_out = np.flatnonzero(of < 0).tolist()
    if lines.complete and n_documents is not None and left_out:
        rows = ", ".join(map(str, left_out[:_SHOWN])) + (", ..." if len(left_out) > _SHOWN else "")
        report.error(path, None, f"{len(left_out)} train documents are in no group (rows {rows}): add them to one")
    return GroupRows(of, matrix.finish(n_labels), lines.complete)


def _members(row: dict[str, Any], n_documents: int | None, place: Place) -> list[int]:
    members = row.get("members")
    if not isinstance(members, list) or not members:
        missing = f"key members is missing (found {show(sorted(row))})"
        found = f"members is {show(members)}" if "members" in row else missing
        place.fault(f"{found}: write a list of row numbers of trn.json.gz")
        return []
    good: dict[int, None] = {}
    for member in members:
        if type(member) is not int or member < 0:
            place.fault(f"members holds {show(member)}, which is not a row number from 0: correct it")
        elif n_documents is not None and member >= n_documents:
            place.fault(f"members holds {show(member)}, outside the documents 0..{n_documents - 1}: correct it")
        elif member in good:
            place.fault(f"members holds {member} twice: keep one")
        else:
            good[member] = None
    return list(good)


def _labels(row: dict[str, Any], n_labels: int | None, place: Place) -> list[int]:
    if "target_ind" not in row:
        place.fault(f"key target_ind is missing (found {show(sorted(row))}): add the list of label row numbers")
        return []
    if row.get("target_rel") is not None:
        place.fault("target_rel is of documents, whose labels are known: remove it")
    return checked_indices(row["target_ind"], n_labels, place, "target_ind")
