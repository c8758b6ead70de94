"""The XC sparse text formats of the Extreme Classification Repository.

Split files (`trn_X_Y.txt`, `trn_X_Xf.txt`, `lbl_X_Xf.txt`, ...): a header "rows columns", then a row a line of
"index:value" words, indices from 0. Old all-in-one files: a header "N D L", then "l1,l2 f:v f:v" a line; a line that
starts with a space has no labels. A data folder in this format holds `trn_X_Y.txt` (and `tst_X_Y.txt`) with one text a
line in `raw/trn_X.txt`, `raw/tst_X.txt` and `raw/Y.txt`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from eclare_py.data.lines import LineReader
from eclare_py.data.problems import Place, Report, show
from eclare_py.data.rows import DocumentRows, LabelRows, checked_text, compact_csr, is_relevance
from eclare_py.storage import atomic_file
from eclare_py.storage.texts import TextCollector
from eclare_py.types import Csr

LABEL_MATRICES: dict[Literal["train", "test"], str] = {"train": "trn_X_Y.txt", "test": "tst_X_Y.txt"}
TEXTS: dict[Literal["train", "test"], str] = {"train": "raw/trn_X.txt", "test": "raw/tst_X.txt"}
LABEL_TEXTS = "raw/Y.txt"

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_WORD = re.compile(rf"[0-9]{{1,18}}:{_NUMBER}")
_ROW = re.compile(rf"(?:[0-9]{{1,18}}:{_NUMBER}(?:[ \t]+|$))*")
# The largest float32 is written as 3.4028235e+38, which is a little above it and rounds back to it.
_MAX_FLOAT = float(np.finfo(np.float32).max) * (1 + 2**-26)


@dataclass(frozen=True, eq=False)
class SparseSplit:
    """An all-in-one file: `features` (N, V) and `labels` (N, L), both CSR float32."""

    features: Csr
    labels: Csr


class _Matrix:
    """Rows of a sparse matrix of known width, checked while they are added; `labels` wants relevances above 0."""

    def __init__(self, columns: int, place: Place, *, labels: bool) -> None:
        self.columns, self.place, self.labels = columns, place, labels
        self._indices, self._values, self._counts = array("q"), array("f"), array("q")

    def add_words(self, line: str) -> None:
        """Add a row of "index:value" words."""
        if _ROW.fullmatch(line):
            words = line.replace(":", " ").split()
        else:
            words = [part for word in line.split() if self._is_entry(word) for part in word.split(":")]
        self.add([int(word) for word in words[::2]], [float(word) for word in words[1::2]])

    def add(self, indices: list[int], values: list[float]) -> None:
        """Add a row; entries at fault are told and left out."""
        if indices and not self._holds(indices, values):
            indices, values = self._good(indices, values)
        self._indices.fromlist(indices)
        self._values.fromlist(values)
        self._counts.append(len(indices))

    def finish(self) -> Csr:
        """(rows added, columns) CSR float32, sorted."""
        indptr = np.concatenate([[0], np.cumsum(np.array(self._counts, dtype=np.int64), dtype=np.int64)])
        data, indices = np.array(self._values, dtype=np.float32), np.array(self._indices, dtype=np.int64)
        return compact_csr(data, indices, indptr, self.columns)

    def _holds(self, indices: list[int], values: list[float]) -> bool:
        lowest = min(values) > 0 if self.labels else min(values) >= -_MAX_FLOAT
        return (
            lowest and max(values) <= _MAX_FLOAT and max(indices) < self.columns and len(set(indices)) == len(indices)
        )

    def _good(self, indices: list[int], values: list[float]) -> tuple[list[int], list[float]]:
        kept: dict[int, float] = {}
        for index, value in zip(indices, values, strict=True):
            if index >= self.columns:
                end = self.columns - 1
                self.place.fault(f"index {index} is outside 0..{end}: correct it, or the columns in the header")
            elif index in kept:
                self.place.fault(f"index {index} stands twice: keep one (duplicate)")
            elif self.labels and not is_relevance(value):
                self.place.fault(f"relevance of label {index} is {value}: it must be a finite number above 0")
            elif not abs(value) <= _MAX_FLOAT:
                self.place.fault(f"value of index {index} is {value}: it must be a finite number")
            else:
                kept[index] = value
        return list(kept), list(kept.values())

    def _is_entry(self, word: str) -> bool:
        if _WORD.fullmatch(word):
            return True
        index, colon, value = word.partition(":")
        reason = "is not index:value"
        if colon and index.startswith("-"):
            reason = "has a negative index"
        elif colon and value.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            reason = "has a value that is no finite number (NaN or infinity)"
        elif colon and not index.isdigit():
            reason = "has an index that is no integer"
        self.place.fault(f"{show(word)} {reason}: write an index from 0, a colon and a finite number")
        return False


def read_sparse(path: str | Path, *, report: Report | None = None, labels: bool = False) -> Csr:
    """Read a split file.

    Args:
        path: The file; `.gz` is unpacked.
        report: Told every problem; the first one is raised where not given.
        labels: A label matrix, whose values must be above 0.

    Returns:
        (rows, columns) CSR float32.

    Raises:
        DataError: The header is wrong or disagrees with the rows, or a row is at fault; with its line.
    """
    return _read_sparse(Path(path), report or Report(), labels)[0]


def read_all_in_one(path: str | Path, *, report: Report | None = None) -> SparseSplit:
    """Read an old all-in-one file; arguments and errors as in `read_sparse`."""
    place = Place(Path(path), report or Report())
    lines = LineReader(place.path, place.report)
    rows = iter(lines)
    n_rows, n_features, n_labels = _header(rows, lines, place, "N D L", 3)
    features = _Matrix(n_features, place, labels=False)
    labels = _Matrix(n_labels, place, labels=True)
    for line in _body(rows, lines, place, n_rows):
        head, _, tail = line.partition(" ")
        if ":" in head:
            head, tail = "", line
        labels.add(*_label_list(head, place))
        features.add_words(tail.strip())
    return SparseSplit(features.finish(), labels.finish())


def write_sparse(path: str | Path, matrix: Csr) -> None:
    """Write a split file; values with the fewest digits that read back as the same float32."""
    with atomic_file(path) as stream:
        stream.write(f"{matrix.shape[0]} {matrix.shape[1]}\n")
        for _, words in _rows_of(matrix):
            stream.write(words + "\n")


def write_all_in_one(path: str | Path, split: SparseSplit) -> None:
    """Write an old all-in-one file; it holds no relevances, so labels must all be 1."""
    features, labels = split.features, split.labels
    if features.shape[0] != labels.shape[0]:
        raise ValueError(f"features have {features.shape[0]} rows, labels {labels.shape[0]}")
    if np.any(labels.data != 1):
        raise ValueError("an all-in-one file holds no relevances: labels must all be 1")
    with atomic_file(path) as stream:
        stream.write(f"{features.shape[0]} {features.shape[1]} {labels.shape[1]}\n")
        for (row, words), (_, _) in zip(_rows_of(features), _rows_of(labels), strict=True):
            ids = labels.indices[labels.indptr[row] : labels.indptr[row + 1]].tolist()
            stream.write(",".join(map(str, ids)) + " " + words + "\n")


def read_label_texts(path: Path, report: Report) -> LabelRows:
    """Read raw/Y.txt, a label text a line."""
    texts, complete = _texts(path, report, "label")
    if complete and not len(texts):
        report.error(path, None, "no labels in it: write one text a line")
    return LabelRows(list(texts), None, complete)


def read_documents(matrix_path: Path, text_path: Path, n_labels: int | None, report: Report) -> DocumentRows:
    """Read one split of a data folder in this format; the header must agree with the two text files."""
    texts, complete = _texts(text_path, report, "document")
    matrix, whole = _read_sparse(matrix_path, report, True)
    if whole and complete and matrix.shape[0] != len(texts):
        message = f"header says {matrix.shape[0]} rows, {text_path.name} has {len(texts)} lines: one text for each row"
        report.error(matrix_path, 1, message)
    if whole and n_labels is not None and matrix.shape[1] != n_labels:
        message = f"header says {matrix.shape[1]} columns, {LABEL_TEXTS} has {n_labels} lines: one text for each label"
        report.error(matrix_path, 1, message)
    return DocumentRows(texts, matrix, None, whole and complete)


def _read_sparse(path: Path, report: Report, labels: bool) -> tuple[Csr, bool]:
    place = Place(path, report)
    lines = LineReader(path, report)
    rows = iter(lines)
    n_rows, n_columns = _header(rows, lines, place, "rows columns", 2)
    matrix = _Matrix(n_columns, place, labels=labels)
    for line in _body(rows, lines, place, n_rows):
        matrix.add_words(line.strip())
    csr = matrix.finish()
    return csr, lines.complete and csr.shape[0] == n_rows


def _header(
    rows: Iterator[tuple[int, str | None]], lines: LineReader, place: Place, form: str, width: int
) -> list[int]:
    """The integers of line 1; after an error -1 for the rows (nothing is read) and 0 for the rest."""
    place.line, line = next(rows, (1, ""))
    words = (line or "").split()
    if len(words) == width and all(word.isascii() and word.isdigit() and len(word) < 16 for word in words):
        return [int(word) for word in words]
    if line is not None and (lines.count or lines.complete):
        place.fault(f'header is {show(line)}: it must be "{form}", {width} integers')
    return [-1] + [0] * (width - 1)


def _body(rows: Iterator[tuple[int, str | None]], lines: LineReader, place: Place, n_rows: int) -> Iterator[str]:
    """The lines below the header, as many as it says; tells where it disagrees."""
    if n_rows < 0:
        return
    for place.line, line in rows:
        if place.line > n_rows + 1:
            place.fault(f"header says {n_rows} rows, here is one more: correct the header or remove the line")
            return
        yield line or ""
    if lines.complete and lines.count < n_rows + 1:
        place.line = 1
        place.fault(f"header says {n_rows} rows, the file has {lines.count - 1}: correct the header or add the rows")


def _label_list(words: str, place: Place) -> tuple[list[int], list[float]]:
    found: list[int] = []
    for word in words.strip().split(",") if words.strip() else []:
        if word.isascii() and word.isdigit() and len(word) < 19:
            found.append(int(word))
        else:
            place.fault(f"label {show(word)} is no row number: write labels as integers from 0, split by commas")
    return found, [1.0] * len(found)


def _rows_of(matrix: Csr) -> Iterator[tuple[int, str]]:
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        pairs = zip(matrix.indices[part].tolist(), matrix.data[part], strict=True)
        yield row, " ".join(f"{index}:{np.format_float_positional(value, trim='0')}" for index, value in pairs)


def _texts(path: Path, report: Report, kind: str) -> tuple[Sequence[str], bool]:
    place, texts = Place(path, report), TextCollector()
    lines = LineReader(path, report)
    for place.line, line in lines:
        texts.add("" if line is None else checked_text(line, place, escaped=False, kind=kind))
    return texts.finish(), lines.complete
