"""Which labels a row has: names in a cell or list, looked up in the label file or collected as they come."""

from __future__ import annotations

from typing import Any

from eclare_py.data.importing.clean import clean
from eclare_py.data.importing.columns import nearest
from eclare_py.data.importing.label_cells import LabelCells
from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.values import WHAT_A_LABEL_IS, WHOLE, label_name
from eclare_py.data.importing.vocabulary import Vocabulary
from eclare_py.data.problems import Place, show


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
        self._cells = LabelCells(options, tally)

    def rows(self, given: Any, place: Place) -> list[int]:
        """Places of the labels of one row, distinct, in their order."""
        found: dict[int, None] = {}
        for value in self._cells.values(given):
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
        self._cells.finish()
        if not self._from_file:
            self._mend_floats()
            self._tell_variants()

    def _row(self, value: Any, place: Place) -> int | None:
        name = label_name(value)
        if name is None:
            self._tally.drop_label("label is no text", place, f"{show(value)}: {WHAT_A_LABEL_IS}")
            return None
        row = self._rows.get(name)
        if row is not None:
            return row
        name = clean(name, self._tally, place, repair=self._options.repair)
        row = self._rows.get(name)
        if row is None and self._from_file:
            row = self._other_name(name)
        if row is None and name and self._grows:
            row = self._rows[name] = len(self.vocabulary.ids)
            self.vocabulary.ids.append(name)
            self.vocabulary.texts.append(name)
            if self._from_file:
                self._tally.note("label added to those of the label file", show(name))
        elif row is None and name:
            self._tell_unknown(name, place)
        return row

    def _other_name(self, name: str) -> int | None:
        """A label of the label file by its text, or by its number where a table has that as 3.0."""
        row = self.vocabulary.other_names.get(name)
        if row is None and WHOLE.fullmatch(name):
            row = self._rows.get(name.removesuffix(".0"))
        self._by_text += row is not None
        return row

    def _tell_unknown(self, name: str, place: Place) -> None:
        reason = "unknown label"
        guess = nearest(name, self.vocabulary.ids) if self._tally.wants_example("labels", reason) else ""
        self._tally.drop_label(reason, place, f"{show(name)} is not in the label file{guess}")

    def _mend_floats(self) -> None:
        """Names of labels that all are numbers such as "3.0" become "3": what pandas makes of a column with a gap."""
        names = self.vocabulary.ids
        if self._cells.lists or not names or not all(WHOLE.fullmatch(name) for name in names):
            return
        mended = [name.removesuffix(".0") for name in names]
        example = f"{show(names[0])} is {show(mended[0])}"
        if self._options.repair:
            self.vocabulary.ids, self.vocabulary.texts = mended, list(mended)
            self._tally.tell("repaired", "whole numbers with a decimal point", example, len(names))
        else:
            self._tally.note("whole numbers with a decimal point", f"probably {example}", len(names))

    def _tell_variants(self) -> None:
        for name in self.vocabulary.ids:
            if WHOLE.fullmatch(name) and (whole := name.removesuffix(".0")) in self._rows:
                self._tally.note("labels that are the same number", f"{show(whole)} and {show(name)}")
        folded: dict[str, str] = {}
        for name in self.vocabulary.ids:
            if (first := folded.setdefault(name.casefold(), name)) != name:
                self._tally.note("labels that differ in upper and lower case only", f"{show(first)} and {show(name)}")
