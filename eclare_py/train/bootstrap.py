"""What linear models give to a resolution of XR-Transformer: the start of its classifiers, and hard clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from eclare_py.features.dense_columns import append_dense
from eclare_py.linear import LinearConfig, LinearRanker, fit_level
from eclare_py.linear.model import Beam
from eclare_py.model.level_head import LevelHead
from eclare_py.train.recipe import Recipe
from eclare_py.train.resolutions import Resolution
from eclare_py.types import Csr, FloatArray, IntArray

_BLOCK = 4096  # documents searched at once
_THRESHOLD = 1e-3  # PECOS: smaller weights of the concatenated model are dropped


def linear_head(
    vectors: FloatArray, seen: Csr, counts: Csr, child_ptr: IntArray, recipe: Recipe, device: torch.device | str
) -> LevelHead:
    """Classifiers that start as linear ones on the vectors so far.

    Args:
        vectors: (n, t).
        seen: (n, P) M of the resolution.
        counts: (n, C) labels in each cluster.
        child_ptr: (P+1,) clusters of every parent.
        recipe: Settings.
        device: Where the head is to be.
    """
    settings = recipe.resolutions
    config = LinearConfig(
        loss="squared-hinge" if settings.loss == "squared-hinge" else "logistic", cost=settings.bootstrap_cost,
        rounds=settings.bootstrap_rounds, threshold=0.0, cost_sensitive=settings.weighted,
    )  # fmt: skip
    empty = Csr((len(vectors), 0), dtype=np.float32)
    level = fit_level(append_dense(empty, vectors), seen, counts, child_ptr, config, seed=recipe.seed)
    return LevelHead(np.asarray(level.matrix().toarray(), np.float32), level.bias, device)


def matcher_beam(
    documents: Csr, level: Resolution, counts: Csr, seen: Csr, above: Beam | None, trained: IntArray, recipe: Recipe
) -> Beam:
    """The clusters of a resolution that a linear model on TF-IDF and vectors picks, below those it picked before.

    Args:
        documents: (N, V + t).
        level: The resolution.
        counts: (N, C) labels in each cluster.
        seen: (N, P) M of the resolution.
        above: What was picked at the coarser one; None for the coarsest.
        trained: Documents that the model learns from.
        recipe: Settings.

    Returns:
        (N, b) clusters, best first.
    """
    config = replace(recipe.linear, threshold=min(recipe.linear.threshold, _THRESHOLD))
    chunks = fit_level(
        documents[trained], seen[trained], counts[trained], level.child_ptr, config, seed=recipe.seed
    )  # fmt: skip
    ranker = LinearRanker([chunks], np.arange(level.n_clusters), config, documents.shape[1])
    n, size = documents.shape[0], min(recipe.resolutions.man_beam, level.n_clusters)
    if above is None:
        above = Beam(*(np.zeros((n, 1), kind) for kind in (np.int64, np.float32, np.float32)))
    parts = []
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = Beam(above.nodes[rows], above.scores[rows], above.margins[rows])
        parts.append(ranker.step(documents[rows], chunks, block, size))
    return Beam(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("nodes", "scores", "margins")))
