"""What each test document adds to each figure: the form in which runs are sliced, resampled and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """

    cells: tuple[Cell, ...]
    gained: DoubleArray
    possible: DoubleArray
    test_set: str

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
        return DocumentScores(tuple(cells), self.gained[rows], self.possible[rows], self.test_set)

    def joined(self, other: DocumentScores) -> DocumentScores:
        """The cells of both, of the same documents."""
        gained, possible = (
            np.concatenate(pair) for pair in ((self.gained, other.gained), (self.possible, other.possible))
        )
        return DocumentScores(self.cells + other.cells, gained, possible, self.test_set)

    def save(self, path: str | Path) -> None:
        """Write as a compressed npz, atomically; read back by `read_document_scores`."""
        names = np.asarray(self.cells, dtype=np.str_).reshape(-1, 2)
        with atomic_file(path, "wb") as handle:
            np.savez_compressed(
                handle, cells=names, gained=self.gained, possible=self.possible, test_set=np.asarray(self.test_set)
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
        return DocumentScores(pairs, gained.astype(np.float64), possible.astype(np.float64), str(test_set))
    except ValueError as error:
        raise DataError(f"{error}; evaluate again", path=path) from error
