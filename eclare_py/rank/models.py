"""Every kind of trained model; all have `rank`, `describe`, `n_labels`, `frequencies`, `n_documents` and `labels`."""

from __future__ import annotations

from typing import TypeAlias

from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.pipeline import Pipeline

Model: TypeAlias = Pipeline | LinearPipeline | ClusterPipeline


def method_of(model: Model) -> str:
    """The method as the recipe names it; models of earlier versions are of the fusion."""
    return str(model.recipe.get("method", "fusion"))
