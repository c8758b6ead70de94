"""Trees between balanced and Fano: shape, codes, depth, search."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from eclare_py.errors import UsageError
from eclare_py.index import IndexConfig, LabelTree, LatencyConfig, beam_search, build_tree, label_targets, mass_routers
from eclare_py.index.config import INTERPOLATIONS
from eclare_py.index.expected import balanced_products, entropy, huffman_depth, tree_walk
from eclare_py.index.latency import UNCUT, chances_of, frequency_order, pointers_of, starts_of
from eclare_py.storage import read_state, write_state
from eclare_py.types import as_csr

L, D = 211, 7


def labels(seed: int = 0, n: int = L) -> tuple[np.ndarray, np.ndarray]:
    """Points, and frequencies by Zipf's law with zeros at the end."""
    random = np.random.default_rng(seed)
    counts = random.permutation((400 / (1 + np.arange(n))).astype(np.int64))
    return random.standard_normal((n, D)).astype(np.float32), counts


def depths_of(order: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """(L,) depth of the leaf of each label, by walking the cuts from the top."""
    depths = np.zeros(len(order), dtype=np.int64)
    for label_place, label in enumerate(order):
        low, high, depth = 0, len(order), 0
        while True:
            inside = cuts[low + 1 : high]
            if not len(inside) or inside.min() == UNCUT:
                break
            middle = low + 1 + int(np.argmin(inside))
            depth += 1
            low, high = (low, middle) if label_place < middle else (middle, high)
        depths[label] = depth
    return depths


def some_tree(frequency: float = 0.7, **settings: object) -> tuple[LabelTree, np.ndarray, np.ndarray]:
    points, counts = labels()
    config = IndexConfig(branching=4, max_leaf=6, latency=LatencyConfig(frequency=frequency, **settings))
    return build_tree(points, config, counts=counts, seed=3), points, counts


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_parameter_zero_is_the_balanced_tree_bit_by_bit(interpolation: str) -> None:
    points, counts = labels()
    config = IndexConfig(branching=4, max_leaf=6)
    plain = build_tree(points, config, seed=3)
    zero = replace(config, latency=LatencyConfig(frequency=0.0, interpolation=interpolation, leaf="count"))
    other = build_tree(points, zero, seed=3, counts=counts)
    assert not plain.uneven
    for name, array in plain.state().arrays.items():
        np.testing.assert_array_equal(other.state().arrays[name], array, err_msg=name)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parameter_one_codes_like_fano(interpolation: str, seed: int) -> None:
    points, counts = labels(seed, 1500)
    config = LatencyConfig(frequency=1.0, interpolation=interpolation, leaf="count", slack=20)
    order, cuts = frequency_order(points, counts, config, max_leaf=1, seed=seed)
    chance = chances_of(counts)
    depths = depths_of(order, cuts)
    expected, least = float(chance @ depths), entropy(chance)
    assert np.sum(0.5**depths) == 1.0  # a full binary tree down to single labels
    assert least <= huffman_depth(chance) < least + 1
    assert huffman_depth(chance) <= expected + 1e-9
    assert expected < least + 2
    assert expected < math.ceil(math.log2(1500)) - 1  # the balanced tree is a level deeper


def test_the_expected_depth_falls_with_the_parameter() -> None:
    points, counts = labels(1, 700)
    chance, found = chances_of(counts), []
    for frequency in (0.05, 0.5, 1.0):
        config = LatencyConfig(frequency=frequency, leaf="count")
        found.append(float(chance @ depths_of(*frequency_order(points, counts, config, max_leaf=1))))
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1] + 1


def test_shannon_fano_by_hand() -> None:
    """Frequencies 8, 4, 2, 1, 1 halve exactly: depths 1, 2, 3, 4, 4."""
    points = np.eye(5, dtype=np.float32)
    counts = np.array([1, 8, 2, 1, 4])
    config = LatencyConfig(frequency=1.0, interpolation="key", leaf="count")
    order, cuts = frequency_order(points, counts, config, max_leaf=1)
    assert depths_of(order, cuts).tolist() == [4, 1, 3, 4, 2]
    assert huffman_depth(chances_of(counts)) == 1.875 == entropy(chances_of(counts))


