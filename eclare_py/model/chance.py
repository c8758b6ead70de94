"""The random draws of dropout, for whole batches and for the part of a batch that one process has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from eclare_py.types import BoolArray, Csr, IntArray


class Chance:
    """Draws for all that is there, from torch's generator."""

    def entries(self, rows: Csr) -> Tensor:
        """(E,) uniform numbers, one for each stored entry."""
        return torch.rand(rows.nnz)

    def like(self, values: Tensor) -> Tensor:
        """Uniform numbers of the shape of (n, ...) values."""
        return torch.rand_like(values)


class PartialChance(Chance):
    """Draws for some rows of a batch: what one process would draw for the batch, without the rows of others.

    So dropout does not depend on how many processes there are.
    """

    def __init__(self) -> None:
        self.kept: BoolArray = np.ones(0, dtype=np.bool_)
        self.sizes: list[IntArray] = []

    def begin(self, kept: BoolArray, sizes: Sequence[IntArray]) -> None:
        """Tell of what the next draws are a part.

        Args:
            kept: (n,) which rows of the whole are here.
            sizes: (n,) stored entries of all rows, for each of the coming calls of `entries`.
        """
        self.kept, self.sizes = kept, list(sizes)

    def entries(self, rows: Csr) -> Tensor:
        """(E,) uniform numbers for the entries of the rows that are here."""
        sizes = self.sizes.pop(0)
        return torch.rand(int(sizes.sum()))[torch.from_numpy(np.repeat(self.kept, sizes))]

    def like(self, values: Tensor) -> Tensor:
        """Uniform numbers of the shape of the (n, ...) values that are here."""
        whole = torch.rand((len(self.kept), *values.shape[1:]), dtype=values.dtype, device=values.device)
        return self._of_part(whole)

    def scaled(self, values: Tensor, share: float) -> Tensor:
        """The values with a share of them zeroed and the others scaled up, as `torch.nn.Dropout` does it."""
        whole = torch.ones((len(self.kept), *values.shape[1:]), dtype=values.dtype, device=values.device)
        return values * self._of_part(torch.nn.functional.dropout(whole, share))

    def _of_part(self, whole: Tensor) -> Tensor:
        return whole[torch.from_numpy(self.kept).to(whole.device)]


class PartialDropout(torch.nn.Module):
    """`torch.nn.Dropout` over a part of a batch."""

    def __init__(self, share: float, chance: PartialChance) -> None:
        super().__init__()
        self.share, self.chance = share, chance

    def forward(self, values: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return self.chance.scaled(values, self.share) if self.training and self.share else values
