"""What a training will take: a formula over counts of the data, with constants measured on two processor cores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eclare_py.errors import UsageError

if TYPE_CHECKING:
    from eclare_py.data.dataset import Dataset
    from eclare_py.train.recipe import Recipe

_FLOAT = 4
_ENTRY = 12  # bytes of a CSR entry with 64-bit columns
_PAIR = 6  # the same on disk: a column and half a float
_LINEAR_PER_WORD = 105  # bytes of linear weights on disk for each word feature, as on debian-related
_PROGRAM_MB = 620  # interpreter, torch, compiled kernels
# Of training, set by hand against a few runs on debian-related and yso-en on two idle cores: rough.
_SECONDS_PER_PRODUCT = 3.6e-11  # of one dimension of one document and one label
_SECONDS_PER_VALUE = 3.3e-10  # of one dimension of one term of a text in a step
_SECONDS_PER_TERM = 1e-6  # of one term of a text, before the first step
_SECONDS_AT_LEAST = 35.0  # start, index, fusion
_SAMPLE = 20_000  # texts whose terms are counted for the mean


def estimate_training(train: Dataset, recipe: Recipe) -> dict[str, Any]:
    """Counts, memory and time.

    Args:
        train: The train split.
        recipe: The settings.
    """
    from eclare_py.features.tfidf import TfidfFeatures

    if recipe.method != "fusion":
        raise UsageError(f"there is no estimate for the method {recipe.method}: try it on a part of the documents")
    features = TfidfFeatures.fit(train.texts, train.label_texts, config=recipe.features)
    terms_per_text = _mean_terms(features, train.texts)
    terms_per_label = _mean_terms(features, train.label_texts)
    n_documents, n_labels, n_terms, dim = len(train), train.n_labels, features.n_features, recipe.document.dim
    hops = recipe.label.propagation.hops
    kept = recipe.training.hop_features or terms_per_label * recipe.graph.top_k
    table = n_terms * (dim + 1) * _FLOAT if recipe.document.kind != "transformer" else 0
    free = n_labels * (dim + 1) * _FLOAT if recipe.label.free else 0
    vectors = (n_documents + n_labels) * dim * _FLOAT
    rows = (n_documents * terms_per_text + n_labels * (terms_per_label + hops * kept)) * _ENTRY
    given = 2 * len(train.label_edges) if recipe.graph.given_weight else 0
    edges = n_labels * recipe.graph.top_k + min(given, n_labels * recipe.graph.top_k)
    graphs = (3 * edges + n_labels * recipe.rank.support.top_k) * _ENTRY
    texts = sum(len(text) + 60 for part in (train.texts, train.label_texts) for text in part)
    # Parameters once in use, once as the best epoch, once on their way into a checkpoint; a tree is built over
    # two or three vectors a label, and the ranker holds three more.
    memory = 3 * (table + free) + vectors + 6 * n_labels * dim * _FLOAT + rows + graphs + 3 * texts
    # Terms in half a byte a number, label vectors and centroids in one, the tree in a quarter of that.
    model = table // 8 + 2 * free + 2.25 * n_labels * dim + n_labels * min(terms_per_label, 32) * _PAIR
    model += graphs // 3 + texts // 2 + (_LINEAR_PER_WORD * features.n_words if recipe.rank.linear else 0)
    return {
        "train documents": n_documents,
        "labels": n_labels,
        "terms": n_terms,
        "terms per text": round(terms_per_text, 1),
        "parameters": (table + free) // _FLOAT,
        "peak memory": f"{_PROGRAM_MB + memory / 1e6:,.0f} MB",
        "model on disk": f"{model / 1e6:,.0f} MB",
        "training time": _duration(_seconds(train, recipe, terms_per_text)),
    }


def _mean_terms(features: Any, texts: Sequence[str]) -> float:
    step = max(len(texts) // _SAMPLE, 1)
    matrix = features.transform(texts[::step])
    return float(matrix.nnz / max(matrix.shape[0], 1))


def _seconds(train: Dataset, recipe: Recipe, terms_per_text: float) -> float:
    """Time in seconds: products of documents and labels at hand, and rows of the tables that are touched."""
    settings, dim = recipe.training, recipe.document.dim
    batch = min(settings.batch_size, len(train))
    relevant = float(train.labels.nnz) / max(len(train), 1)
    stages = ((settings.surrogate_epochs, 0), (settings.ranker_epochs, settings.hard_negatives))
    total = _SECONDS_AT_LEAST + _SECONDS_PER_TERM * terms_per_text * (len(train) + train.n_labels)
    steps = float(np.ceil(len(train) / batch))
    for wanted, drawn in stages:
        epochs = min(wanted, max(1, settings.max_steps // steps))
        at_hand = min(batch * (0.6 * relevant + 0.7 * drawn), train.n_labels)
        per_step = batch * at_hand * dim * _SECONDS_PER_PRODUCT
        per_step += (batch * terms_per_text + at_hand * 3 * terms_per_text) * dim * _SECONDS_PER_VALUE
        total += epochs * steps * per_step
    return total


def _duration(seconds: float) -> str:
    return f"{seconds:,.0f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
