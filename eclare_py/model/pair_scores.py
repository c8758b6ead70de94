"""Classifiers of labels, scored for a shortlist of each document; only rows on a shortlist are touched.

A document is scored against K of L labels. Gathering their vectors would copy B K d numbers a step; here a compiled
loop reads them where they are. The gradient by the vectors is G^T X with G (B, L) sparse, which is what the bag of
embeddings already turns into row-wise Adagrad updates, see `model/bag.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from eclare_py.kernel_flags import SUM_FLAGS
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray, IntArray


def pair_products(documents: FloatArray, vectors: FloatArray, labels: IntArray, out: FloatArray) -> None:
    """out[i, j] = <documents[i], vectors[labels[i, j]]>, 0 where the label is below 0; out (B, K)."""
    over_rows(_pair_products, len(labels), documents, vectors, labels, out, at_once=32)


@njit(cache=True, nogil=True, fastmath=SUM_FLAGS)
def _pair_products(
    start: int, stop: int, documents: FloatArray, vectors: FloatArray, labels: IntArray, out: FloatArray
) -> None:
    for row in range(start, stop):
        for j in range(labels.shape[1]):
            total, label = np.float32(0.0), labels[row, j]
            if label >= 0:
                for k in range(documents.shape[1]):
                    total += documents[row, k] * vectors[label, k]
            out[row, j] = total


class _PairScores(torch.autograd.Function):
    """Documents -> scores; the backward pass leaves a note with the bag instead of an (L, d) gradient."""

    @staticmethod
    def forward(ctx: Any, documents: Tensor, weight: Tensor, bag: BagOfEmbeddings, labels: IntArray) -> Tensor:
        ctx.bag, ctx.labels = bag, labels
        ctx.save_for_backward(documents)
        return _products(documents, weight, labels)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        documents: Tensor = ctx.saved_tensors[0]
        kept = ctx.labels >= 0
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
        slopes = gradients[0].detach().cpu().numpy()[kept].astype(np.float32)
        rows = Csr((slopes, ctx.labels[kept], indptr), shape=(len(kept), len(ctx.bag.weight)))
        ctx.bag.notes.append((rows, documents.detach()))
        return ctx.bag.sums(rows), None, None, None


def _products(documents: Tensor, weight: Tensor, labels: IntArray) -> Tensor:
    if documents.device.type == "cpu":
        out = torch.empty(labels.shape)
        pair_products(documents.detach().contiguous().numpy(), weight.detach().numpy(), labels, out.numpy())
        return out
    chosen = torch.from_numpy(np.maximum(labels, 0)).to(documents.device)
    scores = torch.einsum("bd,bkd->bk", documents.detach(), weight.detach()[chosen])
    return scores * torch.from_numpy(labels >= 0).to(documents.device)


class LabelClassifiers(torch.nn.Module):
    """score(x, l) = <x, w_l> + b_l for the labels of each document's shortlist.

    Args:
        n_labels: L.
        dim: d.
        bias: Start of every bias; well below 0, as most labels of a shortlist are wrong.
    """

    def __init__(self, n_labels: int, dim: int, *, bias: float = -4.0) -> None:
        super().__init__()
        self.vectors = BagOfEmbeddings(n_labels, dim, scale=0.0)
        self.bias = torch.nn.Parameter(torch.full((n_labels,), float(bias)))

    def forward(self, documents: Tensor, labels: IntArray) -> Tensor:
        """(B, d) documents, (B, K) labels (below 0: none) -> (B, K) logits; gradients of vectors are noted."""
        scores: Tensor
        if torch.is_grad_enabled():
            scores = _PairScores.apply(documents, self.vectors.weight, self.vectors, labels)
        else:
            scores = _products(documents, self.vectors.weight, labels)
        return scores + self.bias[torch.from_numpy(np.maximum(labels, 0)).to(scores.device)]

    @torch.no_grad()
    def restart(self, vectors: Tensor | None, bias: float) -> None:
        """Forget what was learned; start from the vectors (L, d), zeros where not given."""
        if vectors is None:
            self.vectors.weight.zero_()
        else:
            self.vectors.weight.copy_(vectors)
        self.vectors.accumulator.zero_()
        self.vectors.notes = []
        self.bias.fill_(bias)
