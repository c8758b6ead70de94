"""One score a group and label of the scores of its members: the multi-instance head of EAGLE.

Source: Shen et al. (ICML 2020), figure 2 as its caption tells: a mask from who is likely to carry a label, times the
logit, and the maximum over the members; Feng and Zhou (AAAI 2017) for the maximum alone. Deviation: a mask makes a
positive logit smaller and leaves a negative one, which a product would lift.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pooled(scores: Tensor, groups: Tensor, n_groups: int, mask: Tensor) -> Tensor:
    """out[g, l] = max over members i of g of min(mask[i, l] * z[i, l], z[i, l]).

    Args:
        scores: (B, l) logits z of members.
        groups: (B,) group of each, 0..M-1; every group has a member.
        n_groups: M.
        mask: (B, l) between 0 and 1.

    Returns:
        (M, l) logits of groups.
    """
    masked = torch.minimum(mask.to(scores.dtype) * scores, scores)
    start = scores.new_full((n_groups, scores.shape[1]), -torch.inf)
    return start.scatter_reduce(0, groups[:, None].expand_as(masked), masked, "amax", include_self=True)
