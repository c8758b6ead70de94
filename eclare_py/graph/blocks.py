"""Blocks of rows of a label graph, counted by several processes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp

from eclare_py.distributed import Group
from eclare_py.types import Csr, as_csr


def group_share(blocks: Iterable[slice], group: Group | None) -> list[slice]:
    """The blocks of rows that fall to this process: every R-th of them, so that dense and thin ones are shared out."""
    every = list(blocks)
    return every if group is None else every[group.rank :: group.world]


def stacked(blocks: list[Csr], n_labels: int, group: Group | None) -> Csr:
    """The blocks of all processes below each other, in the order of their rows; the same everywhere.

    Args:
        blocks: (r_i, L) those of this process, as `group_share` gave them out.
        n_labels: L.
        group: The processes.
    """
    if group is None or group.world == 1:
        return as_csr(sp.vstack(blocks, format="csr")) if blocks else sp.csr_array((0, 0), dtype=np.float32)
    own = as_csr(sp.vstack([Csr((0, n_labels), dtype=np.float32), *blocks], format="csr"))
    heights = np.array([block.shape[0] for block in blocks], dtype=np.int64)
    all_heights, counts, columns, values = group.gather_all(
        heights, np.diff(own.indptr).astype(np.int64), own.indices.astype(np.int64), own.data
    )
    parts: list[list[Csr]] = []
    for height, count, column, value in zip(all_heights, counts, columns, values, strict=True):
        matrix = Csr((value, column, np.concatenate([[0], np.cumsum(count)])), shape=(len(count), n_labels))
        ends = np.concatenate([[0], np.cumsum(height)])
        parts.append([matrix[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)])
    most = max(len(part) for part in parts)
    return as_csr(sp.vstack([part[i] for i in range(most) for part in parts if i < len(part)], format="csr"))
