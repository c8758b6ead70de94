"""Your own tables (JSONL, CSV, parquet) -> a checked data folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eclare_py.data.lf_writer import LfWriter, Split
from eclare_py.data.problems import Place, Problem, Report, show
from eclare_py.data.rows import checked_text
from eclare_py.data.tables import is_json, read_records
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, UsageError

DEFAULT_TEST_FRACTION = 0.2


@dataclass(frozen=True)
class Columns:
    """Names of the columns (keys) of a table.

    Attributes:
        text: The document's text.
        labels: Its label names: a list, or in CSV and TSV one cell.
        separator: What stands between the names in one cell.
        label: In the labels file: the name; its text is in the column "text".
    """

    text: str = "text"
    labels: str = "labels"
    separator: str = ";"
    label: str = "label"


@dataclass(frozen=True)
class ImportSummary:
    """What `import_files` wrote, and the warnings of its final validation."""

    folder: Path
    train: int
    test: int
    labels: int
    warnings: list[Problem] = field(default_factory=list)


def import_files(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    labels_file: str | Path | None = None,
    test_files: Sequence[str | Path] = (),
    test_fraction: float | None = None,
    columns: Columns | None = None,
    name: str | None = None,
) -> ImportSummary:
    """Turn tables into a data folder, as a stream and all or nothing.

    Args:
        files: Tables with a text and its label names: `.jsonl`, `.csv`, `.tsv` (all maybe `.gz`), `.parquet`.
        out: The data folder.
        labels_file: A table with columns label and text: all labels, in their order. Without it the labels are those
            met, in order of appearance, each with its name as text.
        test_files: Tables for the test split.
        test_fraction: Share of `files` that becomes the test split, where no `test_files` are given; default 0.2, 0 for
            none. A document's side depends on its text only: the same text is never in both.
        columns: Other names for the columns.
        name: Name of the data set, for its card.

    Raises:
        DataError: The first problem, with file and line.
        UsageError: Unknown format, bad fraction, `out` holds other files.
    """
    columns = columns or Columns()
    fraction = _fraction(test_fraction, bool(test_files))
    if not files:
        raise UsageError("no files to import: name at least one .jsonl, .csv, .tsv or .parquet file")
    if not columns.separator.strip():
        raise UsageError(f"separator is {columns.separator!r}: choose a visible character, e.g. ';'")
    with LfWriter(out) as writer:
        labels = _Labels(writer, labels_file)
        for path in map(Path, files):
            for text, names, place in _documents(path, columns):
                split: Split = "test" if _bucket(text) < fraction else "train"
                writer.document(split, text, labels.rows(names, place))
        for path in map(Path, test_files):
            for text, names, place in _documents(path, columns):
                writer.document("test", text, labels.rows(names, place))
        if name is not None:
            writer.card({"name": name})
        counts = writer.counts
        if not counts["train"]:
            raise DataError("no train document found: add rows, or lower the test fraction", path=files[0])
    problems = validate_folder(out)
    return ImportSummary(Path(out), counts["train"], counts["test"], counts["labels"], problems)


class _Labels:
    """Label names -> rows; without a labels file a new name becomes a new label."""

    def __init__(self, writer: LfWriter, path: str | Path | None) -> None:
        self._writer = writer
        self._rows: dict[str, int] = {}
        self._file = None if path is None else Path(path)
        if self._file is not None:
            for place, (name, text) in read_records(self._file, ("label", "text"), Report()):
                name = _name(name, place)
                if name in self._rows:
                    place.fault(f"label {show(name)} stands twice: keep it once (duplicate label)")
                if not isinstance(text, str):
                    place.fault(f"text of label {show(name)} is {show(text)}: it must be a string")
                self._rows[name] = writer.label(checked_text(text, place, escaped=True, kind="label"), uid=name)

    def rows(self, names: list[str], place: Place) -> list[int]:
        if self._file is None:
            for name in names:
                if name not in self._rows:
                    self._rows[name] = self._writer.label(name, uid=name)
        unknown = [name for name in names if name not in self._rows]
        if unknown:
            place.fault(f"label {show(unknown[0])} is not in {self._file}: add it there with its text")
        return [self._rows[name] for name in names]


def _documents(path: Path, columns: Columns) -> Iterator[tuple[str, list[str], Place]]:
    for place, (text, given) in read_records(path, (columns.text, columns.labels), Report()):
        if not isinstance(text, str):
            place.fault(f"{columns.text} is {show(text)}: it must be a string")
        text = checked_text(text, place, escaped=True, kind="document")
        if isinstance(given, str) and not is_json(path):
            given = given.split(columns.separator) if given.strip() else []
        if not isinstance(given, list):
            place.fault(f'{columns.labels} is {show(given)}: it must be a list of names, e.g. ["a", "b"]')
        names = [_name(name, place) for name in given]
        if len(set(names)) < len(names):
            place.fault(f"{columns.labels} {show(names)} name a label twice: keep it once (duplicate label)")
        yield text, names, place


def _name(name: Any, place: Place) -> str:
    if not isinstance(name, str) or not name.strip():
        place.fault(f"label name is {show(name)}: it must be a string with at least one character")
    return checked_text(str(name).strip(), place, escaped=True, kind="label")


def _fraction(test_fraction: float | None, has_test_files: bool) -> float:
    if has_test_files:
        if test_fraction:
            raise UsageError("give test files or a test fraction, not both")
        return 0.0
    fraction = DEFAULT_TEST_FRACTION if test_fraction is None else test_fraction
    if not 0 <= fraction < 1:
        raise UsageError(f"test fraction is {fraction}: it must be at least 0 and below 1")
    return fraction


def _bucket(text: str) -> float:
    """A number in [0, 1) that depends on the text only."""
    return int(hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()[:8], 16) / 2**32
