"""The known labels that are most like a new one, by what they say."""

from __future__ import annotations

import numpy as np

from eclare_py.rank.candidates import strongest
from eclare_py.types import Csr, as_csr

_BLOCK = 256  # new labels compared with all known ones at once


def find_kin(new: Csr, known: Csr, *, count: int, sharpness: float) -> Csr:
    """The nearest known labels by the cosine of TF-IDF rows, weighted by its power.

    Args:
        new: (n, V) unit rows of the new texts, n above 0.
        known: (L, V) unit rows of the known ones.
        count: Known labels per new one.
        sharpness: Power of the cosine; the larger, the more the nearest counts.

    Returns:
        (n, L) weights. Rows sum to 1; that of a text without a term in common with any other is empty.
    """
    columns, starts = as_csr(known.T), range(0, new.shape[0], _BLOCK)
    parts = [strongest(as_csr(new[start : start + _BLOCK] @ columns), count) for start in starts]
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    rows = np.repeat(np.arange(new.shape[0]), counts)
    cosines = np.concatenate([part.data for part in parts])
    top = np.zeros(new.shape[0], dtype=np.float32)
    np.maximum.at(top, rows, cosines)
    powers = (cosines / top[rows]) ** sharpness
    weights = (powers / np.bincount(rows, powers, minlength=new.shape[0])[rows]).astype(np.float32)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([part.indices for part in parts])
    kin = as_csr(Csr((weights, indices, pointers), shape=(new.shape[0], known.shape[0])))
    kin.eliminate_zeros()  # graphs hold positive weights only
    return kin
