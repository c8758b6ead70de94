"""Clusters of similar documents for batches: what shares a step has labels that are hard to tell apart.

Source: NGAME (Dahiya et al., WSDM 2023): clusters over the vectors as training stands, refreshed every few epochs,
small at first and doubled, so that negatives get harder as the vectors get better. Deviation: the size doubles at every
refresh instead of at listed epochs, as there are few epochs here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eclare_py.index import balanced_kmeans
from eclare_py.types import FloatArray, IntArray

if TYPE_CHECKING:
    from eclare_py.train.recipe import TrainingConfig


def cluster_size(settings: TrainingConfig, epoch: int) -> int | None:
    """Documents per cluster for new clusters at the start of an epoch (from 0).

    None where the batches are random, where the clusters of the epoch before still hold, and where a cluster would be
    one document, which is what random batches are.
    """
    if settings.batches != "clustered" or epoch % settings.batch_refresh:
        return None
    size = min(settings.batch_clusters << min(epoch // settings.batch_refresh, 30), settings.batch_size)
    return size if size > 1 else None


def clustered(vectors: FloatArray, size: int, *, batch_size: int, seed: int) -> IntArray:
    """Group documents by balanced spherical 2-means over their vectors.

    Args:
        vectors: (N, d) document vectors.
        size: Documents per cluster, about.
        batch_size: Documents per step; every step gets the same number of clusters, at least one.
        seed: Seed.

    Returns:
        (N,) cluster of each document; sizes differ by at most one.
    """
    steps = -(-len(vectors) // batch_size)
    per_step = max(1, min(round(len(vectors) / (steps * size)), len(vectors) // steps))
    return balanced_kmeans(vectors, n_clusters=steps * per_step, seed=seed)
