"""Cells of the label column taken apart, and what all together show: printed lists, a separator that is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.values import items_of, printed_list
from eclare_py.data.problems import show

_CERTAIN = ("|", ";", "\t", "\n")  # hardly ever within a label
_PERHAPS = (",", "/", " ")  # often within one: "Arts, Crafts & Sewing", "machine learning"
_SUSPICIOUS = 0.3  # share of cells with another usual separator, and none with the given one, that is told
_KEPT = 10_000  # distinct cells that are looked at
_LEAST, _FEWER, _FREE, _SHARED = 8, 1.5, 0.5, 0.5  # see `_of_words` and `_of_parts`


def labels_of(given: Any, separator: str) -> Sequence[Any]:
    """The labels of one cell: of a text those between separators or of a printed list, else as `items_of`."""
    if not isinstance(given, str):
        return items_of(given)
    items = printed_list(given)
    return _between(given, separator) if items is None else items


class LabelCells:
    """Takes cells apart and keeps count.

    Args:
        options: Name of the column, separator.
        tally: Told by `finish` what is to be looked at.

    Attributes:
        lists: Cells that were lists, in memory or printed; their items are what they were meant to be.
    """

    def __init__(self, options: ImportOptions, tally: Tally) -> None:
        self._options, self._tally = options, tally
        self.lists = 0
        self._counts: Counter[str] = Counter()  # of cells by what they are, and by what stands in them
        self._distinct: dict[str, None] = {}
        self._examples: dict[str, str] = {}

    def values(self, given: Any) -> Sequence[Any]:
        """The labels of one cell, see `labels_of`."""
        if not isinstance(given, str):
            self.lists += isinstance(given, (list, tuple, set, frozenset))
            return items_of(given)
        items = printed_list(given)
        if items is not None:
            self.lists += 1
            self._count("printed", given)
            return items
        parts = _between(given, self._options.separator)
        if parts:
            self._look(given.strip(), parts)
        return parts

    def finish(self) -> None:
        """Tell what only the whole shows."""
        printed, texts, odd = (self._counts[kind] for kind in ("printed", "text", "bracketed"))
        column = repr(self._options.labels)
        if printed:
            said = f"{printed:,} of {printed + texts:,} cells of {column}, e.g. {self._examples['printed']}"
            if texts:
                said += f"; the others were split at {self._options.separator!r}, e.g. {self._examples['text']}"
            reason = "some cells are printed lists, others are not" if texts else "printed lists: their items are taken"
            self._tally.note(reason, said, printed)
        if odd > _SUSPICIOUS * texts:
            self._tally.note(
                "brackets around labels",
                f"{odd:,} of {texts:,} cells of {column} cannot be read as lists, e.g. {self._examples['bracketed']}: "
                "write JSON arrays, or names between separators without brackets",
                odd,
            )
        elif texts and not self._counts["split"] and (found := self._suggestion()) is not None:
            self._tally.note(
                "is the separator right?",
                f"no cell of {column} holds {self._options.separator!r}, "
                f"but {self._counts[found]:,} of {texts:,} hold {found!r}: --sep {found!r}?",
            )

    def _count(self, kind: str, cell: str) -> None:
        self._counts[kind] += 1
        self._examples.setdefault(kind, show(cell))

    def _look(self, cell: str, parts: Sequence[str]) -> None:
        self._count("text", cell)
        if cell[0] == "[" and cell[-1] == "]":
            self._count("bracketed", cell)
        if self._options.separator in cell:
            self._counts["split"] += 1
            self._distinct.clear()
        elif not self._counts["split"]:
            self._counts.update(one for one in (*_CERTAIN, *_PERHAPS) if one in cell)
            if len(self._distinct) < _KEPT:
                self._distinct[cell] = None

    def _suggestion(self) -> str | None:
        """The separator that was probably meant."""
        often = [one for one in (*_CERTAIN, *_PERHAPS) if self._counts[one] > _SUSPICIOUS * self._counts["text"]]
        certain = [one for one in often if one in _CERTAIN]
        if certain:
            return max(certain, key=lambda one: self._counts[one])
        for one in often:
            cells = [_between(cell, one) for cell in self._distinct]
            if _of_parts(cells) if one == "," else _of_words(cells):
                return one
        return None


def _between(cell: str, separator: str) -> list[str]:
    return [part for part in cell.split(separator) if part and not part.isspace()]


def _of_parts(cells: Sequence[Sequence[str]]) -> bool:
    """Whether half of the cells with several parts share one with another cell.

    "Arts, Crafts & Sewing" and "Clothing, Shoes & Jewelry" share nothing.
    """
    times = Counter(part.strip() for cell in cells for part in cell)
    several = [cell for cell in cells if len(cell) > 1]
    return sum(any(times[part.strip()] > 1 for part in cell) for cell in several) >= _SHARED * len(several)


def _of_words(cells: Sequence[Sequence[str]]) -> bool:
    """Whether distinct cells are sets of a few labels rather than names of several words.

    Sets of labels are more than there are labels, and most labels stand first in one set and last in another (or
    alone). Names have nearly as many words as there are names ("machine learning", "office supplies"), or words that
    keep to their place ("red shirt", "blue shirt", "red hat").
    """
    words = Counter(word for cell in cells for word in cell)
    if len(cells) < _LEAST or len(cells) < _FEWER * len(words):
        return False
    both = {cell[0] for cell in cells} & {cell[-1] for cell in cells}
    return sum(words[word] for word in both) >= _FREE * words.total()
