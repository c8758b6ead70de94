"""Settings of what a training may minimise beside its loss; off by default, and no part of a finished model."""

from __future__ import annotations

from dataclasses import dataclass

from eclare_py.config import option


@dataclass(frozen=True)
class ThresholdMarginConfig:
    """Cosines of positives above a margin, those of negatives below another, so that one threshold does for all."""

    weight: float = option(0.0, "of the regulariser in the loss; 0: none", low=0.0)
    positive: float = option(0.9, "cosine that positives shall have at least", low=-1.0, high=1.0)
    negative: float = option(0.5, "cosine that negatives shall have at most", low=-1.0, high=1.0)
    positive_weight: float = option(1.0, "of the positives below their margin", low=0.0)
    negative_weight: float = option(1.0, "of the negatives above theirs", low=0.0)

    def __post_init__(self) -> None:
        if self.negative > self.positive:
            raise ValueError(f"negative={self.negative} must not be above positive={self.positive}")


@dataclass(frozen=True)
class AuxiliaryConfig:
    """Two tasks on a document's positive and its hardest negatives in the batch, solved by layers of their own."""

    pair_weight: float = option(0.0, "of the task: is this label relevant for this document? 0: none", low=0.0)
    context_weight: float = option(
        0.0, "of the task: which of these labels is the relevant one, seen side by side? 0: none", low=0.0
    )
    negatives: int = option(5, "hardest negatives of a document in these tasks", low=1)

    @property
    def used(self) -> bool:
        """Whether there is any task."""
        return self.pair_weight > 0 or self.context_weight > 0
