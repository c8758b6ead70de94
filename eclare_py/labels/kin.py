"""The known labels that are most like a new one: those whose documents are where its vector is."""

from __future__ import annotations

import numpy as np

from eclare_py.index import exact_search
from eclare_py.types import Csr, FloatArray, Ranking


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
    no_bias = np.zeros(len(known), dtype=np.float32)
    nearest = exact_search(new, label_vectors=known, label_bias=no_bias, k=count)
    cosines = np.maximum(nearest.scores, 0)
    kept = cosines > 0
    powers = np.where(kept, (cosines / np.where(kept[:, :1], cosines[:, :1], 1)) ** sharpness, 0)
    total = powers.sum(axis=1, keepdims=True)
    weights = (powers / np.where(total > 0, total, 1)).astype(np.float32)
    kin = Ranking(nearest.indices, weights).to_csr(len(known))
    kin.eliminate_zeros()  # graphs hold positive weights only
    return kin
