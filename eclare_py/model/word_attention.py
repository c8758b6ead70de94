"""Dual attention over the word vectors of a document: gates on dimensions, then gates on words (Rank-AE)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.bag_kernels import dot_rows
from eclare_py.quantize import plain
from eclare_py.types import Csr


class WordAttention(torch.nn.Module):
    """TF-IDF rows -> gated sums of word vectors.

    p   = sum_w t_w E_w                               pooled over words
    a   = 2 sigmoid(W_2 relu(W_1 layernorm(p)))       channel gates, (c,)
    s_w = 2 sigmoid(<q, a * E_w> + o)                 spatial gates, a number per word
    x   = a * sum_w s_w t_w E_w

    Source: Rank-AE (Wang et al., NAACL 2019), feature embedding with channel and spatial attention. The paper's order
    and pooling are not known to us (methods.md 6.1); this is our formulation: channel first, then spatial, as in CBAM.
    The map over words is pooled over channels by a learned vector q instead of mean and maximum; a gate of 2 sigmoid
    starts at 1, so that training starts from the plain bag; words come ragged, so that a document costs its own words.
    Every sum over words is a sparse product, and so is its gradient: word vectors learn by the notes of the bag, and no
    (words, c) matrix is made on the processor.

    Args:
        n_terms: V.
        dim: c.
        squeeze: Bottleneck of the channel gates.
        kind: Which gates: "both", "channel", "spatial" or "none".
    """

    def __init__(self, n_terms: int, dim: int, *, squeeze: int, kind: str = "both") -> None:
        super().__init__()
        self.bag = BagOfEmbeddings(n_terms, dim, scale=dim**-0.5)
        self.channel, self.spatial = kind in ("both", "channel"), kind in ("both", "spatial")
        self.squeeze, self.excite = torch.nn.Linear(dim, squeeze), torch.nn.Linear(squeeze, dim)
        self.query, self.offset = torch.nn.Parameter(torch.zeros(dim)), torch.nn.Parameter(torch.zeros(1))
        torch.nn.init.zeros_(self.excite.weight)
        torch.nn.init.zeros_(self.excite.bias)

    def channel_gates(self, pooled: Tensor) -> Tensor:
        """(B, c) pooled word vectors -> (B, c) gates in 0..2; ones where there are none."""
        if not self.channel:
            return torch.ones_like(pooled)
        return 2 * torch.sigmoid(self.excite(torch.relu(self.squeeze(layer_norm(pooled, pooled.shape[1:])))))

    def forward(self, rows: Csr) -> Tensor:
        """(B, V) TF-IDF -> (B, c)."""
        pooled = self.bag(rows)
        channel = self.channel_gates(pooled)
        if not self.spatial:
            return channel * pooled
        spatial = 2 * torch.sigmoid(entry_dots(self.bag, rows, channel * self.query) + self.offset)
        values = torch.from_numpy(rows.data).to(spatial.device)
        return channel * weighted_sums(self.bag, rows, spatial * values)


def entry_dots(bag: BagOfEmbeddings, rows: Csr, vectors: Tensor) -> Tensor:
    """<E_w, v_i> for every entry (i, w) of (B, V) rows and vectors (B, c): (E,)."""
    found: Tensor = _Dots.apply(bag.weight, vectors, bag, rows)
    return found


def weighted_sums(bag: BagOfEmbeddings, rows: Csr, weights: Tensor) -> Tensor:
    """sum_w weights_(i,w) E_w over the entries of (B, V) rows, weights (E,) instead of their values: (B, c)."""
    found: Tensor = _Sums.apply(bag.weight, weights, bag, rows)
    return found


def _dots(bag: BagOfEmbeddings, rows: Csr, vectors: Tensor) -> Tensor:
    weight, vectors = bag.weight.detach(), vectors.detach()
    if weight.device.type == "cpu":
        out = torch.empty(rows.nnz)
        table = plain(weight.numpy())
        dot_rows(rows.indptr, rows.indices, table, np.ascontiguousarray(vectors.numpy()), out.numpy())
        return out
    counts = torch.from_numpy(np.diff(rows.indptr).astype(np.int64)).to(weight.device)
    indices = torch.from_numpy(rows.indices.astype(np.int64)).to(weight.device)
    owners = torch.repeat_interleave(torch.arange(len(counts), device=weight.device), counts)
    return (weight[indices] * vectors[owners]).sum(dim=1)


def _with(rows: Csr, values: Tensor) -> Csr:
    """The entries of rows with other values."""
    return Csr((values.detach().cpu().numpy(), rows.indices, rows.indptr), shape=rows.shape)


class _Dots(torch.autograd.Function):
    """`entry_dots`; the gradient of the table becomes a note of the bag."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, vectors: Tensor, bag: BagOfEmbeddings, rows: Csr) -> Tensor:
        ctx.bag, ctx.rows = bag, rows
        ctx.save_for_backward(vectors)
        return _dots(bag, rows, vectors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None, None]:
        weighted = _with(ctx.rows, gradients[0])
        ctx.bag.notes.append((weighted, ctx.saved_tensors[0].detach()))
        return None, ctx.bag.sums(weighted), None, None


class _Sums(torch.autograd.Function):
    """`weighted_sums`; the gradient of the table becomes a note of the bag."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, weights: Tensor, bag: BagOfEmbeddings, rows: Csr) -> Tensor:
        ctx.bag, ctx.rows, ctx.weighted = bag, rows, _with(rows, weights)
        return bag.sums(ctx.weighted)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None, None]:
        ctx.bag.notes.append((ctx.weighted, gradients[0]))
        return None, _dots(ctx.bag, ctx.rows, gradients[0]), None, None
