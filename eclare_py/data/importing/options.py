"""ImportOptions: how a table becomes a data folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from eclare_py.data.importing.columns import nearest
from eclare_py.errors import UsageError


@dataclass(frozen=True)
class ImportOptions:
    """How a table becomes a data folder.

    Attributes:
        text: Column of the text; of several, what they hold is joined by a space.
        labels: Column of the labels: a list, tuple or set, also a printed one, or one cell in which they stand between
            separators. Texts and whole numbers are labels.
        separator: What stands between the labels of one cell.
        id: Column of document ids; None: documents have none.
        label_file: All labels: a table, or a SKOS vocabulary (.ttl, .nt, .rdf, .xml, maybe .gz). None: the labels are
            those that the rows have, each its own text.
        label_id: Column of the label file with the name that the rows use.
        label_text: Column of the label file with the label's text; several are joined as those of `text`.
        language: Of the texts of a SKOS vocabulary, e.g. "en"; needed where it has several.
        alt_labels: A SKOS concept's alternative labels are part of its text: "cats: felis catus; house cats".
        unknown_labels: What to do with a label that is not in the label file: "drop" or "add" it.
        min_count: Labels with fewer documents are left out. 0 keeps those of the label file that have none.
        unlabelled: Keep rows without labels.
        duplicates: Rows with the same text: "merge" their labels into the first, or "keep" them all, on one side.
        test_share: Share of the documents for the test split; 0: none.
        keep: Documents of each label (all, where it has fewer) that stay in train whatever the share.
        seed: Another seed chooses other test documents.
        repair: Mend white space and encodings.
        encoding: Of text files, e.g. "cp1252"; None finds out.
        strict: The first row or label that would be left out is an error.
        max_rejected: Share of rows left out above which the call is taken for wrong.

    Raises:
        UsageError: An option is out of range.
    """

    text: str | Sequence[str] = "text"
    labels: str = "labels"
    separator: str = ";"
    id: str | None = None
    label_file: str | Path | None = None
    label_id: str = "label"
    label_text: str | Sequence[str] = "text"
    language: str | None = None
    alt_labels: bool = True
    unknown_labels: Literal["drop", "add"] = "drop"
    min_count: int = 0
    unlabelled: bool = False
    duplicates: Literal["merge", "keep"] = "merge"
    test_share: float = 0.2
    keep: int = 1
    seed: int = 0
    repair: bool = True
    encoding: str | None = None
    strict: bool = False
    max_rejected: float = 0.5

    def __post_init__(self) -> None:
        if not self.separator:
            raise UsageError("the separator is empty: name what stands between two labels, e.g. ';' or '|'")
        if not 0 <= self.test_share < 1:
            raise UsageError(f"test share is {self.test_share}: it must be at least 0 and below 1")
        if not 0 <= self.max_rejected <= 1:
            raise UsageError(f"max_rejected is {self.max_rejected}: it must be a share between 0 and 1")
        for name, low in (("min_count", 0), ("keep", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise UsageError(f"{name} is {getattr(self, name)}: it must be at least {low}")
        for name, choices in (("unknown_labels", ("drop", "add")), ("duplicates", ("merge", "keep"))):
            if getattr(self, name) not in choices:
                raise UsageError(f"{name} is {getattr(self, name)!r}: choose {' or '.join(choices)}")
        if len(set(self.columns)) < len(self.columns):
            raise UsageError(f"a column is named twice in {', '.join(self.columns)}")
        if not self.texts:
            raise UsageError("name at least one text column")

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns."""
        return _names(self.text)

    @property
    def label_texts(self) -> tuple[str, ...]:
        """The text columns of the label file."""
        return _names(self.label_text)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns to read: texts, labels, and the id where there is one."""
        return (*self.texts, self.labels, *(() if self.id is None else (self.id,)))

    def to_json(self) -> dict[str, Any]:
        """The options as plain data."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        label_file = None if self.label_file is None else Path(self.label_file).name
        return found | {"text": list(self.texts), "label_text": list(self.label_texts), "label_file": label_file}


def make_options(given: Mapping[str, Any]) -> ImportOptions:
    """Build the options from names and values.

    Raises:
        UsageError: There is no such option (with the near name), or a value is out of range.
    """
    known = [one.name for one in fields(ImportOptions)]
    for name in given:
        if name not in known:
            raise UsageError(f"there is no option {name!r}{nearest(name, known)}; there are {', '.join(known)}")
    return ImportOptions(**given)


def _names(columns: str | Sequence[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)
