from dataclasses import replace

import numpy as np
import pytest

from eclare_py.errors import ModelError, UsageError
from eclare_py.index import (
    IndexConfig,
    LabelTree,
    beam_search,
    build_tree,
    centroid_routers,
    label_targets,
    mass_routers,
)
from eclare_py.storage import State, read_state, write_state
from eclare_py.types import as_csr


def some_tree(n_labels=203, dimension=5, branching=4, max_leaf=6, seed=0):
    points = np.random.default_rng(7).standard_normal((n_labels, dimension)).astype(np.float32)
    return points, build_tree(points, IndexConfig(branching=branching, max_leaf=max_leaf), seed=seed)


@pytest.mark.parametrize(
    ("n_labels", "branching", "max_leaf", "sizes"),
    [
        (1, 4, 2, [1]),
        (2, 4, 2, [1]),
        (3, 4, 2, [2]),
        (9, 2, 2, [2, 4, 8]),
        (203, 4, 6, [4, 16, 64]),
        (203, 16, 6, [4, 64]),
        (203, 256, 6, [64]),
    ],
)
def test_levels(n_labels, branching, max_leaf, sizes):
    _, tree = some_tree(n_labels, branching=branching, max_leaf=max_leaf)
    assert [tree.level_size(level) for level in range(tree.n_levels)] == sizes
    assert sorted(tree.label_order.tolist()) == list(range(n_labels))
    assert np.diff(tree.leaf_ptr).max() <= max_leaf
    for level in range(1, tree.n_levels):
        assert (
            tree.parents(level).tolist()
            == np.repeat(np.arange(sizes[level - 1]), sizes[level] // sizes[level - 1]).tolist()
        )
        assert np.array_equal(tree.parents(level)[tree.node_of_label(level)], tree.node_of_label(level - 1))
    assert tree.parents(0).tolist() == [0] * sizes[0]


def test_routers_are_unit_means_of_the_labels_below():
    points, tree = some_tree()
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    tree = tree.with_routers(centroid_routers(tree, unit))
    for level in range(tree.n_levels):
        vectors, bias = tree.router(level)
        for node in range(tree.level_size(level)):
            mean = unit[tree.node_of_label(level) == node].mean(axis=0)
            assert np.allclose(vectors[node], mean / np.linalg.norm(mean), atol=1e-5)
        assert not bias.any()


def test_mass_routers_are_the_tangent_of_the_log_mass():
    points, tree = some_tree()
    bias = np.random.default_rng(1).standard_normal(len(points)).astype(np.float32) * 3
    bias[5] = -np.inf
    tiny = 1e-3 * np.array([1, -2, 0.5, 3, -1])
    for level, (vectors, biases) in enumerate(mass_routers(tree, points, bias)):
        for node in range(tree.level_size(level)):
            below = tree.node_of_label(level) == node
            mass = np.log(np.exp(points[below] @ tiny + bias[below]).sum())
            assert np.isclose(vectors[node] @ tiny + biases[node], mass, atol=1e-4)


def test_mass_routers_stay_finite_where_all_labels_are_hidden():
    points, tree = some_tree()
    tree = tree.with_routers(mass_routers(tree, points, np.full(len(points), -np.inf, np.float32)))
    assert np.isfinite(tree.bias).all()


def test_targets_by_hand_and_against_naive():
    _, tree = some_tree(n_labels=9, branching=2, max_leaf=2)
    dense = (np.random.default_rng(3).random((13, 9)) < 0.3).astype(np.float32)
    for level in range(tree.n_levels):
        node = tree.node_of_label(level)
        naive = np.stack([dense[:, node == c].sum(axis=1) for c in range(tree.level_size(level))], axis=1)
        assert np.array_equal(label_targets(tree, as_csr(dense), level, counts=True).toarray(), naive)
        assert np.array_equal(label_targets(tree, as_csr(dense), level).toarray(), naive > 0)
    with pytest.raises(UsageError, match="8 labels"):
        label_targets(tree, as_csr(dense[:, :8]), 0)


@pytest.mark.parametrize("width", [np.int32, np.int64])
def test_targets_leave_the_label_matrix_alone(width):
    _, tree = some_tree(n_labels=9, branching=2, max_leaf=2)
    dense = np.ones((4, 9), dtype=np.float32)
    labels = as_csr(dense)
    labels.indices, labels.indptr = labels.indices.astype(width), labels.indptr.astype(width)
    labels.data[:5] = 0
    before = [part.copy() for part in (labels.data, labels.indices, labels.indptr)]
    label_targets(tree, labels, 0)
    after = (labels.data, labels.indices, labels.indptr)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_state_round_trip_through_files(tmp_path):
    points, tree = some_tree()
    write_state(tmp_path, "tree", tree.state())
    back = LabelTree.from_state(read_state(tmp_path, "tree"))
    for name, array in tree.state().arrays.items():
        assert np.array_equal(array, getattr(back, name))
        assert array.dtype == getattr(back, name).dtype
    assert (back.score, back.exact_below) == (tree.score, tree.exact_below)
    for mine, other in zip(beam_search(tree, points[:3], beam=7), beam_search(back, points[:3], beam=7), strict=True):
        assert np.array_equal(mine, other)


def changed(name, index, value):
    def change(arrays, meta):
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return change


DAMAGES = {
    "no order": lambda arrays, meta: arrays.pop("label_order"),
    "no routers": lambda arrays, meta: arrays.pop("routers"),
    "repeated label": changed("label_order", 0, 1),
    "label out of range": changed("label_order", 3, 10**12),
    "negative label": changed("label_order", 3, -1),
    "leaf pointer falls": changed("leaf_ptr", 2, 10**6),
    "leaf pointer starts late": changed("leaf_ptr", 0, 1),
    "leaf pointer ends early": changed("leaf_ptr", -1, 200),
    "child pointer out of range": changed("child_ptr", -1, 10**6),
    "child pointer falls": changed("child_ptr", 3, 0),
    "child of another level": changed("child_ptr", 4, 21),
    "level pointer out of range": changed("level_ptr", -1, 10**6),
    "level pointer starts late": changed("level_ptr", 0, 1),
    "empty level": changed("level_ptr", 1, 0),
    "no level": lambda arrays, meta: arrays.update(level_ptr=np.zeros(1, np.int64)),
    "float pointers": lambda arrays, meta: arrays.update(child_ptr=arrays["child_ptr"].astype(np.float32)),
    "square order": lambda arrays, meta: arrays.update(label_order=arrays["label_order"][:, None]),
    "router rows missing": lambda arrays, meta: arrays.update(routers=arrays["routers"][:-1]),
    "flat routers": lambda arrays, meta: arrays.update(routers=arrays["routers"].ravel()),
    "bias missing": lambda arrays, meta: arrays.update(bias=arrays["bias"][:-1]),
    "router NaN": changed("routers", (2, 1), np.nan),
    "bias infinite": changed("bias", 4, np.inf),
    "unknown score": lambda arrays, meta: meta.update(score="guess"),
    "score missing": lambda arrays, meta: meta.pop("score"),
    "threshold text": lambda arrays, meta: meta.update(exact_below="3"),
    "threshold negative": lambda arrays, meta: meta.update(exact_below=-3),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_state_is_refused(damage):
    state = some_tree()[1].state()
    arrays, meta = dict(state.arrays), dict(state.meta)
    LabelTree.from_state(State(arrays=dict(arrays), meta=dict(meta)))
    damage(arrays, meta)
    with pytest.raises(ModelError, match="label tree"):
        LabelTree.from_state(State(arrays=arrays, meta=meta))


def test_routers_of_wrong_shape_are_refused():
    points, tree = some_tree()
    good = centroid_routers(tree, points)
    with pytest.raises(UsageError, match="2 levels"):
        tree.with_routers(good[:2])
    with pytest.raises(UsageError, match="level 1"):
        tree.with_routers([good[0], (good[1][0][:-1], good[1][1]), good[2]])
    with pytest.raises(UsageError, match="level 2"):
        tree.with_routers([*good[:2], (good[2][0][:, :-1], good[2][1])])
    with pytest.raises(UsageError, match="NaN"):
        tree.with_routers([*good[:2], (good[2][0], good[2][1] * np.nan)])
    with pytest.raises(UsageError, match="203 labels"):
        centroid_routers(tree, points[:-1])
    with pytest.raises(UsageError, match="below infinity"):
        mass_routers(tree, points, np.full(203, np.nan, np.float32))


@pytest.mark.parametrize(("key", "value"), [("branching", 3), ("branching", 1), ("max_leaf", 1), ("score", "guess")])
def test_bad_settings_are_refused(key, value):
    with pytest.raises(UsageError, match=key):
        build_tree(np.eye(4, dtype=np.float32), replace(IndexConfig(), **{key: value}))


def test_routers_may_live_in_another_space():
    points, tree = some_tree()
    wider = build_tree(points, IndexConfig(), seed=0, router_vectors=np.ones((203, 9), np.float32))
    assert wider.routers.shape[1] == 9


def test_the_upper_levels_are_a_tree_of_their_own():
    points = np.random.default_rng(4).standard_normal((150, 5)).astype(np.float32)
    tree = build_tree(points, IndexConfig(branching=4, max_leaf=3), seed=2)
    sizes = [np.bincount(tree.node_of_label(level)).max() for level in range(tree.n_levels)]
    assert tree.n_levels == 3 and sizes[0] > sizes[1] > sizes[2]
    for level in range(3):
        upper = tree.cut(int(sizes[level]))
        assert LabelTree.from_state(upper.state()).n_levels == upper.n_levels == level + 1
        np.testing.assert_array_equal(upper.node_of_label(), tree.node_of_label(level))
        np.testing.assert_array_equal(upper.router(level)[0], tree.router(level)[0])
    assert tree.cut(1).n_levels == 3  # no level has nodes so small: the leaves stay
