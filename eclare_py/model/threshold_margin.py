"""The regulariser that lets one threshold do for all labels: cosines of positives above it, of negatives below."""

from __future__ import annotations

import torch
from torch import Tensor

from eclare_py.model.auxiliary_config import ThresholdMarginConfig
from eclare_py.model.losses import widened


def threshold_margin(
    cosines: Tensor, positives: Tensor, ignored: Tensor | None, config: ThresholdMarginConfig
) -> Tensor:
    """Mean of m+ - s over the positives with s <= m+, and mean of s - m- over the negatives with s >= m-.

        L = w+ sum_P (m+ - s) [s <= m+] / sum_P [s <= m+]  +  w- sum_N (s - m-) [s >= m-] / sum_N [s >= m-]

    Pairs on the right side of their margin neither count nor have a slope. A part without any pair on the wrong side
    is 0. Source: TCM, the threshold-consistent margin loss (Zhang et al., ICLR 2024), here over the labels at hand, as
    Almagro et al. (arXiv 2510.04551) add it to the loss of an extreme classifier. `config.weight` is not applied.

    Args:
        cosines: (B, K) similarities.
        positives: (B, K) true where the label is relevant.
        ignored: (B, K) true for pairs that are neither positive nor negative.
        config: Margins m+ and m-, weights w+ and w-.

    Returns:
        A scalar.
    """
    wide = widened(cosines)
    negatives = ~(positives if ignored is None else positives | ignored)
    low = wide[positives & (wide <= config.positive)]
    high = wide[negatives & (wide >= config.negative)]
    return config.positive_weight * _mean(config.positive - low) + config.negative_weight * _mean(
        high - config.negative
    )


def _mean(violations: Tensor) -> Tensor:
    """The mean; 0, with a slope of 0, of none."""
    return violations.sum() / torch.tensor(max(len(violations), 1), dtype=violations.dtype, device=violations.device)
