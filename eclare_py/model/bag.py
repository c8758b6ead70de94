"""Bag of embeddings: a table whose rows are summed with TF-IDF weights, trained where it was touched.

ECLARE (WWW 2021) represents a text by sum_t x_t E_t. A dense optimiser would visit all V rows at every step; here the
backward pass only notes (rows, gradient of the sums), and `step` turns these notes into a row-wise Adagrad update of
the rows that occurred: one accumulator per row (Duchi et al. 2011, with the mean square of the row's gradient), so
the state is V floats instead of 2 V d. Deviation from the reference, which uses dense Adam.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from eclare_py.model.bag_kernels import NO_CODES, code_rows, sum_rows, update_rows
from eclare_py.model.chance import Chance
from eclare_py.quantize import Rows, plain
from eclare_py.sparse import select_entries
from eclare_py.types import BoolArray, Csr

_EPSILON = 1e-6


class _Sum(torch.autograd.Function):
    """Rows -> sums; the backward pass leaves a note with the module instead of a (V, d) gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, module: BagOfEmbeddings, rows: Csr) -> Tensor:
        ctx.module, ctx.rows = module, rows
        return module.sums(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        ctx.module.notes.append((ctx.rows, gradients[0]))
        return None, None, None


class BagOfEmbeddings(torch.nn.Module):
    """x (B, V) sparse -> x E (B, d).

    Args:
        n_rows: V; or L for free label vectors, whose "texts" are rows of the identity.
        dim: d.
        scale: Standard deviation at the start; 0 starts from zeros.
        dropout: Share of the entries of `rows` dropped in training, the others scaled up; what is learned of a text
            then does not hang on one rare word of it.
        generator: Source of the start values.
        coded: On a processor, sum the nearest int8 codes of the rows, which are updated as they are: most of a sum is
            waiting for memory.
    """

    def __init__(
        self,
        n_rows: int,
        dim: int,
        *,
        scale: float,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
        coded: bool = False,
    ) -> None:
        super().__init__()
        self.dropout, self.chance = dropout, Chance()
        self._coded, self._codes, self._codes_of = coded, NO_CODES, (0, -1)
        start = torch.zeros(n_rows, dim) if scale == 0 else torch.randn(n_rows, dim, generator=generator) * scale
        self.weight = torch.nn.Parameter(start)
        self.register_buffer("accumulator", torch.zeros(n_rows))
        self.accumulator: Tensor
        self.notes: list[tuple[Csr, Tensor]] = []

    def forward(self, rows: Csr, wanted: BoolArray | None = None) -> Tensor:
        """(B, V) CSR -> (B, d); gradients are noted for `step`.

        Args:
            rows: The bags.
            wanted: (B,) in training, rows that are summed; the others come out as zeros. None: all.
        """
        if self.training and self.dropout:
            rows = drop_entries(rows, self.dropout, self.chance, wanted)
        elif wanted is not None:
            rows = select_entries(rows, np.repeat(wanted, np.diff(rows.indptr)))
        if not torch.is_grad_enabled():
            return self.sums(rows)
        result: Tensor = _Sum.apply(self.weight, self, rows)
        return result

    def sums(self, rows: Csr) -> Tensor:
        """The forward values alone."""
        weight = self.weight.detach()
        if weight.device.type == "cpu":
            out = torch.empty(rows.shape[0], weight.shape[1])
            table = self._current_codes() if self._coded else plain(weight.numpy())
            sum_rows(rows.indptr, rows.indices, rows.data, table, out.numpy())
            return out
        indices, offsets, values = (torch.from_numpy(part).to(weight.device) for part in _parts(rows))
        return torch.nn.functional.embedding_bag(
            indices, weight, offsets, mode="sum", per_sample_weights=values, include_last_offset=True
        )

    def _current_codes(self) -> Rows:
        """The codes of the table as it is. `step` keeps them; what torch changes of it, it counts."""
        table = self.weight.data_ptr(), self.weight._version
        if self._codes_of != table:
            self._codes, self._codes_of = code_rows(self.weight.detach().numpy()), table
        return self._codes

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Apply the noted gradients by row-wise Adagrad and forget them."""
        if not self.notes:
            return
        rows = sp.vstack([note[0] for note in self.notes], format="csr")
        gradients = torch.cat([note[1] for note in self.notes])
        self.notes = []
        # By term instead of by text, in time linear in the entries and V.
        by_term = rows.tocsc()
        touched = np.flatnonzero(np.diff(by_term.indptr))
        starts = np.append(by_term.indptr[touched], by_term.nnz).astype(np.int64)
        owners, values = by_term.indices.astype(np.int64), by_term.data
        if self.weight.device.type != "cpu":
            self._step_torch(starts, touched, owners, values, gradients, learning_rate)
            return
        update_rows(
            starts, touched, owners, values, gradients.numpy(), self.weight.numpy(), self.accumulator.numpy(),
            np.float32(learning_rate), np.float32(_EPSILON), self._current_codes() if self._coded else NO_CODES,
        )  # fmt: skip

    def _step_torch(
        self, starts: Any, touched: Any, owners: Any, values: Any, gradients: Tensor, learning_rate: float
    ) -> None:
        """The same update by torch operations, for any device.

        The gradient of a term is a bag over those of its texts, summed in their order: the same sums every time, which
        atomic additions would not give.
        """
        device = self.weight.device
        bounds, terms, texts, weights = (
            torch.from_numpy(part).to(device) for part in (starts, touched, owners, values)
        )
        summed = torch.nn.functional.embedding_bag(
            texts, gradients, bounds, mode="sum", per_sample_weights=weights, include_last_offset=True
        )
        self.accumulator[terms] += summed.square().mean(dim=1)
        rate = learning_rate / (self.accumulator[terms].sqrt() + _EPSILON)
        self.weight[terms] -= rate[:, None] * summed


def drop_entries(rows: Csr, share: float, chance: Chance | None = None, wanted: BoolArray | None = None) -> Csr:
    """The rows without a random share of their entries (of torch's generator); the others times 1 / (1 - share).

    Numbers are drawn for all rows, so that they do not depend on which are (n,) `wanted`; the others are left empty.
    """
    kept = (chance or Chance()).entries(rows).numpy() >= share
    if wanted is not None:
        kept &= np.repeat(wanted, np.diff(rows.indptr))
    thinned = select_entries(rows, kept)
    thinned.data *= np.float32(1 / (1 - share))
    return thinned


def _parts(rows: Csr) -> tuple[Any, Any, Any]:
    return rows.indices.astype(np.int64), rows.indptr.astype(np.int64), np.asarray(rows.data)
