"""A trial: one ranking on one test set, checked and ready to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.errors import DataError
from eclare_py.metrics.filters import drop_filter_pairs
from eclare_py.metrics.fingerprint import basis_fingerprint, documents_fingerprint
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.propensity import Weights, inverse_propensities
from eclare_py.metrics.rare import TAIL, tail_mask
from eclare_py.types import Csr, IntArray, Ranking, check_csr

_ROWS = 1 << 15  # rows checked at a time


@dataclass(frozen=True, eq=False)
class Trial:
    """A ranking held against the truth of a test set, and what its figures depend on.

    Attributes:
        judged: The ranking without filter pairs, the truth, and the hits.
        frequencies: (L,) train documents of each label.
        weights: Inverse propensities.
        tail: Greatest train frequency of a rare label.
        pairs: (F, 2) filter pairs.
        settings: The same as plain data, with sizes.
        names: L names of the labels, for fingerprints; None takes their rows.
        known_as: Fingerprint of the test set, where it was taken before the labels got these rows.
    """

    judged: Judged
    frequencies: IntArray
    weights: Weights
    tail: int
    pairs: IntArray
    settings: dict[str, Any]
    names: Sequence[str] | None = None
    known_as: str | None = None

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.frequencies)

    @cached_property
    def test_set(self) -> str:
        """Fingerprint of documents by the names of their labels, and filter pairs: 16 hexadecimal digits."""
        return self.known_as or documents_fingerprint(self.judged.labels, self.pairs, self.names)

    @cached_property
    def basis(self) -> str:
        """Fingerprint of train frequencies and propensities: figures by label frequency are of the same labels."""
        settings = [float(self.settings[key]) for key in ("train_documents", "propensity_A", "propensity_B", "tail")]
        return basis_fingerprint(self.frequencies, np.unique(self.judged.labels.indices), settings, self.names)


def open_trial(
    ranking: Ranking,
    labels: Csr,
    train_frequencies: npt.ArrayLike,
    n_train: int,
    *,
    filter_pairs: IntArray | None = None,
    propensity_a: float = 0.55,
    propensity_b: float = 1.5,
    tail: int = TAIL,
    names: Sequence[str] | None = None,
    known_as: str | None = None,
) -> Trial:
    """Check a ranking and a test set, drop the filter pairs from the ranking, and find the hits.

    Args:
        ranking: (N, k) predictions.
        labels: (N, L) test label matrix; every stored value above 0 is relevant.
        train_frequencies: (L,) train documents of each label.
        n_train: Train documents in all.
        filter_pairs: (F, 2) of document row and label.
        propensity_a: A of the data set.
        propensity_b: B of the data set.
        tail: Greatest train frequency of a rare label.
        names: L names of the labels; runs of models with other rows for them can be compared by these.
        known_as: Fingerprint of the test set, where it was taken before the labels got these rows.

    Raises:
        DataError: Shapes disagree, a label id is out of range or twice in a row, or there is nothing to evaluate.
    """
    truth, frequencies = _checked(ranking, labels, train_frequencies, n_train)
    pairs = np.empty((0, 2), dtype=np.int64) if filter_pairs is None else np.asarray(filter_pairs, dtype=np.int64)
    kept = drop_filter_pairs(ranking, pairs)
    judged = Judged.of(kept, truth)
    inverse = inverse_propensities(frequencies, n_train, propensity_a, propensity_b)
    positives = np.bincount(truth.indices, minlength=truth.shape[1])
    settings = {
        "propensity_A": propensity_a,
        "propensity_B": propensity_b,
        "tail": tail,
        "train_documents": int(n_train),
        "test_documents": len(ranking),
        "test_documents_without_labels": int((judged.relevant == 0).sum()),
        "labels": truth.shape[1],
        "labels_without_test_positives": int((positives == 0).sum()),
        "test_pairs": int(truth.nnz),
        "tail_test_pairs": int(positives[tail_mask(frequencies, tail)].sum()),
        "filter_pairs": len(pairs),
        "filter_pairs_dropped": int((ranking.indices >= 0).sum() - (kept.indices >= 0).sum()),
        "ranked": ranking.indices.shape[1],
    }
    return Trial(judged, frequencies, Weights.of(truth, inverse), tail, pairs, settings, names, known_as)


def _checked(ranking: Ranking, labels: Csr, frequencies: npt.ArrayLike, n_train: int) -> tuple[Csr, IntArray]:
    """The label matrix without stored zeros, and the frequencies as an array; both fit the ranking.

    Raises:
        DataError: They do not.
    """
    n_documents, n_labels = labels.shape
    counts = np.asarray(frequencies, dtype=np.int64)
    if len(ranking) != n_documents:
        raise DataError(f"predictions are for {len(ranking)} documents, the test set has {n_documents}")
    if n_documents == 0 or n_labels == 0:
        raise DataError(f"nothing to evaluate: {n_documents} test documents, {n_labels} labels")
    if counts.shape != (n_labels,) or counts.min() < 0 or counts.max() > n_train:
        raise DataError(f"train frequencies must be {n_labels} counts from 0 to {n_train} (the train documents)")
    try:
        check_csr(labels, name="test labels")
    except ValueError as error:
        raise DataError(str(error)) from error
    _check_ranking(ranking, n_labels)
    if len(labels.data) and labels.data.min() <= 0:
        labels = labels.copy()  # the caller keeps his stored zeros
        labels.data[labels.data < 0] = 0
        labels.eliminate_zeros()
    return labels, counts


def _check_ranking(ranking: Ranking, n_labels: int) -> None:
    """Refuse label ids out of range, and labels named twice for a document: each would count as a hit."""
    ids = ranking.indices
    if ids.size and (ids.max() >= n_labels or ids.min() < -1):
        worst = int(ids.max() if ids.max() >= n_labels else ids.min())
        raise DataError(f"predictions name label {worst}, labels are 0..{n_labels - 1}")
    for start in range(0, len(ids), _ROWS):
        ordered = np.sort(ids[start : start + _ROWS], axis=1)
        twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
        if twice.any():
            raise DataError(f"predictions name a label twice for document {start + int(twice.argmax())}")
