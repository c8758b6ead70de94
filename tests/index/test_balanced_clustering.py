import subprocess
import sys

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import UsageError
from eclare_py.index import balanced_kmeans, clustering, descent
from eclare_py.index.splits import split_node, split_wide


def naive_split(points, first, second, max_iter, tolerance):
    """The two halves of balanced spherical 2-means by full sorts, in double precision."""
    points = points.astype(np.float64)
    n_left, before, old = (len(points) + 1) // 2, -np.inf, None
    left_centre, right_centre = points[first], points[second]
    for _ in range(max_iter):
        order = np.argsort(points @ (right_centre - left_centre), kind="stable")
        left, right = np.sort(order[:n_left]), np.sort(order[n_left:])
        sums = points[left].sum(axis=0), points[right].sum(axis=0)
        after = sum(np.linalg.norm(s) for s in sums)
        if (old is not None and np.array_equal(left, old)) or after - before < tolerance * len(points):
            break
        before, old = after, left
        left_centre, right_centre = (s / np.linalg.norm(s) for s in sums)
    return left, right


@given(
    n=st.integers(1, 90), clusters=st.integers(1, 90), dimension=st.integers(1, 5), seed=st.integers(-(2**40), 2**40)
)
@settings(max_examples=60, deadline=None)
def test_cluster_sizes_differ_by_at_most_one(n, clusters, dimension, seed):
    clusters = min(clusters, n)
    points = np.random.default_rng(n).integers(-1, 2, (n, dimension)).astype(np.float32)
    assignment = balanced_kmeans(points, n_clusters=clusters, seed=seed)
    sizes = np.bincount(assignment, minlength=clusters)
    assert assignment.dtype == np.int64
    assert len(sizes) == clusters
    assert sizes.max() - sizes.min() <= 1


@given(n=st.integers(1, 300), max_leaf=st.integers(2, 20))
@settings(max_examples=40, deadline=None)
def test_every_split_of_a_power_of_two_is_even(n, max_leaf):
    points = np.random.default_rng(max_leaf).standard_normal((n, 3)).astype(np.float32)
    assignment = balanced_kmeans(points, max_leaf=max_leaf, seed=5)
    sizes = np.bincount(assignment)
    assert sizes.max() <= max_leaf
    while len(sizes) > 1:
        assert np.abs(sizes[::2] - sizes[1::2]).max() <= 1
        sizes = sizes[::2] + sizes[1::2]
    assert sizes.tolist() == [n]


@pytest.mark.parametrize("n", [2, 3, 17, 60, 2500])
@pytest.mark.parametrize("seed", range(4))
def test_split_equals_the_naive_one(n, seed):
    rng = np.random.default_rng(seed)
    points = clustering.unit_rows(rng.standard_normal((n, 7)).astype(np.float32))
    first, second = rng.choice(n, 2, replace=False)
    left, right = naive_split(points, first, second, 20, 1e-4)
    members = np.arange(n)
    split_node(points, members, (n + 1) // 2, first, second, 20, 1e-4)
    assert members.tolist() == [*left, *right]


def test_wide_split_equals_the_serial_one_to_the_bit():
    points = clustering.unit_rows(np.random.default_rng(3).standard_normal((6001, 9)).astype(np.float32))
    serial, wide = np.arange(6001)[::-1].copy(), np.arange(6001)[::-1].copy()
    split_node(points, serial, 3001, 5, 77, 20, 0.0)
    split_wide(points, wide, 3001, 5, 77, 20, 0.0)
    assert np.array_equal(serial, wide)
    assert not np.array_equal(serial, np.arange(6001)[::-1])


def test_same_clusters_on_one_and_two_threads_and_with_the_same_seed(monkeypatch):
    monkeypatch.setattr(descent, "_WIDE_FROM", 4000)
    points = np.random.default_rng(1).standard_normal((9001, 6)).astype(np.float32)
    threads = numba.get_num_threads()
    both = balanced_kmeans(points, max_leaf=40, seed=9)
    try:
        numba.set_num_threads(1)
        one = balanced_kmeans(points, max_leaf=40, seed=9)
    finally:
        numba.set_num_threads(threads)
    assert np.array_equal(one, both)
    assert not np.array_equal(one, balanced_kmeans(points, max_leaf=40, seed=10))


def test_separated_groups_are_found():
    rng = np.random.default_rng(0)
    centres = np.eye(8, dtype=np.float32)[[0, 1]]
    group = rng.permutation(np.repeat([0, 1], 50))
    points = centres[group] + 0.05 * rng.standard_normal((100, 8)).astype(np.float32)
    for seed in range(5):
        assignment = balanced_kmeans(points, n_clusters=2, seed=seed)
        assert len(set(zip(group.tolist(), assignment.tolist(), strict=True))) == 2


def test_golden_split_by_hand():
    # Directions 0, 10, 80, 90 degrees: any pair of first centres ends in {0, 10} against {80, 90}.
    angles = np.deg2rad([0, 80, 10, 90])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * [[1], [5], [0.1], [2]]
    assignment = balanced_kmeans(points, n_clusters=2, seed=0)
    assert assignment[0] == assignment[2] != assignment[1] == assignment[3]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_identical_rows_are_split_by_id(value):
    assignment = balanced_kmeans(np.full((11, 3), value, np.float32), n_clusters=4, seed=2)
    assert assignment.tolist() == sorted(assignment.tolist())
    assert sorted(np.bincount(assignment).tolist()) == [2, 3, 3, 3]


def test_length_of_rows_does_not_matter():
    rng = np.random.default_rng(4)
    points = rng.standard_normal((70, 4)).astype(np.float32)
    scaled = points * (2.0 ** rng.integers(-3, 4, (70, 1))).astype(np.float32)
    assert np.array_equal(balanced_kmeans(points, max_leaf=5, seed=1), balanced_kmeans(scaled, max_leaf=5, seed=1))


@pytest.mark.parametrize(
    ("points", "arguments", "words"),
    [
        (np.zeros((0, 3)), {"n_clusters": 1}, "at least one row"),
        (np.zeros((3, 3)), {"n_clusters": 4}, "n_clusters=4"),
        (np.zeros((3, 3)), {"n_clusters": 0}, "n_clusters=0"),
        (np.zeros((3, 3)), {}, "exactly one"),
        (np.zeros((3, 3)), {"n_clusters": 2, "max_leaf": 2}, "exactly one"),
        (np.zeros((3, 3)), {"max_leaf": 0}, "max_leaf=0"),
        (np.array([[1.0, 0.0], [np.nan, 1.0]]), {"n_clusters": 2}, "row 1"),
    ],
)
def test_bad_calls_are_refused(points, arguments, words):
    with pytest.raises(UsageError, match=words):
        balanced_kmeans(points.astype(np.float32), **arguments)


def test_a_fresh_process_may_start_with_a_large_node():
    # Kernels loaded from numba's cache start no thread pool by themselves; run twice, the second is sure to load.
    program = (
        "import numpy as np; from eclare_py.index import balanced_kmeans;"
        "assert np.bincount(balanced_kmeans(np.eye(20000, 3, dtype=np.float32), n_clusters=2)).tolist() == [10000] * 2"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
