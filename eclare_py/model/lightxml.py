"""The two heads of LightXML over a document vector, and their joint loss."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.lightxml_config import LightXmlConfig
from eclare_py.types import Csr, FloatArray, IntArray


class LightHeads(torch.nn.Module):
    """Generator g(f) = W_g f + b_g over G groups; discriminator <E_l, W_1 f + b_1> over labels (methods.md 2.5).

    Source: LightXML (Jiang et al., AAAI 2021), section 3. Deviations: f is the encoder's unit vector x times sqrt(t)
    instead of the transformer's raw states, so that any encoder fits and its components are about one; the generator's
    biases start at the groups' shares of the documents, which takes away the first thousand steps of a short training;
    label vectors learn by row-wise Adagrad, so that only labels at hand are touched and a label costs one float more.

    Args:
        dim: t, length of the document vector.
        shares: (G,) share of the documents that have a label of each group.
        n_labels: L.
        config: Bottleneck, dropout.
        seed: Of the start values.
    """

    def __init__(self, dim: int, shares: FloatArray, n_labels: int, config: LightXmlConfig, *, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.scale = math.sqrt(dim)
        self.dropout = torch.nn.Dropout(config.dropout)
        self.generator = torch.nn.Linear(dim, len(shares))
        with torch.no_grad():
            self.generator.bias.copy_(torch.logit(torch.from_numpy(shares), eps=1e-5))
        self.bottleneck = torch.nn.Linear(dim, config.hidden)
        xavier = math.sqrt(2 / (n_labels + config.hidden))
        self.labels = BagOfEmbeddings(n_labels, config.hidden, scale=xavier)

    def features(self, vectors: Tensor) -> Tensor:
        """Unit vectors (B, t) -> f (B, t), with dropout in training."""
        dropped: Tensor = self.dropout(self.scale * vectors)
        return dropped

    def label_logits(self, features: Tensor, at_hand: IntArray, columns: IntArray) -> Tensor:
        """Logits (B, K) of candidates.

        Args:
            features: (B, t) from `features`.
            at_hand: (u,) distinct labels.
            columns: (B, K) candidates of each document, by their place in `at_hand`.
        """
        n_labels = len(self.labels.weight)
        pointers = np.arange(len(at_hand) + 1)
        rows = Csr((np.ones(len(at_hand), np.float32), at_hand, pointers), shape=(len(at_hand), n_labels))
        # One product with all labels at hand, as documents share most of them; then each takes its own.
        products = self.bottleneck(features) @ self.labels(rows).T
        return products.gather(1, torch.from_numpy(columns).to(products.device))

    @torch.no_grad()
    def folded(self) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
        """Vectors and biases of groups (G, t), (G,) and of labels (L, t), (L,), to be multiplied with unit vectors.

        <E_l, W_1 s x + b_1> = <s W_1^T E_l, x> + <E_l, b_1>: the bottleneck goes into the label vectors.
        """
        table, bottleneck = self.labels.weight, self.bottleneck
        labels, label_bias = self.scale * (table @ bottleneck.weight), table @ bottleneck.bias
        groups, group_bias = self.scale * self.generator.weight, self.generator.bias
        return (_numpy(groups), _numpy(group_bias)), (_numpy(labels), _numpy(label_bias))


def masked_bce(logits: Tensor, positives: Tensor, counted: Tensor) -> Tensor:
    """Mean binary cross entropy over the counted cells of (B, K) logits; 0 where none counts."""
    cells = binary_cross_entropy_with_logits(logits.float(), positives.float(), counted.float(), reduction="sum")
    mean: Tensor = cells / counted.sum().clamp(min=1)
    return mean


def _numpy(tensor: Tensor) -> FloatArray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
