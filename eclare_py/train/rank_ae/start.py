"""Where labels start in a training of Rank-AE: at the mean of their documents."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from eclare_py.index import label_centroids
from eclare_py.model.rank_ae import RankAutoencoder
from eclare_py.types import Csr, FloatArray

_BLOCK = 4096  # documents encoded at once


@torch.no_grad()
def start_labels(network: RankAutoencoder, rows: Csr, labels: Csr, gain: float, *, seed: int) -> None:
    """Put the labels of encoder and decoder where the untrained network puts their documents (ours; no paper).

    Random word vectors tell texts apart already, so labels with a handful of documents are found from the first step.
    The mean over all documents is taken off, so that no label fits them all.

    The label encoder starts as E({l}) = F(mean document of l): with m_l the mean of the normalised word sums, P an
    orthogonal map and W the layer of F, its vectors are [m_l P, -m_l P] and its layer is [W P, -W P] but for a factor:
    the ReLU between the two then takes nothing away.

    Args:
        network: Untrained.
        rows: (N, V) TF-IDF of the train documents.
        labels: (N, L) their labels.
        gain: Score of a label for a document that is the mean of its documents.
        seed: Of P.
    """
    network.eval()
    layer = network.document
    starts = range(0, rows.shape[0], _BLOCK)
    words = torch.cat([network.norm(network.words(rows[start : start + _BLOCK])) for start in starts])
    decoded = torch.cat([network.decode(torch.sigmoid(layer(part))) for part in words.split(_BLOCK)])
    means, typical = _means(decoded, labels)
    network.labels.weight.copy_(torch.from_numpy(means * np.float32(gain / typical)))
    means, typical = _means(words, labels)
    weight = layer.weight
    half = network.sets.weight.shape[1] // 2
    turned = torch.nn.init.orthogonal_(torch.empty(words.shape[1], half), generator=torch.Generator().manual_seed(seed))
    turned = turned.to(weight.device)
    places = torch.from_numpy(means).to(weight.device) @ turned
    network.sets.weight[:, : 2 * half] = torch.cat([places, -places], dim=1)
    last = network.label_set
    last.weight[:, : 2 * half] = typical * math.sqrt(1 / half) * torch.cat([weight @ turned, -(weight @ turned)], dim=1)
    last.bias.copy_(layer(words.mean(dim=0)))


def _means(vectors: Tensor, labels: Csr) -> tuple[FloatArray, float]:
    """(L, d) unit means of the labels' documents, and how far these are from the mean of all."""
    centred = (vectors - vectors.mean(dim=0)).cpu().numpy()
    return label_centroids(centred, labels), float(np.sqrt((centred**2).sum(axis=1).mean()))
