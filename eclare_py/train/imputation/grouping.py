"""Groups of documents, to make aggregated labels of a data set whose labels are known."""

from __future__ import annotations

import numpy as np

from eclare_py.data.dataset import Dataset
from eclare_py.errors import UsageError
from eclare_py.features.tfidf import FeatureConfig, TfidfFeatures
from eclare_py.index.clustering import balanced_kmeans
from eclare_py.train.imputation.projection import project
from eclare_py.types import IntArray

_DIMENSIONS = 64  # of the vectors that like documents are found by


def form_groups(dataset: Dataset, *, size: int, by: str = "random", seed: int = 0) -> IntArray:
    """(N,) group of each document, sizes equal up to one and at most `size`.

    Args:
        dataset: The documents; their labels are not looked at.
        size: Most members of a group.
        by: "random", or "similar": balanced clusters of the TF-IDF of the texts: members are hard to tell apart.
        seed: The same gives the same groups.

    Raises:
        UsageError: An unknown way, or a size below 1.
    """
    if by not in ("random", "similar"):
        raise UsageError(f"by={by!r} is unknown: choose random or similar")
    if size < 1:
        raise UsageError(f"size={size} must be at least 1")
    n_groups = max(1, -(-dataset.n_documents // size))
    if by == "similar":
        features = TfidfFeatures.fit(dataset.texts, config=FeatureConfig(min_df=1))
        vectors = project(features.transform(dataset.texts), _DIMENSIONS, seed=seed)
        return balanced_kmeans(vectors, n_clusters=n_groups, seed=seed)
    groups = np.empty(dataset.n_documents, dtype=np.int64)
    order = np.random.default_rng(seed).permutation(dataset.n_documents)
    groups[order] = np.arange(dataset.n_documents, dtype=np.int64) * n_groups // max(dataset.n_documents, 1)
    return groups
