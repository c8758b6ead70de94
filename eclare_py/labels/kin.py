"""The known labels that are most like a new one, by what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.rank.candidates import strongest
from eclare_py.types import Csr, FloatArray, as_csr

_BLOCK = 256  # new labels compared with all known ones at once


@dataclass(frozen=True)
class Kin:
    """What n new labels borrow from L known ones.

    Attributes:
        weights: (n, L) weights of the nearest known labels, rows sum to 1; a row is empty where no text is alike.
        likeness: (n,) cosine with the nearest of them.
    """

    weights: Csr
    likeness: FloatArray


def find_kin(new: Csr, known: Csr, *, count: int, sharpness: float) -> Kin:
    """The nearest known labels by the cosine of TF-IDF rows, weighted by its power.

    Args:
        new: (n, V) unit rows of the new texts.
        known: (L, V) unit rows of the known ones.
        count: Known labels per new one.
        sharpness: Power of the cosine; the larger, the more the nearest counts.
    """
    columns = as_csr(known.T)
    parts = [strongest(as_csr(new[start : start + _BLOCK] @ columns), count) for start in range(0, new.shape[0], _BLOCK)]
    pointers = np.cumsum(np.concatenate([[0], *(np.diff(part.indptr) for part in parts)]))
    indices = np.concatenate([part.indices for part in parts])
    cosines = np.clip(np.concatenate([part.data for part in parts]), 0, 1)
    rows = np.repeat(np.arange(new.shape[0]), np.diff(pointers))
    likeness = np.zeros(new.shape[0], dtype=np.float32)
    np.maximum.at(likeness, rows, cosines)
    powers = np.power(cosines / np.maximum(likeness[rows], 1e-12), sharpness)
    sums = np.bincount(rows, powers, minlength=new.shape[0])
    weights = (powers / np.maximum(sums[rows], 1e-12)).astype(np.float32)
    return Kin(as_csr(Csr((weights, indices, pointers), shape=(new.shape[0], known.shape[0]))), likeness)
