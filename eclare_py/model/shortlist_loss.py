"""Loss of ELIAS over shortlists (methods.md 1.4)."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from eclare_py.model.elias import Shortlist
from eclare_py.threads import over_rows
from eclare_py.types import Csr, IntArray

_LEAST = 1e-7  # a path of zero would have an infinite loss


@njit(cache=True, nogil=True)
def _members(start: int, stop: int, indptr: IntArray, indices: np.ndarray, labels: IntArray, out: np.ndarray) -> None:
    for row in range(start, stop):
        first, last = indptr[row], indptr[row + 1]
        for j in range(labels.shape[1]):
            if labels[row, j] >= 0 and last > first:
                at = first + np.searchsorted(indices[first:last], labels[row, j])
                out[row, j] = at < last and indices[at] == labels[row, j]


def members(rows: Csr, labels: IntArray) -> Tensor:
    """(B, K) whether each label of a shortlist is stored in its row of a (B, L) CSR with sorted columns."""
    out = np.zeros(labels.shape, dtype=np.bool_)
    over_rows(_members, len(labels), rows.indptr.astype(np.int64), rows.indices.astype(np.int64), labels, out)
    return torch.from_numpy(out)


def shortlist_loss(shortlist: Shortlist, relevant: Tensor, ignored: Tensor, *, weight: float) -> Tensor:
    """K * [ BCE_mean(y, targets) + weight * BCE_mean(paths of positives, 1) ].

    The second mean runs over B rows of as many places as the document with most positives on its shortlist needs; what
    is not used counts as zero. The factor K changes nothing for Adam and Adagrad, but keeps gradients away from the
    constants that save these from dividing by zero.

    Args:
        shortlist: Labels, paths and logits (B, K).
        relevant: (B, K) whether the label is relevant.
        ignored: (B, K) labels that are neither right nor wrong.
        weight: lambda.
    """
    device = shortlist.paths.device
    relevant = relevant.to(device)
    counted = torch.from_numpy(shortlist.labels >= 0).to(device) & ~ignored.to(device)
    positives = relevant & counted
    rows, width = positives.shape
    each = binary_cross_entropy(shortlist.probabilities(), positives.float(), reduction="none")
    total = (each * counted).sum() / rows
    most = int(positives.sum(dim=1).max())
    if weight and most:
        total = total - weight * width / most * shortlist.paths[positives].clamp(min=_LEAST).log().sum() / rows
    return total