def test_equal_frequencies_halve_by_number() -> None:
    points, _ = labels()
    for frequency in (0.3, 1.0):
        order, cuts = frequency_order(points, np.full(L, 5), LatencyConfig(frequency=frequency), max_leaf=4)
        sizes = np.diff(np.flatnonzero(cuts < UNCUT))
        assert set(sizes.tolist()) <= {3, 4}
        assert np.array_equal(np.sort(order), np.arange(L))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("slack", [0, 1])
def test_no_path_is_longer_than_allowed(interpolation: str, slack: int) -> None:
    points, _ = labels()
    counts = 2 ** np.minimum(np.arange(L), 50)  # a chain, were it not for the guard
    config = LatencyConfig(frequency=1.0, interpolation=interpolation, leaf="count", slack=slack)
    order, cuts = frequency_order(points, counts, config, max_leaf=4)
    assert depths_of(order, cuts).max() <= math.ceil(math.log2(L / 4)) + slack
    assert np.diff(np.flatnonzero(cuts < UNCUT)).max() <= 4


def test_leaves_by_mass_hold_more_rare_labels() -> None:
    points, counts = labels()
    config = LatencyConfig(frequency=0.5, interpolation="key")
    order, cuts = frequency_order(points, counts, config, max_leaf=8)
    bounds = np.flatnonzero(cuts < UNCUT)
    weight = chances_of(counts) ** 0.5
    weight *= L / weight.sum()
    sums = np.add.reduceat(weight[order], bounds[:-1])
    sizes = np.diff(bounds)
    assert ((sums <= 8) | (sizes == 1)).all()
    assert sizes.max() > 8 > sizes[sizes > 1].min()


