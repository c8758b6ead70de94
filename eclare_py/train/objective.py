"""What a training step makes smaller: the loss of a batch, by the recipe's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.model.losses import SoftTargets, decoupled_softmax, softmax_cross_entropy
from eclare_py.model.margin import dynamic_margin
from eclare_py.model.multi_instance import pooled
from eclare_py.train.batches import Batch
from eclare_py.types import FloatArray, IntArray

if TYPE_CHECKING:
    from eclare_py.train.recipe import TrainingConfig


@dataclass(frozen=True)
class Objective:
    """The loss of a batch.

    Attributes:
        kind: "decoupled", "softmax" or "margin".
        importance: (L,) weights of labels as positives, or None where all weigh the same.
    """

    kind: str = "decoupled"
    importance: FloatArray | None = None

    def loss(self, scores: Tensor, batch: Batch, log_scale: Tensor) -> Tensor:
        """(B, l) logits -> a scalar, over documents, or over groups where the batch has such.

        Margins are those of cosines, so the scale is taken out again for them.
        """
        device, bags = scores.device, batch.bags
        known = batch if bags is None else bags
        positives, ignored = (torch.from_numpy(mask).to(device) for mask in (known.positives, known.ignored))
        if bags is not None:
            groups, mask = (torch.from_numpy(part).to(device) for part in (bags.groups, bags.mask))
            scores = pooled(scores, groups, len(positives), mask)
        importance = None
        if self.importance is not None:
            importance = torch.from_numpy(self.importance[batch.labels]).to(device)
        if self.kind == "softmax":
            return softmax_cross_entropy(scores, positives, ignored, importance)
        if self.kind == "margin":
            return dynamic_margin(scores / log_scale.exp(), positives, ignored, importance)
        soft = None
        if batch.soft is not None:
            soft = SoftTargets(*(torch.from_numpy(part).to(device) for part in batch.soft))
        return decoupled_softmax(scores, positives, ignored, importance, soft)


def objective_of(settings: TrainingConfig, frequencies: IntArray, n_documents: int) -> Objective:
    """The objective of a recipe.

    PRIME (NAACL 2025) draws one positive of a document in proportion to its inverse propensity; a mean with these
    weights is what such draws come to, without their noise.

    Args:
        settings: The recipe's training section.
        frequencies: (L,) train documents per label.
        n_documents: Train documents.
    """
    if settings.positive_weight == "uniform":
        return Objective(settings.loss)
    return Objective(settings.loss, inverse_propensities(frequencies, n_documents).astype(np.float32))
