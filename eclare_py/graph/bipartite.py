"""The document-label bipartite graph that walks and co-occurrence counts run on, head labels and hub documents treated.

A *head label* (more than `head_threshold` documents) co-occurs with everything and tells little; a *hub document* (more
than `hub_documents` labels) links labels that have nothing to do with each other, at a cost that grows with the square
of its labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclare_py.errors import UsageError
from eclare_py.sparse import row_ids, select_entries
from eclare_py.types import BoolArray, Csr, as_csr, check_csr

HEAD_MODES = ("isolate", "source", "keep")
HUB_MODES = ("skip", "weight")


@dataclass(frozen=True)
class Bipartite:
    """What a walk may step through: label -> document by `source`, document -> label by `target`.

    Attributes:
        source: (N, L) 0/1 label matrix of the labels that may be left.
        target: (N, L) 0/1 label matrix of the labels that may be reached.
        weight: (N,) float64 weight of each document, 1 unless it is a hub.
        head: (L,) bool, the labels with more than `head_threshold` documents.
    """

    source: Csr
    target: Csr
    weight: npt.NDArray[np.float64]
    head: BoolArray

    def walkable(self) -> Csr:
        """(N, L) source without the documents that lead nowhere (all their labels are head labels)."""
        leads_on = np.diff(self.target.indptr) > 0
        return select_entries(self.source, leads_on[row_ids(self.source)])


def bipartite(
    labels: Csr,
    *,
    head_threshold: int | None = None,
    head_mode: str = "isolate",
    hub_documents: int | None = None,
    hub_mode: str = "skip",
) -> Bipartite:
    """Prepare a label matrix for walks and co-occurrence counts.

    Args:
        labels: (N, L) label matrix of the train documents; every stored value above zero is a relevant label.
        head_threshold: Labels with more documents than this are head labels; None: there are none.
        head_mode: "isolate": head labels are removed, as ECLARE does with its "verbose" labels; "source": they may be
            walked from but not to, so that they get neighbours and are nobody's neighbour; "keep": nothing is done.
        hub_documents: Documents with more labels than this are hubs; None: there are none. ECLARE has no such rule.
        hub_mode: "skip": hubs are left out; "weight": a hub of n labels counts hub_documents / n.

    Returns:
        The two label matrices, the document weights and the head mask.

    Raises:
        UsageError: An option is unknown or out of range, or a label value is negative.
    """
    if head_mode not in HEAD_MODES:
        raise UsageError(f"head_mode={head_mode!r} is unknown: choose one of {', '.join(HEAD_MODES)}")
    if hub_mode not in HUB_MODES:
        raise UsageError(f"hub_mode={hub_mode!r} is unknown: choose one of {', '.join(HUB_MODES)}")
    for name, value in (("head_threshold", head_threshold), ("hub_documents", hub_documents)):
        if value is not None and value < 1:
            raise UsageError(f"{name}={value} must be at least 1, or None to switch it off")
    binary = as_csr(check_csr(as_csr(labels), name="labels"))
    if binary.nnz and binary.data.min() < 0:
        raise UsageError(f"labels holds {binary.data.min()}: relevance must not be negative")
    binary.eliminate_zeros()
    binary.data[:] = 1.0
    head = np.zeros(binary.shape[1], dtype=bool)
    if head_threshold is not None and head_mode != "keep":
        head = np.bincount(binary.indices, minlength=binary.shape[1]) > head_threshold

    sizes = np.diff(binary.indptr)
    weight = np.ones(binary.shape[0])
    if hub_documents is not None:
        hubs = sizes > hub_documents
        weight[hubs] = 0.0 if hub_mode == "skip" else hub_documents / sizes[hubs]
        binary = select_entries(binary, (weight > 0)[row_ids(binary)])
    target = select_entries(binary, ~head[binary.indices]) if head.any() else binary
    return Bipartite(target if head_mode == "isolate" else binary, target, weight, head)
