"""The data set: texts, a label matrix, label texts and filter pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.data.given_labels import check_label_lists, check_one_column, column_names, label_matrix
from eclare_py.data.label_edges import check_edges, no_edges, sorted_edges
from eclare_py.data.lines import lone_surrogate
from eclare_py.data.problems import Report, show
from eclare_py.data.rows import compact_csr
from eclare_py.errors import DataError, UsageError
from eclare_py.storage.texts import collect_texts, join_texts, pick_texts
from eclare_py.types import Csr, IntArray, as_csr, check_csr

DEFAULT_PROPENSITY_A = 0.55
DEFAULT_PROPENSITY_B = 1.5


def no_pairs() -> IntArray:
    """(0, 2) filter pairs."""
    return np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Documents and their relevant labels.

    Attributes:
        texts: N document texts; read inside of `storage.spool.spooled`, they and the ids lie on disk.
        labels: (N, L) CSR float32, sorted unique indices; an entry is the relevance, 1 unless the data say otherwise.
        label_texts: L label texts.
        ids: N document ids, where the data have them.
        label_ids: L label ids, where the data have them.
        filter_pairs: (F, 2) int64, sorted unique rows (document, label) to ignore in training and evaluation.
        label_edges: (E, 3) int64, sorted unique rows (label, label, relation), see `label_edges`; relations between
            labels that are known beforehand, e.g. from a thesaurus.

    Raises:
        ValueError: The parts do not fit each other.
    """

    texts: Sequence[str]
    labels: Csr
    label_texts: list[str]
    ids: Sequence[str] | None = None
    label_ids: list[str] | None = None
    filter_pairs: IntArray = field(default_factory=no_pairs)
    label_edges: IntArray = field(default_factory=no_edges)

    def __post_init__(self) -> None:
        shape = (len(self.texts), len(self.label_texts))
        check_csr(self.labels, name="labels", shape=shape)
        for name, ids, expected in (("ids", self.ids, shape[0]), ("label_ids", self.label_ids, shape[1])):
            if ids is not None and len(ids) != expected:
                raise ValueError(f"{name} has {len(ids)} entries, expected {expected}")
        pairs = self.filter_pairs
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype != np.int64:
            raise ValueError(f"filter_pairs must be (F, 2) int64, got {pairs.shape} {pairs.dtype}")
        if len(pairs) and (pairs.min() < 0 or bool(np.any(pairs.max(axis=0) >= shape))):
            raise ValueError(
                f"filter_pairs reach {pairs.max(axis=0).tolist()}, outside a {shape[0]} x {shape[1]} matrix"
            )
        steps = np.diff(pairs, axis=0)
        if np.any((steps[:, 0] < 0) | ((steps[:, 0] == 0) & (steps[:, 1] <= 0))):
            raise ValueError("filter_pairs must be sorted and unique")
        check_edges(self.label_edges, shape[1])

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def n_documents(self) -> int:
        """N."""
        return len(self.texts)

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.label_texts)

    @cached_property
    def label_frequencies(self) -> IntArray:
        """(L,) int64, documents of each label."""
        return np.bincount(self.labels.indices, minlength=self.n_labels).astype(np.int64)

    def subset(self, rows: npt.ArrayLike) -> Dataset:
        """The documents `rows` (row numbers, any order, or a mask of N booleans), with all labels kept."""
        picked = np.asarray(rows)
        picked = np.flatnonzero(picked) if picked.dtype == np.bool_ else picked.astype(np.int64)
        if len(picked) and (picked.min() < 0 or picked.max() >= len(self)):
            raise UsageError(f"row {int(picked.max())} is outside the {len(self)} documents")
        return replace(
            self,
            texts=pick_texts(self.texts, picked),
            labels=as_csr(self.labels[picked]),
            ids=None if self.ids is None else pick_texts(self.ids, picked),
            filter_pairs=_pick_pairs(self.filter_pairs, picked, (len(self), self.n_labels)),
        )

    def with_ids(self, kind: str) -> Dataset:
        """The data set with ids: by their line in the file, "KIND 1", where documents have none."""
        if self.ids is not None:
            return self
        return replace(self, ids=collect_texts(f"{kind} {row + 1}" for row in range(self.n_documents)))

    def followed_by(self, other: Dataset) -> Dataset:
        """These documents, then those of another set over the same labels; ids stay where both sets have them.

        Raises:
            UsageError: The other set has another number of labels.
        """
        if other.n_labels != self.n_labels:
            raise UsageError(f"{other.n_labels} labels cannot follow {self.n_labels}: bring both to the same labels")
        return Dataset(
            join_texts(self.texts, other.texts),
            as_csr(sp.vstack([self.labels, other.labels])),
            self.label_texts,
            ids=None if self.ids is None or other.ids is None else join_texts(self.ids, other.ids),
            label_ids=self.label_ids,
            filter_pairs=np.concatenate([self.filter_pairs, other.filter_pairs + [self.n_documents, 0]]),
            label_edges=sorted_edges(np.concatenate([self.label_edges, other.label_edges])),
        )

    def split(self, validation: int | float, *, seed: int) -> tuple[Dataset, Dataset]:
        """Set a random part aside; both parts keep all labels and the order of the documents.

        Args:
            validation: Documents wanted (int), or their share (float between 0 and 1).
            seed: The same seed gives the same parts.

        Returns:
            The remaining train part and the validation part.

        Raises:
            UsageError: One of the two parts would be empty.
        """
        total = len(self)
        wanted = validation if isinstance(validation, int) else round(validation * total)
        if not 0 < wanted < total:
            raise UsageError(
                f"validation={validation!r} of {total} documents leaves one part empty: "
                "give a share between 0 and 1 or a number of documents below that"
            )
        chosen = np.zeros(total, dtype=bool)
        chosen[np.random.default_rng(seed).choice(total, size=wanted, replace=False)] = True
        return self.subset(~chosen), self.subset(chosen)

    @classmethod
    def from_texts(
        cls,
        texts: Sequence[str],
        label_lists: Sequence[Sequence[str] | Sequence[int]],
        label_texts: Sequence[str] | Mapping[str, str] | None = None,
    ) -> Dataset:
        """Build from plain lists.

        Args:
            texts: N texts: a list, an array, a column of a table.
            label_lists: N lists (or tuples, sets, arrays) of label names, or of row numbers of `label_texts`.
            label_texts: L texts in label order, or a mapping name -> text. Without it the labels are the sorted
                distinct names, each its own text.

        Raises:
            DataError: An empty text, an unknown or repeated label; the message names the document, from 0.
            UsageError: A table as texts, labels of a document that are no list, lists of unequal length, or row numbers
                without `label_texts`.
        """
        check_one_column(texts)
        check_label_lists(label_lists)
        if len(texts) != len(label_lists):
            raise UsageError(f"{len(texts)} texts but {len(label_lists)} label lists: give one list for each text")
        if isinstance(label_texts, str):
            raise UsageError(f"label_texts is the string {show(label_texts)}: give a list of texts, or name -> text")
        named = any(isinstance(label, str) for row in label_lists for label in row)
        if label_texts is None and not named and any(len(row) for row in label_lists):
            first = next(label for row in label_lists for label in row)
            raise UsageError(f"label {show(first)} is no name: give names, or row numbers and label_texts beside them")
        names, contents = _label_space(label_lists, label_texts)
        _check_texts(texts, "document")
        _check_texts(contents, "label")
        columns = {name: column for column, name in enumerate(names if names is not None else contents)}
        indices: list[int] = []
        indptr = [0]
        for row, labels in enumerate(label_lists):
            indices.extend(_columns(row, labels, columns, len(contents), named))
            indptr.append(len(indices))
        values = np.ones(len(indices), dtype=np.float32)
        flat, pointers = np.array(indices, dtype=np.int64), np.array(indptr, dtype=np.int64)
        return cls(collect_texts(texts), compact_csr(values, flat, pointers, len(contents)), contents, label_ids=names)

    @classmethod
    def from_matrix(
        cls, texts: Sequence[str], labels: Any, label_texts: Sequence[str] | Mapping[str, str] | None = None
    ) -> Dataset:
        """Build from an indicator matrix, as scikit-learn's `MultiLabelBinarizer` gives it.

        Args:
            texts: N texts.
            labels: (N, L), dense or sparse; not zero where a label is relevant. The columns of a DataFrame name the
                labels where they are called by texts.
            label_texts: L texts in column order (`binarizer.classes_`), or a mapping name -> text in that order (for
                the named columns of a DataFrame in any). Without it labels of columns that have no names are called by
                their numbers, which says nothing of them.

        Raises:
            DataError: An empty text, or a number that is negative or not finite.
            UsageError: A table as texts, a matrix of no numbers, shapes that disagree, or columns whose names cannot be
                those of labels.
        """
        check_one_column(texts)
        matrix = label_matrix(labels)
        if matrix.shape[0] != len(texts):
            raise UsageError(f"{len(texts)} texts but {matrix.shape[0]} rows of labels: give one row for each text")
        bad = ~(matrix.data >= 0) | ~np.isfinite(matrix.data)
        if bad.any():
            raise DataError(f"the label matrix holds {matrix.data[bad][0]}: use 1 where a label is relevant, else 0")
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        total = matrix.shape[1]
        ids, contents = _label_space([], column_names(labels, label_texts))
        if len(contents) != total:
            raise UsageError(f"{len(contents)} label texts for {total} columns of labels: give one for each")
        _check_texts(texts, "document")
        _check_texts(contents, "label")
        ones = np.ones(matrix.nnz, dtype=np.float32)
        pointers = matrix.indptr.astype(np.int64)
        entries = compact_csr(ones, matrix.indices.astype(np.int64), pointers, total)
        return cls(collect_texts(texts), entries, contents, label_ids=ids)


