"""Which labels get which slots."""

from __future__ import annotations

import numpy as np
import pytest

from eclare_py.index.pattern import home_pattern, visited_pattern
from eclare_py.types import as_csr


def test_a_tree_gives_every_label_one_slot():
    home = np.array([2, 0, 2, 2, 0])
    assert home_pattern(home, 4).tolist() == [[1, 4, -1], [-1, -1, -1], [0, 2, 3], [-1, -1, -1]]


def test_golden_visits():
    # Label 0 visits cluster 0 most, labels 1 and 2 cluster 1, label 3 has no document and lived in 2.
    labels = as_csr(np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0]]))
    visits = as_csr(np.array([[1.0, 0.5, 0], [1.0, 0.75, 0], [0.0, 1.0, 0.25]]))
    pattern, at_home = visited_pattern(labels, visits, 2, np.array([0, 0, 0, 2]))
    # S: label 0 -> 2, 1.25, 0; label 1 -> 1, 1.75, .25; label 2 -> 0, 1, .25. In cluster 1 its own come before label 0.
    assert pattern.tolist() == [[0, 1], [1, 2], [3, 1]]
    assert at_home.tolist() == [[True, False], [True, True], [True, False]]


@pytest.mark.parametrize(("n_documents", "n_labels", "n_clusters", "slots"), [(60, 25, 6, 7), (30, 9, 11, 3)])
def test_visits_are_those_of_a_loop(n_documents, n_labels, n_clusters, slots):
    rng = np.random.default_rng(n_labels)
    labels = (rng.random((n_documents, n_labels)) < 0.1).astype(np.float32)
    labels[:, 4] = 0
    visits = np.where(rng.random((n_documents, n_clusters)) < 0.3, rng.integers(1, 9, (n_documents, n_clusters)), 0)
    home = rng.integers(0, n_clusters, n_labels)
    scores = labels.T @ visits
    own = np.where(scores.any(axis=1), scores.argmax(axis=1), home)
    pattern, at_home = visited_pattern(as_csr(labels), as_csr(visits), slots, home)
    for cluster in range(n_clusters):
        present = [label for label in range(n_labels) if scores[label, cluster] > 0 or own[label] == cluster]
        order = sorted(present, key=lambda label: (own[label] != cluster, -scores[label, cluster], label))
        found = pattern[cluster][pattern[cluster] >= 0].tolist()
        assert found == order[:slots]
        assert at_home[cluster][: len(found)].tolist() == [own[label] == cluster for label in found]
        assert not at_home[cluster][len(found) :].any()
