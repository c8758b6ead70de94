"""The known labels that are most like a new one: those whose documents are where its vector is."""

from __future__ import annotations

import numpy as np

from eclare_py.rank.candidates import strongest
from eclare_py.types import Csr, FloatArray, as_csr

_BLOCK = 256  # new labels compared with all known ones at once


def find_kin(new: FloatArray, known: FloatArray, *, count: int, sharpness: float) -> Csr:
    """The nearest known labels by cosine, weighted by its power.

    Args:
        new: (n, d) unit vectors of new labels, n above 0; zero for one that nothing is known of.
        known: (L, d) unit vectors of what the known ones are like; zero for one that is like nothing.
        count: Known labels per new one.
        sharpness: Power of the cosine; the larger, the more the nearest counts.

    Returns:
        (n, L) weights. Rows sum to 1; that of a label with no cosine above 0 is empty.
    """
    columns = np.ascontiguousarray(known.T)
    parts = []
    for start in range(0, len(new), _BLOCK):
        cosines = new[start : start + _BLOCK] @ columns
        if count < len(known):
            floor = np.partition(cosines, len(known) - count, axis=1)[:, len(known) - count]
            cosines[cosines < floor[:, None]] = 0
        parts.append(strongest(as_csr(np.maximum(cosines, 0)), count))
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    rows = np.repeat(np.arange(len(new)), counts)
    cosines = np.concatenate([part.data for part in parts])
    top = np.zeros(len(new), dtype=np.float32)
    np.maximum.at(top, rows, cosines)
    powers = (cosines / top[rows]) ** sharpness
    weights = (powers / np.bincount(rows, powers, minlength=len(new))[rows]).astype(np.float32)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([part.indices for part in parts])
    kin = as_csr(Csr((weights, indices, pointers), shape=(len(new), len(known))))
    kin.eliminate_zeros()  # graphs hold positive weights only
    return kin
