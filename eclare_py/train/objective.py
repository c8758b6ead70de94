"""What a training step makes smaller: the loss of a batch, by the recipe's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from eclare_py.distributed import Group
from eclare_py.errors import UsageError
from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.model.auxiliary import AuxiliaryTasks
from eclare_py.model.auxiliary_config import ThresholdMarginConfig
from eclare_py.model.losses import SoftTargets, decoupled_softmax, softmax_cross_entropy
from eclare_py.model.margin import dynamic_margin
from eclare_py.model.multi_instance import pooled
from eclare_py.model.shared_losses import shared_softmax
from eclare_py.model.threshold_margin import threshold_margin
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
        margin: The threshold-consistent margin that is added, if any.
    """

    kind: str = "decoupled"
    importance: FloatArray | None = None
    margin: ThresholdMarginConfig | None = None

    def loss(self, scores: Tensor, batch: Batch, log_scale: Tensor) -> Tensor:
        """(B, l) logits -> a scalar, over documents, or over groups where the batch has such.

        Margins are those of cosines, so the scale is taken out again for them.
        """
        device, bags = scores.device, batch.bags
        positives, ignored = masks_of(batch, device)
        if bags is not None:
            groups, mask = (torch.from_numpy(part).to(device) for part in (bags.groups, bags.mask))
            scores = pooled(scores, groups, len(positives), mask)
        importance = None
        if self.importance is not None:
            importance = torch.from_numpy(self.importance[batch.labels]).to(device)
        if self.kind == "margin":
            loss = dynamic_margin(scores / log_scale.exp(), positives, ignored, importance)
        elif self.kind == "softmax":
            loss = softmax_cross_entropy(scores, positives, ignored, importance)
        else:
            loss = decoupled_softmax(scores, positives, ignored, importance, soft_of(batch, device))
        if self.margin is None:
            return loss
        cosines = scores / log_scale.exp()
        return loss + self.margin.weight * threshold_margin(cosines, *certain_masks(batch, device), self.margin)

    def shared_loss(self, scores: Tensor, batch: Batch, group: Group) -> Tensor:
        """(B, l) logits for the labels of this process -> its part of the loss; the parts add up to `loss`.

        Raises:
            UsageError: A loss that needs all labels in one place.
        """
        if self.kind not in ("decoupled", "softmax") or self.margin is not None or batch.bags is not None:
            raise UsageError("several processes train by a softmax (training.loss), without margins and groups")
        device = scores.device
        importance = None
        if self.importance is not None:
            importance = torch.from_numpy(self.importance[batch.labels]).to(device)
        compete = self.kind == "softmax"
        return shared_softmax(
            scores, *masks_of(batch, device), importance, None if compete else soft_of(batch, device),
            compete=compete, group=group,
        )  # fmt: skip


def soft_of(batch: Batch, device: torch.device) -> SoftTargets | None:
    """The pairs that are relevant in part, if any."""
    return None if batch.soft is None else SoftTargets(*(torch.from_numpy(part).to(device) for part in batch.soft))


def masks_of(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """(B, l) positives and filter pairs, of documents, or of groups where the batch has such."""
    known = batch if batch.bags is None else batch.bags
    return torch.from_numpy(known.positives).to(device), torch.from_numpy(known.ignored).to(device)


def certain_masks(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """(B, l) positives, and all that is no negative for sure: filter pairs and pairs that are relevant in part."""
    positives, ignored = masks_of(batch, device)
    if batch.soft is not None:
        ignored = ignored.clone()  # the batch's own array is behind it
        ignored[torch.from_numpy(batch.soft[0]), torch.from_numpy(batch.soft[1])] = True
    return positives, ignored


def auxiliary_loss(
    tasks: AuxiliaryTasks | None, documents: Tensor, vectors: Tensor, scores: Tensor, batch: Batch
) -> Tensor | float:
    """What the auxiliary tasks add to the loss: 0 where there are none.

    Args:
        tasks: Of the network, if any.
        documents: (B, d) vectors of the batch.
        vectors: (l, d) of the labels at hand.
        scores: (B, l) by which negatives are hard.
        batch: What is relevant.
    """
    if tasks is None:
        return 0.0
    loss: Tensor = tasks(documents, vectors, scores, *certain_masks(batch, scores.device))
    return loss


def objective_of(settings: TrainingConfig, frequencies: IntArray, n_documents: int) -> Objective:
    """The objective of a recipe.

    PRIME (NAACL 2025) draws one positive of a document in proportion to its inverse propensity; a mean with these
    weights is what such draws come to, without their noise.

    Args:
        settings: The recipe's training section.
        frequencies: (L,) train documents per label.
        n_documents: Train documents.
    """
    importance = None
    if settings.positive_weight != "uniform":
        importance = inverse_propensities(frequencies, n_documents).astype(np.float32)
    margin = settings.threshold_margin
    return Objective(settings.loss, importance, margin if margin.weight else None)
