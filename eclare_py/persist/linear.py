"""Models of linear rankers on disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from eclare_py.errors import ModelError
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.linear import LinearConfig, LinearRanker
from eclare_py.persist.checks import MEND, count_of, frequencies_of, section
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.pipeline import LabelTable
from eclare_py.storage import State, read_part, read_state

TRANSFORMER = "transformer"  # folder of a sentence-transformers model inside a model folder


def linear_states(pipeline: LinearPipeline) -> dict[str, State]:
    """What is saved of a linear model, by part."""
    dense = {} if pipeline.dense is None else {"dense": pipeline.dense.dim}
    seen = State({"frequencies": pipeline.frequencies}, {"n_documents": pipeline.n_documents, **dense})
    trees = {f"linear{i}": tree.state() for i, tree in enumerate(pipeline.trees)}
    return {"features": pipeline.features.state(), "labels_seen": seen, **trees}


def linear_pipeline(
    folder: Path, recipe: dict[str, Any], features: TfidfFeatures, table: LabelTable, facts: dict[str, Any]
) -> LinearPipeline:
    """Read a linear model."""
    config = section(folder, recipe, LinearConfig, "linear")
    state = read_state(folder, "labels_seen")
    dense = None
    if "dense" in state.meta:
        dim = count_of(folder, "labels_seen", state, "dense")
        # Nothing of the transformer is read before the first text is.
        transformer = section(folder, recipe, TransformerConfig, "transformer")
        dense = DenseColumns.stored(transformer, folder / TRANSFORMER, dim, config.dense_weight)
    n_features = features.n_features + (0 if dense is None else dense.dim)
    trees = [read_linear(folder, f"linear{i}", config, len(table.texts), n_features) for i in range(config.trees)]
    n_documents = count_of(folder, "labels_seen", state, "n_documents")
    frequencies = frequencies_of(folder, "labels_seen", state, len(table.texts), n_documents)
    if dense is not None and any(tree.n_features != n_features for tree in trees):
        raise ModelError(f"{folder / 'labels_seen.json'}: the trees do not have {dense.dim} dense columns; {MEND}")
    return LinearPipeline(recipe, features, trees, frequencies, n_documents, table, facts, dense)


def read_linear(folder: Path, part: str, config: LinearConfig, n_labels: int, n_features: int) -> LinearRanker:
    """Read a linear ranker that belongs to so many labels and features."""
    linear = read_part(folder, part, partial(LinearRanker.from_state, config=config))
    if len(linear.label_order) != n_labels or linear.n_features > n_features:
        raise ModelError(
            f"{folder / part}.safetensors: over {len(linear.label_order)} labels and {linear.n_features} features, the "
            f"model has {n_labels} and {n_features}; {MEND}"
        )
    return linear
