"""How well the classifiers of a resolution find the clusters of held-out documents."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.metrics.judged import Judged
from eclare_py.metrics.ratios import recall
from eclare_py.model.level_head import LevelHead
from eclare_py.train.resolutions import dense_part
from eclare_py.types import Csr, FloatArray, rank


@torch.no_grad()
def cluster_recall(head: LevelHead, vectors: FloatArray, counts: Csr, candidates: Csr | None, k: int) -> float:
    """R@k of clusters, in 0..1.

    Args:
        head: Classifiers of C clusters.
        vectors: (H, t).
        counts: (H, C) labels in each cluster.
        candidates: (H, C) clusters that are ranked; None: all.
        k: Clusters that count.
    """
    margins = head.scores(torch.from_numpy(vectors).to(head.weight.device)).cpu().numpy()
    if candidates is not None:
        margins = np.where(dense_part(candidates, None) > 0, margins, -np.inf)
    ranking = rank(margins.astype(np.float32), min(k, margins.shape[1]))
    return float(recall(Judged.of(ranking, counts), k).share)