@dataclass(frozen=True, eq=False)
class DataFolder:
    """A data folder in memory.

    Attributes:
        train: The train split.
        test: The test split, over the same labels; None where the folder has none.
        name: What the card calls it, else the folder's name.
        path: The folder.
        propensity_a: A of the propensity model of Jain et al. (KDD 2016), from the card.
        propensity_b: B of it.
    """

    train: Dataset
    test: Dataset | None
    name: str
    path: Path
    propensity_a: float = DEFAULT_PROPENSITY_A
    propensity_b: float = DEFAULT_PROPENSITY_B


def load_dataset(path: str | Path) -> DataFolder:
    """Load a data folder (LF raw format, or XC sparse labels with raw texts), strictly.

    Raises:
        DataError: The first problem, with file, line, the bad value and the mend. `validate_folder` lists all.
    """
    from eclare_py.data.folder import read_folder, to_data_folder  # the readers build on Dataset

    return to_data_folder(read_folder(Path(path), Report()))


def _pick_pairs(pairs: IntArray, rows: IntArray, shape: tuple[int, int]) -> IntArray:
    """Filter pairs of the documents `rows`, renumbered; a row picked twice keeps its pairs twice."""
    if not len(pairs):
        return no_pairs()
    marks = sp.csr_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=shape)[rows].tocoo()
    picked = np.stack([marks.row, marks.col], axis=1).astype(np.int64)
    return picked[np.lexsort((picked[:, 1], picked[:, 0]))]


