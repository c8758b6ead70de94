"""Models of label vectors under gated clusters on disk."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.index import LabelTree
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.model.frozen_attention import FrozenAttention
from eclare_py.persist.checks import MEND, checked_array, count_of, frequencies_of, section
from eclare_py.persist.fusion import read_encoder
from eclare_py.persist.linear import TRANSFORMER
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pair_ranker import PairRanker
from eclare_py.rank.pipeline import LabelTable
from eclare_py.storage import State, about_part, read_part, read_state
from eclare_py.storage.vectors import read_dense, vectors_to_arrays

_PART = "classifiers"


def cluster_states(pipeline: ClusterPipeline) -> dict[str, State]:
    """What is saved, by part.

    Raises:
        ModelError: A label classifier is not finite.
    """
    vectors = vectors_to_arrays("vectors", pipeline.vectors)
    meta = {"beam": pipeline.beam, "shortlist": pipeline.shortlist, "n_documents": pipeline.n_documents}
    meta["pairs"] = int(pipeline.pairs is not None)
    more = {} if pipeline.pairs is None else pipeline.pairs.states()
    encoder = pipeline.encoder
    if isinstance(encoder, DenseColumns):
        meta["dense"] = encoder.dim  # the transformer itself lies in a folder of its own
    return {
        "features": pipeline.features.state(),
        **({} if isinstance(encoder, DenseColumns) else {"encoder": encoder.state()}),
        "clusters": pipeline.index.state(),
        _PART: State(vectors | {"bias": pipeline.bias, "frequencies": pipeline.frequencies}, meta),
        **more,
    }


def cluster_pipeline(
    folder: Path, recipe: dict[str, Any], features: TfidfFeatures, table: LabelTable, facts: dict[str, Any]
) -> ClusterPipeline:
    """Read a model of label vectors."""
    encoder, n_labels = _encoder(folder, recipe, features), len(table.texts)
    index = read_part(folder, "clusters", partial(_index, n_labels=n_labels, dim=encoder.dim))
    state = read_state(folder, _PART)
    beam, shortlist, n_documents = (count_of(folder, _PART, state, n) for n in ("beam", "shortlist", "n_documents"))
    vectors = read_dense(folder, _PART, state, "vectors", n_labels, encoder.dim)
    bias = checked_array(folder, _PART, state, "bias", np.float32, (n_labels,))
    frequencies = frequencies_of(folder, _PART, state, n_labels, n_documents)
    pairs = None
    if state.meta.get("pairs"):
        width = encoder.dim + features.n_features
        parts = read_state(folder, "pairs"), read_state(folder, "mixture")
        with about_part(folder, "pairs"):
            pairs = PairRanker.from_states(*parts, n_labels=n_labels, n_features=width)
    return ClusterPipeline(
        recipe, features, encoder, index, vectors, bias, beam, shortlist, frequencies, n_documents, table, facts, pairs
    )


def _index(state: State, n_labels: int, dim: int) -> LabelTree:
    """The gated clusters of so many labels and dimensions."""
    index = LabelTree.from_state(state)
    if index.n_labels != n_labels or index.routers.shape[1] != dim:
        raise ModelError(
            f"clusters: the index has the score {index.score!r} over {index.n_labels} labels of "
            f"{index.routers.shape[1]} dimensions, the model {n_labels} of {dim}; {MEND}"
        )
    return index


def _encoder(
    folder: Path, recipe: dict[str, Any], features: TfidfFeatures
) -> FrozenEncoder | FrozenAttention | DenseColumns:
    """The document encoder of a model of label vectors."""
    if recipe.get("method") == "rank_ae":
        encoder = read_part(folder, "encoder", FrozenAttention.from_state)
        if encoder.n_terms != features.n_features:  # compiled sums do not look at bounds
            raise ModelError(
                f"{folder / 'encoder.safetensors'}: the encoder knows {encoder.n_terms} terms, the features "
                f"{features.n_features}; {MEND}"
            )
        return encoder
    return read_encoder(folder, features) if (folder / "encoder.json").exists() else _own_vectors(folder, recipe)


def _own_vectors(folder: Path, recipe: dict[str, Any]) -> DenseColumns:
    """The transformer whose vectors are those of the documents; nothing of it is read before the first text is."""
    dim = count_of(folder, _PART, read_state(folder, _PART), "dense")
    config = section(folder, recipe, TransformerConfig, "transformer")
    return DenseColumns.stored(config, folder / TRANSFORMER, dim, 1.0)
