"""The learned index of ELIAS: a sparse weighted graph from clusters to labels (Gupta et al., NeurIPS 2022)."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor

from eclare_py.types import FloatArray, IntArray


class ClusterGraph(torch.nn.Module):
    """Edge weights a_c = clamp(sharpness * softmax(theta_c), 0, 1) over the kappa slots of every cluster.

    A slot with a share of at least 1 / sharpness has the weight 1 and no gradient, so the sharpness is about the number
    of labels that a cluster can hold in full. A graph that is not learned has the weight 1 everywhere.

    Args:
        pattern: (C, kappa) label in each slot, -1 where empty; each label at most once in a cluster.
        n_labels: L.
        sharpness: beta.
        learned: Whether weights are parameters.
        start: (C, kappa) weights to start from, above 0, in proportion: theta is their logarithm.
        generator: Source of the start values of theta without these, uniform in 0..1.
    """

    def __init__(
        self,
        pattern: IntArray,
        n_labels: int,
        *,
        sharpness: float = 150.0,
        learned: bool = True,
        start: FloatArray | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.n_labels, self.sharpness = n_labels, sharpness
        self.labels: Tensor
        self.register_buffer("labels", torch.from_numpy(np.ascontiguousarray(pattern, dtype=np.int64)))
        # Of the start of the epoch, as a checkpoint in its middle must know them.
        self.parent: Tensor
        self.register_buffer("parent", torch.full((n_labels,), -1))
        theta = torch.rand(*pattern.shape, generator=generator) if start is None else torch.from_numpy(start).log()
        self.theta = torch.nn.Parameter(theta) if learned else None

    @property
    def slots(self) -> IntArray:
        """(C, kappa) label in each slot."""
        return cast(IntArray, self.labels.cpu().numpy())

    def weights(self) -> Tensor:
        """(C, kappa) edge weights, 0 in empty slots."""
        filled = self.labels >= 0
        if self.theta is None:
            return filled.float()
        # A cluster without any label would divide zero by zero: its slots count evenly, then weigh nothing.
        theta = self.theta.masked_fill(~filled & filled.any(dim=1, keepdim=True), -torch.inf)
        return (self.sharpness * theta.softmax(dim=1)).clamp(0, 1) * filled

    @property
    def kept_parents(self) -> IntArray:
        """(L,) parents at the last `refresh`."""
        return cast(IntArray, self.parent.cpu().numpy())

    def refresh(self) -> None:
        """Remember the parents as the edges stand."""
        self.parent.copy_(torch.from_numpy(self.parents()))

    @torch.no_grad()
    def parents(self) -> IntArray:
        """(L,) cluster with the heaviest edge to each label, of equal ones the first; -1 where a label is in none."""
        filled = self.labels >= 0
        labels, weights = self.labels[filled], self.weights()[filled]
        clusters = filled.nonzero()[:, 0]
        most = torch.full((self.n_labels,), -1.0, device=labels.device).scatter_reduce(0, labels, weights, "amax")
        first = torch.full((self.n_labels,), len(self.labels), device=labels.device)
        heaviest = weights == most[labels]
        first.scatter_reduce_(0, labels[heaviest], clusters[heaviest], "amin")
        return cast(IntArray, first.masked_fill(first == len(self.labels), -1).cpu().numpy())
