"""Auxiliary tasks of a training: a document's positive against the hardest negatives of its batch.

One sees the pairs one by one, the other side by side. Their layers shape the encoders by their slopes and are thrown
away when the model is finished.

Source: ALC, auxiliary learning for coverage (Almagro, Ortego, Jimenez, arXiv 2510.04551): two objectives on the hardest
in-batch negatives, over pair representations that concatenate both vectors and their element-wise difference, one of
them aware of the batch. What the layers are is not in print; the formulation is ours: the products as a fourth part, a
perceptron of one hidden layer, self-attention over the labels of one document.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from eclare_py.model.auxiliary_config import AuxiliaryConfig
from eclare_py.model.losses import widened

_FAR = -1e4  # score of a label that is no negative


@dataclass(frozen=True)
class HardPairs:
    """A positive and the hardest negatives of every document that has both.

    Attributes:
        rows: (R,) documents of the batch.
        columns: (R, 1 + n) labels at hand: a positive, then negatives by falling score.
        there: (R, 1 + n) false where a document has fewer than n negatives.
    """

    rows: Tensor
    columns: Tensor
    there: Tensor


def hard_pairs(scores: Tensor, positives: Tensor, ignored: Tensor | None, count: int) -> HardPairs:
    """Draw a positive of every document, uniformly, and take its hardest negatives: neither positive nor ignored.

    Args:
        scores: (B, K) of any monotone scale; no slope goes through the choice.
        positives: (B, K) all that is known to be relevant.
        ignored: (B, K) filter pairs.
        count: n, negatives wanted.
    """
    fixed = widened(scores.detach())
    hidden = positives if ignored is None else positives | ignored
    hardest, columns = fixed.masked_fill(hidden, _FAR).topk(min(count, fixed.shape[1]), dim=1)
    known, counts = positives.nonzero()[:, 1], positives.sum(dim=1)
    rows = ((counts > 0) & (hardest > _FAR).any(dim=1)).nonzero()[:, 0]
    place = (torch.rand(len(rows), device=rows.device) * counts[rows]).long().clamp_max(counts[rows] - 1)
    drawn = known[(counts.cumsum(0) - counts)[rows] + place]
    there = torch.cat([torch.ones_like(rows, dtype=torch.bool)[:, None], hardest[rows] > _FAR], dim=1)
    return HardPairs(rows, torch.cat([drawn[:, None], columns[rows]], dim=1), there)


class PairLayer(torch.nn.Module):
    """W [q; l; |q - l|; q * l] + b of (document, label) pairs, the part of q and l once for each vector.

    Vectors of length 1 are stretched to numbers of variance 1 first, or their products would hardly be seen.

    Args:
        dim: d.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.document, self.label = torch.nn.Linear(dim, dim), torch.nn.Linear(dim, dim, bias=False)
        self.pair = torch.nn.Linear(2 * dim, dim, bias=False)
        self.stretch = dim**0.5

    def forward(self, documents: Tensor, labels: Tensor, pairs: HardPairs) -> Tensor:
        """(B, d) and (K, d) unit vectors -> (R, 1 + n, d)."""
        q, v = self.stretch * documents[pairs.rows], self.stretch * labels
        beside, each = q[:, None, :], v[pairs.columns]
        both = torch.cat([(beside - each).abs(), beside * each], dim=-1)
        return self.document(q)[:, None, :] + self.label(v)[pairs.columns] + self.pair(both)


class PairTask(torch.nn.Module):
    """Is the label relevant? The mean over documents of the BCE of the positive and the mean BCE of the negatives."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layer, self.out = PairLayer(dim), torch.nn.Linear(dim, 1)

    def forward(self, documents: Tensor, labels: Tensor, pairs: HardPairs) -> Tensor:
        """(B, d) and (K, d) unit vectors -> a scalar."""
        logits = self.out(self.layer(documents, labels, pairs).relu())[..., 0].float()
        truth = torch.zeros_like(logits)
        truth[:, 0] = 1
        each = binary_cross_entropy_with_logits(logits, truth, reduction="none") * pairs.there
        negatives = each[:, 1:].sum(dim=1) / pairs.there[:, 1:].sum(dim=1)
        return (each[:, 0] + negatives).mean()


class ContextTask(torch.nn.Module):
    """Which label is the relevant one? The pairs of a document look at each other before each gets its score.

    Softmax cross-entropy over the 1 + n scores. Order plays no part: where the positive stands is not given away.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layer = PairLayer(dim)
        self.attention = torch.nn.MultiheadAttention(dim, 1, batch_first=True)
        self.out = torch.nn.Linear(dim, 1)

    def logits(self, documents: Tensor, labels: Tensor, pairs: HardPairs) -> Tensor:
        """(B, d) and (K, d) unit vectors -> (R, 1 + n)."""
        each = self.layer(documents, labels, pairs)
        seen, _ = self.attention(each, each, each, key_padding_mask=~pairs.there, need_weights=False)
        found: Tensor = self.out((each + seen).relu())[..., 0].float()
        return found.masked_fill(~pairs.there, _FAR)

    def forward(self, documents: Tensor, labels: Tensor, pairs: HardPairs) -> Tensor:
        """(B, d) and (K, d) unit vectors -> a scalar."""
        logits = self.logits(documents, labels, pairs)
        return cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


class AuxiliaryTasks(torch.nn.Module):
    """The tasks of a recipe.

    Args:
        dim: d.
        config: Weights, of which one at least is above 0, and the number of negatives.
        seed: Seed of the start values; drawing them leaves the random state outside as it was.
    """

    def __init__(self, dim: int, config: AuxiliaryConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.pair = PairTask(dim) if config.pair_weight > 0 else None
            self.context = ContextTask(dim) if config.context_weight > 0 else None

    def forward(
        self, documents: Tensor, labels: Tensor, scores: Tensor, positives: Tensor, ignored: Tensor | None = None
    ) -> Tensor:
        """Weighted sum of the tasks.

        Args:
            documents: (B, d) unit vectors.
            labels: (K, d) unit vectors of the labels at hand.
            scores: (B, K) by which negatives are hard; without slope.
            positives: (B, K) true where the label is relevant.
            ignored: (B, K) true for filter pairs.

        Returns:
            A scalar; 0 where no document has a positive and a negative.
        """
        pairs = hard_pairs(scores, positives, ignored, self.config.negatives)
        total = documents.new_zeros(())
        if not len(pairs.rows):
            return total
        if self.pair is not None:
            total = total + self.config.pair_weight * self.pair(documents, labels, pairs)
        if self.context is not None:
            total = total + self.config.context_weight * self.context(documents, labels, pairs)
        return total
