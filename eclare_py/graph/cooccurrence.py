"""Label graphs from co-occurrence counts, deterministic, by one row-blocked sparse product Y^T W Y.

With c(l, m) the (weighted) number of documents that carry both labels, f(l) = c(l, l) and n the number of documents:

    conditional  P(m | l) = c / f(l)                  frequent neighbours win
    lift         c n / (f(l) f(m))                    corrected for both frequencies; rare pairs are noisy: min_count
    jaccard      c / (f(l) + f(m) - c)
    cosine       c / sqrt(f(l) f(m))
    pmi          log(lift) where positive             Church and Hanks 1990, positive part

ECLARE uses walks, see walks.py and closed_form.py; these correct edges for label frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.distributed import Group
from eclare_py.errors import UsageError
from eclare_py.graph.bipartite import bipartite
from eclare_py.graph.blocks import group_share, stacked
from eclare_py.graph.normalize import set_self_loops
from eclare_py.sparse import row_ids, select_entries, top_k_rows
from eclare_py.types import Csr, as_csr, blocks_of

_Values = npt.NDArray[np.float64]
_PAIR_BUDGET = 8_000_000  # label pairs counted at once, about 100 MB; a block holds at least one label


def _pmi(both: _Values, left: _Values, right: _Values, n: float) -> _Values:
    return np.log(both * n / (left * right))


_BLOCK_ROWS, _BLOCKS = 4096, 64

# (c(l, m), f(l), f(m), n) -> weight; weights of 0 or less are no edge.
WEIGHTINGS: dict[str, Callable[[_Values, _Values, _Values, float], _Values]] = {
    "conditional": lambda both, left, right, n: both / left,
    "lift": lambda both, left, right, n: both * n / (left * right),
    "jaccard": lambda both, left, right, n: both / (left + right - both),
    "cosine": lambda both, left, right, n: both / np.sqrt(left * right),
    "pmi": _pmi,
}


def pair_blocks(carried: Csr, documents: Csr, block_rows: int) -> Iterator[slice]:
    """Rows of the product of (L, N) and (N, L): at most `block_rows` at once, and about `_PAIR_BUDGET` pairs."""
    sizes = np.diff(documents.indptr)
    pairs = np.bincount(row_ids(carried), sizes[carried.indices], minlength=carried.shape[0]).astype(np.int64)
    return blocks_of(np.concatenate([[0], np.cumsum(pairs)]), block_rows, _PAIR_BUDGET)


def cooccurrence_graph(
    labels: Csr,
    *,
    weighting: str = "conditional",
    top_k: int | None = 10,
    min_count: float = 1,
    block_rows: int | None = None,
    head_threshold: int | None = None,
    head_mode: str = "isolate",
    hub_documents: int | None = None,
    hub_mode: str = "skip",
    group: Group | None = None,
) -> Csr:
    """Label graph with edge weights from co-occurrence counts.

    Args:
        labels: (N, L) label matrix of the train documents.
        weighting: "conditional", "lift", "jaccard", "cosine" or "pmi".
        top_k: Neighbours kept per label besides itself, by weight, ties by lower id; None keeps all.
        min_count: Pairs seen together less often are no edge.
        block_rows: Labels counted at once at most; blocks shrink where labels have many co-occurrences. None: 4096, or
            a 64th of the labels where that is more, as the product of every block takes L steps beside its own.
        head_threshold: Labels with more documents are head labels; None: no label is.
        head_mode: "isolate", "source" or "keep", as in `walk_counts`.
        hub_documents: Documents with more labels are hubs; None: no document is.
        hub_mode: "skip" hubs, or "weight": a hub of n labels counts hub_documents / n.
        group: Processes that call this together, with the same labels: each counts some blocks of rows.

    Returns:
        (L, L) CSR float32 with a diagonal: the weight of the label with itself, 1 where that is not positive.

    Raises:
        UsageError: An option is unknown or out of range.
    """
    if weighting not in WEIGHTINGS:
        raise UsageError(f"weighting={weighting!r} is unknown: choose one of {', '.join(WEIGHTINGS)}")
    if top_k is not None and top_k < 1:
        raise UsageError(f"top_k={top_k} must be at least 1, or None to keep every neighbour")
    if block_rows is None:
        block_rows = max(_BLOCK_ROWS, labels.shape[1] // _BLOCKS)
    if block_rows < 1:
        raise UsageError(f"block_rows={block_rows} must be at least 1")
    parts = bipartite(
        labels, head_threshold=head_threshold, head_mode=head_mode, hub_documents=hub_documents, hub_mode=hub_mode
    )
    target = parts.target.astype(np.float64)
    carried = sp.csr_array((sp.diags_array(parts.weight) @ parts.source.astype(np.float64)).T)
    frequency = np.asarray(carried.sum(axis=1)).ravel()
    documents = float(parts.weight.sum())
    weigh, blocks = WEIGHTINGS[weighting], []
    for some in group_share(pair_blocks(carried, target, block_rows), group):
        counts = as_csr(carried[some] @ target, dtype=np.float64)
        rows = row_ids(counts) + some.start
        weights = weigh(counts.data, frequency[rows], frequency[counts.indices], documents)
        kept = (counts.data >= min_count) & (weights > 0) | (counts.indices == rows)
        counts.data = weights
        blocks.append(top_k_rows(select_entries(counts, kept), top_k, first_row=some.start).astype(np.float32))
    graph = stacked(blocks, labels.shape[1], group)
    return set_self_loops(as_csr(graph), "keep")
