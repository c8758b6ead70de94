"""Which labels share a free vector: clusters of labels that look alike before training."""

from __future__ import annotations

import torch

from eclare_py.index import balanced_kmeans
from eclare_py.model.network import EclareNetwork


def share_vectors(network: EclareNetwork, *, seed: int) -> None:
    """Cluster the labels of an untrained network that has shared vectors; without such nothing is done.

    Its label vectors are then random projections of text and neighbours, near for labels that have these in common.
    Source: DEXA (Dahiya et al., KDD 2023), clusters of label texts. The clusters are part of the network's state.

    Args:
        network: The network; its clusters are set.
        seed: Seed of the clustering.
    """
    encoder = network.label_encoder
    if encoder.shared is None:
        return
    vectors = network.encode_labels()
    found = balanced_kmeans(vectors, n_clusters=min(len(encoder.shared.weight), len(vectors)), seed=seed)
    encoder.get_buffer("clusters").copy_(torch.from_numpy(found))
