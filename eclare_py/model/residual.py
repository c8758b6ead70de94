"""Residual block of ECLARE's encoders."""

from __future__ import annotations

import torch
from torch import Tensor


class ResidualBlock(torch.nn.Module):
    """R(v) = v + W Dropout(ReLU(v)) + b, then l2-normalised.

    Source: ECLARE (WWW 2021), section 3, embedding block. Deviations: W starts at zero instead of the identity, so
    that training starts from the plain sum of embeddings; no spectral norm and no scalar gate, since the output is
    normalised.

    Shapes:
        (B, d) -> (B, d), rows of unit length (a zero row stays zero).
    """

    def __init__(self, dim: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(dim, dim)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)
        self.dropout = torch.nn.Dropout(dropout)

    def forward(self, v: Tensor) -> Tensor:
        """Transform and normalise."""
        # The slope of a normalised zero is 1e12: one empty text would drown the bias's gradient and Adam's moments.
        known = (v != 0).any(dim=1, keepdim=True)
        return torch.nn.functional.normalize(v + self.linear(torch.relu(v)), dim=1) * known
