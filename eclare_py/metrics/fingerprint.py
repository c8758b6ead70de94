"""Fingerprints by the names of labels: of a test set, and of what its figures by label frequency depend on.

Two models rarely have their labels in one order, or the same number of them: a model that was fine-tuned, or was given
new labels, is to be compared with the one before. So nothing here depends on rows of labels, where these have names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from eclare_py.sparse import row_ids
from eclare_py.types import Csr, IntArray

_DIGITS = 16  # hexadecimal ones of a SHA-256


def documents_fingerprint(labels: Csr, pairs: IntArray, names: Sequence[str] | None = None) -> str:
    """Fingerprint of documents by their true labels and filter pairs: 16 hexadecimal digits.

    Args:
        labels: (N, L) truth without stored zeros.
        pairs: (F, 2) filter pairs of document and label, in any order.
        names: L names of the labels; their rows without it.
    """
    used = np.unique(np.concatenate([labels.indices, pairs[:, 1]]))
    own = _names(used, names)
    ordered = sorted(set(own))
    place = {name: new for new, name in enumerate(ordered)}
    by_name = np.zeros(labels.shape[1], dtype=np.int64)
    by_name[used] = [place[name] for name in own]
    rows = row_ids(labels)
    columns = by_name[labels.indices]
    columns = columns[np.lexsort((columns, rows))]
    hidden = np.unique(np.stack([pairs[:, 0], by_name[pairs[:, 1]]], axis=1), axis=0)
    digest = hashlib.sha256(json.dumps(ordered).encode())
    for part in (labels.indptr, columns, hidden):
        digest.update(np.ascontiguousarray(part, dtype="<i8").tobytes())
    return digest.hexdigest()[:_DIGITS]


def basis_fingerprint(
    frequencies: IntArray, true: IntArray, settings: Sequence[float], names: Sequence[str] | None = None
) -> str:
    """Fingerprint of what bins, tail and propensities are made of: 16 hexadecimal digits.

    Args:
        frequencies: (L,) train documents of each label.
        true: Rows of the labels that are relevant somewhere in test: the others play no part in any figure.
        settings: Number of train documents, propensity A and B, tail threshold.
        names: L names of the labels; their rows without it.
    """
    counts = sorted(zip(_names(true, names), frequencies[true].tolist(), strict=True))
    return hashlib.sha256(json.dumps([list(settings), counts]).encode()).hexdigest()[:_DIGITS]


def _names(rows: IntArray, names: Sequence[str] | None) -> list[str]:
    return [str(row) if names is None else names[row] for row in rows.tolist()]
