"""Rankings without filter pairs, for models that rank first and filter afterwards."""

from __future__ import annotations

import numpy as np

from eclare_py.sparse import row_ids, select_entries
from eclare_py.types import Csr, IntArray


def without(scores: Csr, hidden: IntArray) -> Csr:
    """The (B, L) matrix without the entries of some pairs (row, label)."""
    keys = row_ids(scores) * scores.shape[1] + scores.indices
    kept = ~np.isin(keys, hidden[:, 0] * scores.shape[1] + hidden[:, 1])
    return select_entries(scores, kept)


def spare(hidden: IntArray | None) -> int:
    """How many more labels must be ranked so that none is missing once the pairs are taken out."""
    return int(np.bincount(hidden[:, 0]).max()) if hidden is not None and len(hidden) else 0
