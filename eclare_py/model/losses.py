"""Losses over the scores of a batch of documents against a shared set of labels."""

from __future__ import annotations

import torch
from torch import Tensor

_HIDDEN = -1e4  # exp of it is zero in float32 and in bfloat16


def decoupled_softmax(scores: Tensor, positives: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Mean over documents of the mean over their positives p of -log e^{s_p} / (e^{s_p} + sum_{n not in P} e^{s_n}).

    Positives do not compete with each other, which matters where a document has many labels.
    Source: DEXML (Gupta et al., ICLR 2024), decoupled softmax; here over the labels at hand instead of all L.

    Args:
        scores: (B, K) logits.
        positives: (B, K) true where the label is relevant.
        ignored: (B, K) true for filter pairs: neither positive nor negative.

    Returns:
        A scalar; documents without a positive at hand count as zero.
    """
    hidden = positives if ignored is None else positives | ignored
    negatives = scores.masked_fill(hidden, _HIDDEN).logsumexp(dim=1, keepdim=True)
    weights = positives / positives.sum(dim=1, keepdim=True).clamp(min=1)
    return (torch.nn.functional.softplus(negatives - scores) * weights).sum(dim=1).mean()
