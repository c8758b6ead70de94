"""Resolutions: label matrices of each level, who is told apart from whom."""

from __future__ import annotations

import numpy as np
import pytest

from eclare_py.errors import ConfigError
from eclare_py.train.resolution_config import ResolutionConfig
from eclare_py.train.resolutions import Resolution, capped, dense_part, make_resolutions, seen_parents
from eclare_py.types import as_csr

# Six labels in clusters {0, 3}, {1}, {2, 4}, {5}; the first two lie under one parent, the others under another.
LEVEL = Resolution(np.array([0, 1, 2, 0, 2, 3]), np.array([0, 0, 1, 1]))
LABELS = as_csr(np.array([[1, 1, 0, 1, 0, 0], [0, 0, 5.0, 0, 1, 1], [0, 0, 0, 0, 0, 0]]))


def test_counts_are_not_binarised() -> None:
    np.testing.assert_array_equal(LEVEL.counts(LABELS).toarray(), [[2, 1, 0, 0], [0, 0, 2, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(LEVEL.child_ptr, [0, 2, 4])


def test_candidates_are_the_children_of_the_parents_seen() -> None:
    own = as_csr(np.array([[3.0, 0], [0, 2], [0, 0]]))
    picked = np.array([[1, 0], [1, -1], [0, -1]])
    expected = {"tfn": [[1, 0], [0, 1], [0, 0]], "man": [[1, 1], [0, 1], [1, 0]], "tfn+man": [[1, 1], [0, 1], [1, 0]]}
    for negatives, wanted in expected.items():
        seen = seen_parents(own, picked, negatives)
        np.testing.assert_array_equal(seen.toarray(), wanted)
        np.testing.assert_array_equal(LEVEL.below(seen).toarray(), np.repeat(wanted, 2, axis=1))
    np.testing.assert_array_equal(seen_parents(own, None, "man").toarray(), expected["tfn"])


def test_too_many_candidates_are_thinned_but_for_the_positives() -> None:
    random = np.random.default_rng(0)
    candidates = (random.random((20, 40)) < 0.6).astype(float)
    positives = (random.random((20, 40)) < 0.1) * 2.0
    found = capped(as_csr(candidates), as_csr(positives), 8, seed=1).toarray()
    assert (found[positives > 0] == 1).all()
    np.testing.assert_array_equal(found.sum(axis=1), np.maximum(8, (positives > 0).sum(axis=1)))
    assert not found[(candidates == 0) & (positives == 0)].any()
    whole = capped(as_csr(candidates), as_csr(positives), 40, seed=1).toarray()
    np.testing.assert_array_equal(whole, np.maximum(candidates, positives > 0))


def test_columns_at_hand() -> None:
    matrix = as_csr(np.array([[0, 2.0, 0, 1], [3, 0, 0, 0]]))
    np.testing.assert_array_equal(dense_part(matrix, np.array([1, 2])), [[2, 0], [0, 0]])
    np.testing.assert_array_equal(dense_part(matrix, None), matrix.toarray())


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({"branching": 2, "max_leaf": 4, "min_clusters": 4}, [4, 8, 16]),
        ({"branching": 4, "max_leaf": 4, "min_clusters": 2, "max_clusters": 8}, [4]),
        ({"branching": 2, "max_leaf": 4, "levels": "last"}, [16]),
        ({"sizes": (2, 16)}, [2, 16]),
        ({"branching": 2, "max_leaf": 4, "min_clusters": 500}, [16]),
    ],
)
def test_which_resolutions_are_kept(settings: dict[str, object], sizes: list[int]) -> None:
    random = np.random.default_rng(3)
    rows, labels = as_csr(random.random((80, 30))), as_csr(random.random((80, 60)) < 0.1)
    levels = make_resolutions(rows, labels, ResolutionConfig(**settings), seed=0)  # type: ignore[arg-type]
    assert [level.n_clusters for level in levels] == sizes
    assert not levels[0].parents.any()
    for above, below in zip(levels[:-1], levels[1:], strict=True):
        np.testing.assert_array_equal(below.parents[below.clusters], above.clusters)
        assert (np.diff(below.parents) >= 0).all()
        counted = below.counts(labels).toarray()
        summed = np.add.reduceat(counted, below.child_ptr[:-1], axis=1)
        np.testing.assert_array_equal(summed, above.counts(labels).toarray())


def test_sizes_must_be_powers_of_two() -> None:
    rows, labels = as_csr(np.ones((9, 3))), as_csr(np.ones((9, 20)))
    for sizes in ((6,), (32,)):
        with pytest.raises(ConfigError, match="powers of two, at most the 20 labels"):
            make_resolutions(rows, labels, ResolutionConfig(sizes=sizes), seed=0)