def test_similar_labels_stay_together_below_one() -> None:
    """Two far clouds with the same frequencies: the first cut parts them."""
    random = np.random.default_rng(4)
    points = np.concatenate([random.normal(5, 1, (40, 3)), random.normal(-5, 1, (40, 3))]).astype(np.float32)
    counts = np.tile((200 / (1 + np.arange(40))).astype(np.int64), 2)
    for interpolation in ("mass", "penalty"):
        config = LatencyConfig(frequency=0.4, interpolation=interpolation)
        order, cuts = frequency_order(points, counts, config, max_leaf=8)
        assert np.flatnonzero(cuts == 1).tolist() == [40], interpolation
        assert len({label // 40 for label in order[:40].tolist()}) == 1


def test_a_blended_key_makes_leaves_of_like_frequency() -> None:
    points, counts = labels(2)
    spread = {}
    for interpolation in ("mass", "key"):
        config = LatencyConfig(frequency=0.6, interpolation=interpolation)
        order, cuts = frequency_order(points, counts, config, max_leaf=8)
        leaves = np.split(np.log(chances_of(counts))[order], np.flatnonzero(cuts < UNCUT)[1:-1])
        spread[interpolation] = np.mean([leaf.var() for leaf in leaves if len(leaf) > 1])
    assert spread["key"] < 0.5 * spread["mass"]


def test_chains_join_levels() -> None:
    cuts = np.array([0, 1, UNCUT, 3, 2, 0])  # leaves: 0 at depth 1, 1+2 and 3 at depth 3, 4 at depth 2
    assert [level.tolist() for level in starts_of(cuts, first=1, step=1)] == [[0, 1], [0, 1, 4], [0, 1, 3, 4]]
    level_ptr, child_ptr, leaf_ptr = pointers_of(starts_of(cuts, first=1, step=1), 5)
    assert level_ptr.tolist() == [0, 2, 5, 9]
    assert child_ptr.tolist() == [2, 3, 5, 6, 8, 9]
    assert leaf_ptr.tolist() == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("score", ["log-sigmoid", "dot", "last"])
@pytest.mark.parametrize("beam", [1, 3, 1000])
def test_uneven_search_equals_a_naive_one(score: str, beam: int) -> None:
    tree, points, _ = some_tree()
    assert tree.uneven
    random = np.random.default_rng(5)
    shapes = [tree.router(level) for level in range(tree.n_levels)]
    # Small integers give exact sums and many ties; log-sigmoids are rounded anyway, so there ties are not wanted.
    draw = random.standard_normal if score == "log-sigmoid" else lambda shape: random.integers(-2, 3, shape)
    tree = tree.with_routers([(draw(w.shape).astype(np.float32), np.zeros_like(b)) for w, b in shapes])
    tree, x = replace(tree, score=score), draw((9, D)).astype(np.float32)
    leaves, scores = beam_search(tree, x, beam=beam)
    alone = beam_search(tree, x[4:5], beam=beam)
    np.testing.assert_array_equal(alone[0][0], leaves[4])
    for row in range(9):
        expected = naive_uneven(tree, x[row], beam)
        np.testing.assert_array_equal(leaves[row], [leaf for leaf, _ in expected])
        np.testing.assert_allclose(scores[row], [path for _, path in expected], rtol=1e-5)


def naive_uneven(tree: LabelTree, x: np.ndarray, beam: int) -> list[tuple[int, float]]:
    kept = [(0, 0.0)]
    for level in range(tree.n_levels):
        weights, bias = tree.router(level)
        found = []
        for parent, path in kept:
            children = np.flatnonzero(tree.parents(level) == parent)
            for child in children.tolist():
                gain = float(weights[child] @ x + bias[child])
                if tree.score == "log-sigmoid":
                    gain = min(gain, 0) - math.log1p(math.exp(-abs(gain)))
                own = float(np.float32(gain if tree.score == "last" else path + gain))
                found.append((child, path if len(children) == 1 and level else own))
        kept = sorted(found, key=lambda one: (-one[1], one[0]))[:beam]
    return kept


def test_an_uneven_tree_is_saved_and_cut(tmp_path) -> None:
    tree, points, counts = some_tree()
    write_state(tmp_path, "tree", tree.state())
    again = LabelTree.from_state(read_state(tmp_path, "tree"))
    assert again.uneven
    cut = tree.cut(20)
    LabelTree.from_state(cut.state())
    assert np.array_equal(cut.label_order, tree.label_order)
    assert np.diff(cut.leaf_ptr).max() <= 20 or cut.n_levels == tree.n_levels
    # Every leaf of the cut tree is a node of the whole one, and what is above it was too large to be a leaf.
    inner = [np.bincount(tree.node_of_label(level)) for level in range(tree.n_levels)]
    assert set(np.diff(cut.leaf_ptr).tolist()) <= {int(size) for sizes in inner for size in sizes}
    some = as_csr((np.random.default_rng(0).random((30, L)) < 0.1).astype(np.float32))
    assert label_targets(tree, some, 1, counts=True).sum() == some.sum()
    routers = mass_routers(tree, points, np.zeros(L, dtype=np.float32))
    assert [len(bias) for _, bias in routers] == [tree.level_size(level) for level in range(tree.n_levels)]


def test_the_walk_by_hand() -> None:
    cuts = np.array([0, 1, UNCUT, 3, 2, 0])
    level_ptr, child_ptr, leaf_ptr = pointers_of(starts_of(cuts, first=1, step=1), 5)
    zeros = np.zeros(9, np.float32)
    tree = LabelTree(level_ptr, child_ptr, leaf_ptr, np.arange(5), zeros[:, None], zeros)
    walk = tree_walk(tree, np.array([0.5, 0.1, 0.1, 0.1, 0.2]))
    # Label 0: root alone. 1 and 2: root, its right child, its left child, the leaf of two. 3: three. 4: two.
    assert walk.opened == pytest.approx(0.5 * 1 + 0.2 * 4 + 0.1 * 3 + 0.2 * 2)
    assert walk.products == pytest.approx(2 * walk.opened)


@pytest.mark.parametrize(("branching", "max_leaf"), [(4, 6), (16, 10), (2, 300)])
def test_the_balanced_walk_has_a_formula(branching: int, max_leaf: int) -> None:
    points, _ = labels()
    tree = build_tree(points, IndexConfig(branching=branching, max_leaf=max_leaf))
    walk = tree_walk(tree, np.full(L, 1 / L))
    assert walk.products == pytest.approx(balanced_products(L, branching, max_leaf), rel=0.02)


def test_frequencies_are_needed() -> None:
    points, counts = labels()
    config = IndexConfig(latency=LatencyConfig(frequency=0.5))
    with pytest.raises(UsageError, match="needs the frequencies"):
        build_tree(points, config)
    with pytest.raises(UsageError, match="must be"):
        build_tree(points, config, counts=counts[:-1])
