"""What the readers of all formats fill: label rows and document rows, held in flat arrays.

A row with an error still takes its place, so that later rows keep their numbers while a validator goes on.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from eclare_py.data.lines import lone_surrogate
from eclare_py.data.problems import Place, show
from eclare_py.storage.texts import TextCollector
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True, eq=False)
class LabelRows:
    """Labels as read.

    Attributes:
        texts: L texts, "" where the row was at fault.
        ids: L ids or None.
        complete: The whole file was read; False makes its row count unknown.
    """

    texts: list[str]
    ids: list[str] | None
    complete: bool

    @property
    def known(self) -> int | None:
        """L, None where the file could not be read to its end."""
        return len(self.texts) if self.complete else None


@dataclass(frozen=True, eq=False)
class DocumentRows:
    """Documents of one split as read; `labels` is (N, L), the rest as in `LabelRows`."""

    texts: Sequence[str]
    labels: Csr
    ids: Sequence[str] | None
    complete: bool

    @property
    def known(self) -> int | None:
        """N, None where the file could not be read to its end."""
        return len(self.texts) if self.complete else None


class IdColumn:
    """Optional ids that all rows have or none."""

    def __init__(self) -> None:
        self._values = TextCollector()
        self._expected: bool | None = None

    def add(self, value: object, place: Place) -> None:
        """Add the id of the next row (None: it has none), checked against the rows before."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None and (not isinstance(value, str) or not value or lone_surrogate(value) is not None):
            place.fault(f"uid is {show(value)}: it must be a string with at least one character")
            value = ""
        if self._expected is None:
            self._expected = value is not None
        elif self._expected != (value is not None):
            place.fault(
                "uid is missing, rows before have one" if self._expected else "uid given, rows before have none"
            )
        self._values.add(value or "")

    def skip(self) -> None:
        """Add an empty id for a row that could not be read."""
        self._values.add("")

    def finish(self) -> Sequence[str] | None:
        """All ids, None where the rows have none."""
        values = self._values.finish()
        return values if self._expected else None


class LabelMatrix:
    """Rows of labels in flat arrays: 8 bytes an entry and row, 4 more an entry once a relevance is given."""

    def __init__(self) -> None:
        self._indices = array("q")
        self._counts = array("q")
        self._values: array[float] | None = None

    def add(self, indices: list[int], relevances: list[float] | None) -> None:
        """Add a checked row; without relevances they are 1."""
        if relevances is not None and self._values is None:
            self._values = array("f", [1.0]) * len(self._indices)
        self._indices.fromlist(indices)
        self._counts.append(len(indices))
        if self._values is not None:
            self._values.extend(relevances if relevances is not None else [1.0] * len(indices))

    def finish(self, n_labels: int | None) -> Csr:
        """(N, L) CSR float32; L is the largest index + 1 where it is not known."""
        indices = np.frombuffer(self._indices, dtype=np.int64) if self._indices else np.empty(0, dtype=np.int64)
        indptr = np.zeros(len(self._counts) + 1, dtype=np.int64)
        if self._counts:
            np.cumsum(np.frombuffer(self._counts, dtype=np.int64), out=indptr[1:])
        if self._values:
            values = np.frombuffer(self._values, dtype=np.float32)
        else:
            values = np.ones(len(indices), dtype=np.float32)
        if n_labels is None:
            n_labels = int(indices.max(initial=-1)) + 1
        return compact_csr(values, indices, indptr, n_labels)


def compact_csr(values: FloatArray, indices: IntArray, indptr: IntArray, columns: int) -> Csr:
    """A sorted CSR from copies of flat arrays, with 32 bit indices where they fit (half the memory)."""
    shape = (len(indptr) - 1, columns)
    width = np.int32 if max(columns, len(indices)) < 2**31 else np.int64
    return as_csr(sp.csr_array((values.copy(), indices.astype(width), indptr.astype(width)), shape=shape))


def checked_text(text: str, place: Place, *, escaped: bool, kind: str) -> str:
    """The text, or "" after telling what is wrong with it; `escaped` is whether it may hold a lone surrogate."""
    if not text or text.isspace():
        place.fault(f"{kind} text is empty: give it a title or remove the row everywhere")
        return ""
    if escaped and (half := lone_surrogate(text)) is not None:
        place.fault(f"{kind} text holds the lone surrogate {half}: write the whole character or remove it")
        return ""
    return text


def checked_indices(values: object, n_labels: int | None, place: Place, key: str) -> list[int]:
    """A row's label indices that hold; every other one is told.

    Args:
        values: What the file has; must be a list of distinct integers 0..n_labels-1.
        n_labels: L, None where it is not known (then only the upper end is not checked).
        place: The row.
        key: What the file calls the list.
    """
    if not isinstance(values, list):
        place.fault(f"{key} is {show(values)}: it must be a list of label row numbers")
        return []
    limit = 2**62 if n_labels is None else n_labels
    if not values:
        return values
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) < limit and len(set(values)) == len(values):
        return values
    seen: set[int] = set()
    for value in values:
        if type(value) is not int:
            place.fault(f"{key} holds {show(value)}, which is not an integer: use label row numbers counted from 0")
        elif value < 0:
            place.fault(f"{key} holds the negative index {show(value)}: label row numbers count from 0")
        elif value >= limit:
            end = limit - 1
            place.fault(f"{key} holds {show(value)}, outside the labels 0..{end}: correct it or add the label")
        elif value in seen:
            place.fault(f"{key} holds {value} twice: keep one (duplicate label)")
        else:
            seen.add(value)
    return sorted(seen)


def checked_relevances(values: object, n_indices: int, place: Place, key: str) -> list[float] | None:
    """Relevances for `n_indices` labels (finite, above 0), or None after telling what is wrong."""
    if not isinstance(values, list) or len(values) != n_indices:
        found = f"{len(values)} values" if isinstance(values, list) else show(values)
        place.fault(f"{key} is {found}: it must be a list of {n_indices} numbers, one for each label")
        return None
    bad = [value for value in values if not is_relevance(value)]
    for value in bad:
        place.fault(f"{key} holds {show(value)}: a relevance must be a finite number above 0")
    return None if bad else values


def is_relevance(value: object) -> bool:
    """Whether a value is a number that float32 holds as finite and above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return 1.2e-38 < value < 3.4e38  # also False for NaN, and safe for integers no float can hold


def tell_duplicate_ids(ids: Sequence[str] | None, place: Place, kind: str) -> None:
    """Tell every id that stood before, with the line of its first row (rows are lines)."""
    if ids is None or len(set(ids)) == len(ids):
        return
    first: dict[str, int] = {}
    for line, name in enumerate(ids, start=1):
        if name and first.setdefault(name, line) != line:
            place.line = line
            place.fault(f"duplicate {kind} uid {show(name)}, first on line {first[name]}: rename or remove one")
