"""Classifiers of single labels: trained on their own and on picked documents, scored pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import ModelError, UsageError
from eclare_py.linear import LinearConfig, PairClassifiers, fit_pairs
from eclare_py.storage import State
from eclare_py.types import as_csr

N, V, L = 60, 14, 7


@pytest.fixture(scope="module")
def case():
    """Label l goes with word l; the last label has no document."""
    rng = np.random.default_rng(0)
    labels = rng.random((N, L)) < 0.25
    labels[:, L - 1] = False
    words = sp.random_array((N, V), density=0.3, rng=rng).toarray()
    words[:, :L] += 2 * labels
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-9)
    picked = rng.random((N, L)) < 0.5
    return as_csr(words), as_csr(labels), as_csr(picked)


def test_scores_are_those_of_the_dense_product(case):
    documents, labels, picked = case
    classifiers = fit_pairs(documents, labels, picked, LinearConfig(threshold=0.0))
    weights, bias = classifiers.chunks.matrix().toarray().T, classifiers.chunks.bias
    margins = documents.toarray() @ weights + bias
    rng = np.random.default_rng(1)
    asked = np.stack([rng.choice(L, 4, replace=False) for _ in range(N)])
    asked[3, 2:] = -1
    expected = np.where(asked >= 0, -(np.maximum(0, 1 - np.take_along_axis(margins, asked, 1)) ** 3), 0)
    np.testing.assert_allclose(classifiers.log_scores(documents, asked), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(classifiers.log_scores(documents[:1], asked[:1]), expected[:1], rtol=1e-4, atol=1e-5)
    right = np.where(labels.toarray() > 0, margins, np.nan)[:, :-1]
    wrong = np.where((labels.toarray() == 0) & (picked.toarray() > 0), margins, np.nan)[:, :-1]
    assert (np.nanmean(right, axis=0) > np.nanmean(wrong, axis=0) + 0.5).all()


def test_only_picked_documents_and_own_ones_are_seen(case):
    documents, labels, picked = case
    seen = (labels.toarray() + picked.toarray()) > 0
    config = LinearConfig(threshold=0.0)
    whole = fit_pairs(documents, labels, picked, config)
    for label in (0, 3):
        changed = documents.toarray()
        changed[~seen[:, label]] = 0.1  # what the label never sees may be anything
        again = fit_pairs(as_csr(changed), labels, picked, config)
        np.testing.assert_allclose(
            again.chunks.matrix().toarray().T[:, label], whole.chunks.matrix().toarray().T[:, label], atol=1e-3
        )


def test_saved_and_loaded_and_refused(case):
    documents, labels, picked = case
    pairs = np.array([[0, 1], [4, 2]])
    classifiers = fit_pairs(documents, labels, picked, LinearConfig(), filter_pairs=pairs)
    state, asked = classifiers.state(), np.tile(np.arange(L), (N, 1))
    back = PairClassifiers.from_state(state)
    np.testing.assert_array_equal(back.log_scores(documents, asked), classifiers.log_scores(documents, asked))
    with pytest.raises(ModelError, match="power"):
        PairClassifiers.from_state(State(state.arrays, state.meta | {"power": 0}))
    joined = state.arrays | {"labels.child_ptr": np.array([0, L]), "labels.row_ptr": np.array([0, 0])}
    with pytest.raises(ModelError):
        PairClassifiers.from_state(State(joined, state.meta))
    with pytest.raises(UsageError, match="features"):
        classifiers.log_scores(documents[:, :5], asked)
    with pytest.raises(UsageError, match="do not fit"):
        fit_pairs(documents, labels, picked[:5], LinearConfig())
    with pytest.raises(UsageError, match="squared-hinge"):
        fit_pairs(documents, labels, picked, replace(LinearConfig(), loss="logistic"))