def _label_space(
    label_lists: Sequence[Sequence[str] | Sequence[int]], label_texts: Sequence[str] | Mapping[str, str] | None
) -> tuple[list[str] | None, list[str]]:
    """Label ids (None where the labels have only texts) and label texts."""
    if label_texts is None:
        names = sorted({str(label) for row in label_lists for label in row})
        return names, list(names)
    if isinstance(label_texts, Mapping):
        return list(label_texts), list(label_texts.values())
    return None, list(label_texts)


def _check_texts(texts: Sequence[str], kind: str) -> None:
    for row, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{kind} {row} has the text {show(text)}: give it some text or leave it out")
        if not text.isascii() and (half := lone_surrogate(text)) is not None:
            raise DataError(f"{kind} {row} holds the lone surrogate {half}: decode the text again or remove it")


def _columns(row: int, labels: Sequence[object], columns: dict[str, int], total: int, named: bool) -> list[int]:
    found: list[int] = []
    for label in labels:
        if named:
            column = columns.get(label, -1) if isinstance(label, str) else -1
        else:
            integral = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
            column = int(label) if integral else -1  # type: ignore[call-overload]
        if not 0 <= column < total:
            kind = "known label name" if named else f"row number in 0..{total - 1}"
            raise DataError(f"document {row}: label {show(label)} is not a {kind}: correct it or add it to label_texts")
        found.append(column)
    if len(set(found)) < len(found):
        raise DataError(f"document {row} lists a label twice in {show(list(labels))}: keep it once")
    return found
