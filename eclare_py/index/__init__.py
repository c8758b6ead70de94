"""Clustered label index: representations, balanced tree, beam search."""

from __future__ import annotations

from eclare_py.index.beam import (
    alike,
    beam_search,
    candidates,
    exact_search,
    labels_scored,
    search,
    search_checked,
    search_counted,
)
from eclare_py.index.clustering import balanced_kmeans
from eclare_py.index.config import IndexConfig, LatencyConfig
from eclare_py.index.gated import GATES, gate_scores, gated_search, top_clusters
from eclare_py.index.representations import label_centroids, label_representations
from eclare_py.index.routing import centroid_routers, label_targets, mass_routers
from eclare_py.index.tree import LabelTree, build_tree

__all__ = [
    "GATES",
    "IndexConfig",
    "LatencyConfig",
    "LabelTree",
    "alike",
    "balanced_kmeans",
    "beam_search",
    "build_tree",
    "candidates",
    "centroid_routers",
    "exact_search",
    "gate_scores",
    "gated_search",
    "label_centroids",
    "label_representations",
    "label_targets",
    "labels_scored",
    "mass_routers",
    "search",
    "search_checked",
    "search_counted",
    "top_clusters",
]
