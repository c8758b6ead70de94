"""The triplet loss with a dynamic margin, for comparison with the softmax losses."""

from __future__ import annotations

import torch
from torch import Tensor

from eclare_py.model.losses import pair_shares, widened

HARDEST = 10  # negatives per document
MARGINS = (0.1, 0.3)  # least and greatest
TEMPERATURE = 0.1  # of the weights of the negatives

_FAR = -1e4  # cosine of a label that is no negative


def dynamic_margin(
    cosines: Tensor, positives: Tensor, ignored: Tensor | None = None, importance: Tensor | None = None
) -> Tensor:
    """Mean over documents of the mean over positives p of sum_n w_n max(0, s_n - s_p + m).

    n runs over the document's `HARDEST` negatives at hand, m = clamp(|s_p - s_n|, `MARGINS`) has no slope, and the w_n
    are a softmax of the violations / `TEMPERATURE` over the negatives that violate the margin, without slope either.
    Source: PRIME (Dahiya, Ortego, Jimenez, NAACL 2025). Deviation: all positives of a document count, where PRIME
    draws one in proportion to its inverse propensity.

    Args:
        cosines: (B, K) scores without the scale of a softmax.
        positives: (B, K) true where the label is relevant.
        ignored: (B, K) true for filter pairs: neither positive nor negative.
        importance: (K,) weights of labels as positives, above 0.

    Returns:
        A scalar; documents without a positive, or without a negative, count as zero.
    """
    wide = widened(cosines)
    hidden = positives if ignored is None else positives | ignored
    hardest = wide.masked_fill(hidden, _FAR).topk(min(HARDEST, wide.shape[1]), dim=1).values
    rows, columns = positives.nonzero(as_tuple=True)
    gaps = hardest[rows] - wide[rows, columns][:, None]
    violations = torch.relu(gaps + gaps.detach().abs().clamp(*MARGINS))
    fixed = violations.detach()
    weights = torch.softmax((fixed / TEMPERATURE).masked_fill(fixed == 0, _FAR), dim=1)
    shares = pair_shares(wide, rows, None if importance is None else importance[columns])
    return ((weights * violations).sum(dim=1) * shares).sum()
