"""The rows of a table on their way: checked, repaired, merged, held in flat arrays until all have been seen."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py.data.importing.clean import clean
from eclare_py.data.importing.label_cells import labels_of
from eclare_py.data.importing.labels import LabelBook
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tables import Record
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.values import label_name
from eclare_py.data.problems import Place, Report, show
from eclare_py.types import BoolArray, Csr, as_csr

NO_LABELS, NONE_LEFT = "row without labels", "none of its labels is left"


class Documents:
    """Documents of one or more tables.

    Memory: the texts, an entry of a dictionary for each, and 8 bytes for each of its labels; about a quarter of a
    gigabyte for a million titles.

    Attributes:
        texts: N texts.
        ids: N ids; empty where no id column is named.
    """

    def __init__(self, options: ImportOptions, book: LabelBook, tally: Tally) -> None:
        self.texts: list[str] = []
        self.ids: list[str] = []
        self._options, self._book, self._tally = options, book, tally
        self._first: dict[str, int] = {}
        self._rows, self._labels = array("i"), array("i")
        self._files: list[Path] = []
        self._file, self._lines = array("i"), array("q")

    def __len__(self) -> int:
        return len(self.texts)

    def read(self, records: Iterator[Record]) -> None:
        """Take in the records of one table; their values are texts, labels and the id, as `ImportOptions.columns`."""
        for place, values in records:
            self._add(place, values)

    def place(self, row: int) -> Place:
        """Where a document stood."""
        place = Place(self._files[self._file[row]], Report())
        place.line = self._lines[row]
        return place

    def matrix(self, n_labels: int) -> Csr:
        """(N, L) label matrix of ones."""
        rows, labels = np.array(self._rows, dtype=np.int64), np.array(self._labels, dtype=np.int64)
        ones = np.ones(len(rows), dtype=np.float32)
        matrix = as_csr(sp.coo_array((ones, (rows, labels)), shape=(len(self), n_labels)))
        matrix.data[:] = 1  # a label that two merged rows share was counted twice
        return matrix

    def repeats(self, texts: Documents) -> BoolArray:
        """(N,) whether a text is one of another collection too."""
        return np.fromiter((text in texts._first for text in self.texts), dtype=np.bool_, count=len(self))

    def _add(self, place: Place, values: Sequence[Any]) -> None:
        n_texts, options = len(self._options.texts), self._options
        text = self._text(values[:n_texts], place)
        if text is None:
            return
        given = values[n_texts]
        labels = self._book.rows(given, place)
        if not labels and not options.unlabelled:
            nothing = not labels_of(given, options.separator)
            self._tally.reject(NO_LABELS if nothing else NONE_LEFT, place, "" if nothing else show(given))
            return
        name = None if options.id is None else self._id(values[n_texts + 1], place)
        if options.id is not None and name is None:
            return
        row = self._first.setdefault(text, len(self))
        if row == len(self):
            self._append(text, name, place)
        elif options.duplicates == "merge":
            self._tally.merge("same text as before", place, f"as on line {self._lines[row]}: {show(text)}")
        else:
            self._tally.note("same text as before: kept", f"{place.path.name}:{place.line}: {show(text)}")
            row = len(self)
            self._append(text, name, place)
        self._rows.extend([row] * len(labels))
        self._labels.extend(labels)

    def _append(self, text: str, name: str | None, place: Place) -> None:
        self.texts.append(text)
        if name is not None:
            self.ids.append(name)
        if not self._files or self._files[-1] != place.path:
            self._files.append(place.path)
        self._file.append(len(self._files) - 1)
        self._lines.append(place.line or 0)

    def _text(self, values: Sequence[Any], place: Place) -> str | None:
        """The text of a row; None after telling why there is none."""
        parts = []
        for value in values:
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                self._tally.reject("text is no string", place, show(value))
                return None
            parts.append(clean(str(value), self._tally, place, repair=self._options.repair))
        text = " ".join(part for part in parts if part)
        if not text:
            self._tally.reject("empty text", place)
            return None
        return text

    def _id(self, value: Any, place: Place) -> str | None:
        name = clean(label_name(value) or "", self._tally, place, repair=self._options.repair)
        if not name:
            self._tally.reject("row without id", place, show(value))
            return None
        return name
