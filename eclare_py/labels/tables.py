"""Tables that say how the labels of a model are to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py.data.importing.tables import Record, read_table
from eclare_py.data.importing.tally import Tally
from eclare_py.data.lines import lone_surrogate
from eclare_py.data.problems import Place, show
from eclare_py.errors import DataError
from eclare_py.rank.explain import find_label
from eclare_py.rank.pipeline import LabelTable
from eclare_py.types import Csr, as_csr


def read_new_labels(path: Path, known: LabelTable) -> LabelTable:
    """Texts of new labels (column text), and their ids (column label) where the known ones have ids.

    Raises:
        DataError: An empty text, an id that is taken or repeated, or, without ids, a text that is; names the line.
    """
    with_ids = known.ids is not None
    taken = set(known.texts if known.ids is None else known.ids)
    texts: list[str] = []
    names: list[str] = []
    for place, values in _records(path, ("label", "text") if with_ids else ("text",)):
        texts.append(_filled(values[-1], place, "text"))
        names.append(_filled(values[0], place, "label"))
        if names[-1] in taken:
            place.fault(f"label {show(names[-1])} is there already: choose another, or rename or remove the old one")
        taken.add(names[-1])
    if not texts:
        raise DataError("no labels in it: give one row with a text for each new label", path=path)
    return LabelTable(texts, names if with_ids else None)


def read_edges(path: Path, known: LabelTable, new: LabelTable) -> Csr:
    """(n, L + n) weights between new labels and all labels (columns label, other and weight: above 0, at most 1).

    An edge counts for both its ends where both are new.

    Raises:
        DataError: An unknown label, an edge between two known labels, a weight out of range; names the line.
    """
    n_old, size = len(known.texts), len(known.texts) + len(new.texts)
    row_of = {name: row for row, name in enumerate([*(known.ids or known.texts), *(new.ids or new.texts)])}
    rows, columns, weights = [], [], []
    for place, (label, other, weight) in _records(path, ("label", "other", "weight")):
        ends = []
        for name in (_filled(label, place, "label"), _filled(other, place, "other")):
            if name not in row_of:
                place.fault(f"there is no label {show(name)}: name known or new labels as the model and the table do")
            ends.append(row_of[name])
        value = _weight(weight, place)
        if max(ends) < n_old or ends[0] == ends[1]:
            place.fault("an edge must join a new label with another one: leave it out")
        for one, another in (ends, ends[::-1]):
            if one >= n_old:
                rows.append(one - n_old)
                columns.append(another)
                weights.append(value)
    entries = (np.array(weights, dtype=np.float32), (np.array(rows, dtype=int), np.array(columns, dtype=int)))
    matrix = sp.coo_array(entries, shape=(size - n_old, size))
    found = as_csr(matrix)
    return Csr((np.minimum(found.data, 1), found.indices, found.indptr), shape=found.shape)


def read_pairs(path: Path, columns: tuple[str, str], known: LabelTable) -> Iterator[tuple[int, str]]:
    """Rows of known labels (first column) with a word each (second column).

    Raises:
        DataError: An empty cell, or a label that stands there before with another word. UsageError: An unknown label.
    """
    found: dict[int, str] = {}
    for place, values in _records(path, columns):
        first, second = (_filled(value, place, name) for value, name in zip(values, columns, strict=True))
        row = find_label(known, first)
        if found.setdefault(row, second) != second:
            place.fault(f"{show(first)} has another {columns[1]} above, {show(found[row])}: keep one of the rows")
        yield row, second


def _records(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    """Rows of a table; one that cannot be read is an error."""
    return read_table(path, columns, Tally(strict=True, mend="correct it"))


def _filled(value: Any, place: Place, name: str) -> str:
    """A cell with something in it; numbers are taken as they are written."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        place.fault(f"{name} is {show(value)}: it must be text")
        return ""
    text = str(value)
    if not text.strip():
        place.fault(f"{name} is empty: fill it or remove the row")
    elif (half := lone_surrogate(text)) is not None:
        place.fault(f"{name} holds the lone surrogate {half}: write the whole character or remove it")
    return text


def _weight(value: Any, place: Place) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = 0.0
    if not 0 < weight <= 1:
        place.fault(f"weight {show(value)} must be a number above 0 and at most 1")
    return weight
