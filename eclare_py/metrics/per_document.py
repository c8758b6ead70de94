"""What each test document adds to each figure: the form in which runs are sliced, resampled and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eclare_py.errors import DataError
from eclare_py.metrics.ranking import DoubleArray
from eclare_py.storage import atomic_file
from eclare_py.storage.archive import read_archive

ALL = "all"  # the bin of all labels

Cell: TypeAlias = tuple[str, str]  # metric and bin of labels, e.g. ("R@10", "3-5")


@dataclass(frozen=True)
class DocumentScores:
    """Figures as ratios of sums over documents: figure = 100 * sum_i gained[i] / sum_i possible[i].

    A mean over documents (P, nDCG, R, MRR) is one with possible = 1, a ratio over the whole set (PSP, everything by
    frequency bin) one whose documents weigh differently. Figures that count distinct labels (coverage, macro F1) are no
    such ratios and are not here.

    Attributes:
        cells: M pairs of metric and frequency bin (`ALL` for all labels).
        gained: (M, N) float64.
        possible: (M, N) float64, none negative.
        test_set: Fingerprint of the test documents' labels and filter pairs: runs can be paired where it is the same.
        basis: Fingerprint of train frequencies and propensities: cells that `by_frequency` can be compared where it is
            the same. Empty in files of earlier versions, whose `test_set` depends on rows of labels.
    """

    cells: tuple[Cell, ...]
    gained: DoubleArray
    possible: DoubleArray
    test_set: str
    basis: str = ""

    def __post_init__(self) -> None:
        if self.gained.shape != self.possible.shape or self.gained.ndim != 2 or len(self.gained) != len(self.cells):
            raise ValueError(f"{len(self.cells)} cells, gained {self.gained.shape}, possible {self.possible.shape}")

    @property
    def n_documents(self) -> int:
        """N."""
        return self.gained.shape[1]

    def figures(self) -> DoubleArray:
        """(M,) in percent; NaN where nothing was possible."""
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: DoubleArray = 100.0 * self.gained.sum(axis=1) / self.possible.sum(axis=1)
        return shares

    def take(self, cells: Sequence[Cell]) -> DocumentScores:
        """These cells alone, in this order."""
        rows = [self.cells.index(cell) for cell in cells]
        return replace(self, cells=tuple(cells), gained=self.gained[rows], possible=self.possible[rows])

    def joined(self, other: DocumentScores) -> DocumentScores:
        """The cells of both, of the same documents."""
        gained, possible = (
            np.concatenate(pair) for pair in ((self.gained, other.gained), (self.possible, other.possible))
        )
        return replace(self, cells=self.cells + other.cells, gained=gained, possible=possible)

    def save(self, path: str | Path) -> None:
        """Write as a compressed npz, atomically; read back by `read_document_scores`."""
        names = np.asarray(self.cells, dtype=np.str_).reshape(-1, 2)
        with atomic_file(path, "wb") as handle:
            np.savez_compressed(
                handle, cells=names, gained=self.gained, possible=self.possible,
                test_set=np.asarray([self.test_set, self.basis]),
            )  # fmt: skip


def by_frequency(cell: Cell) -> bool:
    """Whether a figure depends on train frequencies: one of a bin, of rare labels, or propensity-scored."""
    metric, where = cell
    return where != ALL or metric.startswith("tail_") or "PS" in metric


def counts_labels(cell: Cell) -> bool:
    """Whether a figure counts labels, so that what a document stands for is its influence on the whole."""
    return cell[0].startswith(("coverage@", "macro_F1@"))


def unpaired(one: DocumentScores, other: DocumentScores) -> str:
    """Why two runs cannot be compared document by document, and what to do; empty where they can be."""
    if one.n_documents != other.n_documents:
        sizes = f"{one.n_documents:,} and {other.n_documents:,} documents"
        return f"they are of other test sets ({sizes}): evaluate both on the same data"
    if one.test_set == other.test_set:
        return ""
    old = [not run.basis for run in (one, other)]
    if any(old) and not all(old):
        return "one is of an earlier version, which told test sets apart by the order of labels: evaluate both again"
    if all(old):
        return "they are of other test sets, or of models whose labels are in another order: evaluate both again"
    return (
        "they are of other test sets, as documents differ in true labels or filter pairs: evaluate both on the same "
        "data; if --drop-unknown left out labels of one, add these to its model first (eclare labels add)"
    )


def documents_path(result: str | Path) -> Path:
    """Where `eclare evaluate --json RESULT.json` leaves the document scores: RESULT.documents.npz beside it."""
    return Path(result).with_suffix(".documents.npz")


def read_document_scores(path: str | Path) -> DocumentScores:
    """Read what `DocumentScores.save` wrote; nothing in the file is run.

    Raises:
        DataError: Missing, not such a file, or shapes and values that cannot be.
    """
    try:
        cells, gained, possible, test_set = read_archive(path, ("cells", "gained", "possible", "test_set")).values()
    except (OSError, ValueError) as error:
        raise DataError(
            f"does not hold document scores ({error}): write it with `eclare evaluate --json`", path=path
        ) from error
    if cells.ndim != 2 or cells.shape[1] != 2 or cells.dtype.kind != "U" or test_set.dtype.kind != "U":
        raise DataError("cells must be pairs of metric and bin; evaluate again", path=path)
    if not (np.isfinite(gained).all() and np.isfinite(possible).all() and (possible >= 0).all()):
        raise DataError("holds values that are not finite, or negative; evaluate again", path=path)
    try:
        pairs = tuple((str(metric), str(name)) for metric, name in cells)
        # Earlier versions wrote the fingerprint of the test set alone.
        marks = (*map(str, test_set.reshape(-1)[:2]), "", "")[:2]
        return DocumentScores(pairs, gained.astype(np.float64), possible.astype(np.float64), *marks)
    except ValueError as error:
        raise DataError(f"{error}; evaluate again", path=path) from error
