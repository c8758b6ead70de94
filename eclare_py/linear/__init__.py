"""XR-Linear: one linear classifier per label and tree node, on sparse features (PECOS; Parabel)."""

from __future__ import annotations

from eclare_py.linear.config import LinearConfig
from eclare_py.linear.model import LinearRanker
from eclare_py.linear.training import fit_level, fit_linear
from eclare_py.linear.tree import pifa_tree, projected_means

__all__ = ["LinearConfig", "LinearRanker", "fit_level", "fit_linear", "pifa_tree", "projected_means"]
