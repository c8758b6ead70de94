"""Which labels a row has: names in a cell or list, looked up in the label file or collected as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from eclare_py.data.importing.clean import clean
from eclare_py.data.importing.columns import nearest
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.vocabulary import Vocabulary, label_name
from eclare_py.data.problems import Place, show

_USUAL = ("|", ";", ",", "\t")
_SUSPICIOUS = 0.3  # share of cells with another usual separator, and none with the given one, that is told


class LabelBook:
    """Label names -> places in the vocabulary, which grows where there is no label file or unknown labels are added.

    Args:
        vocabulary: The label file; None: there is none.
        options: Separator and what to do with unknown labels.
        tally: Told every label that is left out.
    """

    def __init__(self, vocabulary: Vocabulary | None, options: ImportOptions, tally: Tally) -> None:
        self.vocabulary = vocabulary or Vocabulary()
        self._grows = vocabulary is None or options.unknown_labels == "add"
        self._from_file = vocabulary is not None
        self._options = options
        self._tally = tally
        self._rows = {name: row for row, name in enumerate(self.vocabulary.ids)}
        self._by_text = 0
        self._cells: Counter[str] = Counter()

    def rows(self, given: Any, place: Place) -> list[int]:
        """Places of the labels of one row, distinct, in their order."""
        found: dict[int, None] = {}
        for value in self._values(given):
            row = self._row(value, place)
            if row is None:
                continue
            if row in found:
                self._tally.repair("label named twice in a row", place, show(value))
            found[row] = None
        return list(found)

    def finish(self) -> None:
        """Tell what only the whole shows: a separator that is none, names that differ in case only."""
        if self._by_text:
            self._tally.note("labels found by another name than their id", count=self._by_text)
        cells = self._cells["cells"]
        separator, count = max(((one, self._cells[one]) for one in _USUAL), key=lambda pair: pair[1])
        if cells and not self._cells["split"] and count > _SUSPICIOUS * cells:
            self._tally.note(
                "is the separator right?",
                f"no cell of {self._options.labels!r} holds {self._options.separator!r}, "
                f"but {count:,} of {cells:,} hold {separator!r}: --sep {separator!r}?",
            )
        if not self._from_file:
            self._tell_variants()

    def _values(self, given: Any) -> Sequence[Any]:
        if given is None:
            return ()
        if isinstance(given, str):
            parts = given.split(self._options.separator)
            self._count(given, len(parts) > 1)
            return [part for part in parts if part and not part.isspace()]
        return given if isinstance(given, (list, tuple)) else (given,)

    def _count(self, cell: str, split: bool) -> None:
        if cell and not cell.isspace():
            self._cells["cells"] += 1
            if split:
                self._cells["split"] += 1
            elif not self._cells["split"]:
                self._cells.update(one for one in _USUAL if one in cell)

    def _row(self, value: Any, place: Place) -> int | None:
        name = label_name(value)
        if name is None:
            self._tally.drop_label("label is no text", place, show(value))
            return None
        row = self._rows.get(name)
        if row is not None:
            return row
        name = clean(name, self._tally, place, repair=self._options.repair)
        row = self._rows.get(name)
        if row is None and name in self.vocabulary.other_names:
            row = self.vocabulary.other_names[name]
            self._by_text += 1
        if row is None and name and self._grows:
            row = self._rows[name] = len(self.vocabulary.ids)
            self.vocabulary.ids.append(name)
            self.vocabulary.texts.append(name)
            if self._from_file:
                self._tally.note("label added to those of the label file", show(name))
        elif row is None and name:
            self._tell_unknown(name, place)
        return row

    def _tell_unknown(self, name: str, place: Place) -> None:
        reason = "unknown label"
        guess = nearest(name, self.vocabulary.ids) if self._tally.wants_example("labels", reason) else ""
        self._tally.drop_label(reason, place, f"{show(name)} is not in the label file{guess}")

    def _tell_variants(self) -> None:
        folded: dict[str, str] = {}
        for name in self.vocabulary.ids:
            if (first := folded.setdefault(name.casefold(), name)) != name:
                self._tally.note("labels that differ in upper and lower case only", f"{show(first)} and {show(name)}")
