"""Saving and loading the parts of a `ClusterPipeline`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from eclare_py.errors import ModelError
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.index import LabelTree
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.model.frozen_attention import FrozenAttention
from eclare_py.quantize import codes_of, from_arrays, to_arrays
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pair_ranker import PairRanker
from eclare_py.rank.pipeline import LabelTable
from eclare_py.storage import State
from eclare_py.types import FloatArray, IntArray

_MEND = "restore the folder from its source or train again"


def cluster_states(pipeline: ClusterPipeline) -> dict[str, State]:
    """What is saved, by part.

    Raises:
        ModelError: A label classifier is not finite.
    """
    try:
        vectors = to_arrays("vectors", codes_of(pipeline.vectors))
    except ValueError as error:
        raise ModelError(f"vectors: {error}; train again") from error
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
        "classifiers": State(vectors | {"bias": pipeline.bias, "frequencies": pipeline.frequencies}, meta),
        **more,
    }


def cluster_pipeline(
    read: Callable[[str], State],
    recipe: dict[str, Any],
    features: TfidfFeatures,
    encoder: FrozenEncoder | FrozenAttention | DenseColumns,
    labels: LabelTable,
    facts: dict[str, Any],
    *,
    about: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> ClusterPipeline:
    """Build the pipeline from its saved parts.

    Args:
        read: Gives a part by name.
        recipe: The recipe as plain data.
        features: TF-IDF of texts.
        encoder: Document encoder.
        labels: Names of the labels.
        facts: What is known of the training.
        about: Entered with the name of the part that is built inside, so that errors can tell its files.

    Raises:
        ModelError: A part is missing, damaged, or does not fit the others.
    """
    n_labels, dim = len(labels.texts), encoder.dim
    with about("clusters"):
        index = _index(read("clusters"), n_labels, dim)
    with about("classifiers"):
        state = read("classifiers")
        beam, shortlist, n_documents = (_count(state, name) for name in ("beam", "shortlist", "n_documents"))
        vectors, bias, frequencies = _classifiers(state, n_labels, dim, n_documents)
    pairs = None
    if state.meta.get("pairs"):
        width = dim + features.n_features
        with about("pairs"):
            pairs = PairRanker.from_states(read("pairs"), read("mixture"), n_labels=n_labels, n_features=width)
    return ClusterPipeline(
        recipe, features, encoder, index, vectors, bias, beam, shortlist, frequencies, n_documents, labels, facts, pairs
    )


def _index(state: State, n_labels: int, dim: int) -> LabelTree:
    """The gated clusters of so many labels and dimensions."""
    index = LabelTree.from_state(state)
    if index.n_labels != n_labels or index.routers.shape[1] != dim:
        raise ModelError(
            f"clusters: the index has the score {index.score!r} over {index.n_labels} labels of "
            f"{index.routers.shape[1]} dimensions, the model {n_labels} of {dim}; {_MEND}"
        )
    return index


def _classifiers(state: State, n_labels: int, dim: int, n_documents: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Vectors (L, d), bias (L,) and train frequencies (L,) of the labels."""
    try:
        vectors = from_arrays(state.arrays, "vectors", dim).dense()
    except ValueError as error:
        raise ModelError(f"classifiers: {error}; {_MEND}") from error
    bias, frequencies = state.arrays.get("bias"), state.arrays.get("frequencies")
    if len(vectors) != n_labels or bias is None or bias.dtype != np.float32 or bias.shape != (n_labels,):
        raise ModelError(f"classifiers: vectors and bias must be those of {n_labels} labels; {_MEND}")
    if frequencies is None or frequencies.dtype != np.int64 or frequencies.shape != (n_labels,):
        raise ModelError(f"classifiers: frequencies must be those of {n_labels} labels; {_MEND}")
    if frequencies.min() < 0 or frequencies.max() > n_documents:
        raise ModelError(f"classifiers: frequencies must be from 0 to {n_documents}; {_MEND}")
    return vectors, bias, frequencies


def _count(state: State, name: str) -> int:
    value = state.meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"classifiers: {name} is {value!r}, expected a whole number from 1; {_MEND}")
    return value
