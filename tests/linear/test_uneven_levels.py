"""The linear ranker over a tree whose labels end on different levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclare_py.errors import ModelError
from eclare_py.index import LabelTree, LatencyConfig
from eclare_py.index.latency import UNCUT, pointers_of, starts_of
from eclare_py.linear import LinearConfig, LinearRanker, fit_linear, pifa_tree
from eclare_py.linear.hierarchy import levels_of
from eclare_py.linear.search import log_score
from eclare_py.linear.work import ranker_walk, search_work
from eclare_py.types import Csr, as_csr

N, L, V = 220, 31, 67
CONFIG = LinearConfig(
    branching=2, max_leaf=3, threshold=0.0, latency=LatencyConfig(frequency=0.9, interpolation="key", leaf="count")
)


def data(seed: int = 0) -> tuple[Csr, Csr]:
    """Words of their own for every label; label l has about 1 / (l + 1) of the documents, label 9 none."""
    random = np.random.default_rng(seed)
    labels = random.random((N, L)) < 0.6 / (1 + np.arange(L))
    labels[:, 9] = False
    labels[np.arange(N), random.integers(10, L, N)] = True
    words = np.zeros((N, V))
    for label in range(L):
        words[:, 2 * label : 2 * label + 2] += labels[:, [label]]
    words += random.random((N, V)) < 0.05
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1e-9)
    return as_csr(words), as_csr(labels.astype(np.float32))


@pytest.fixture(scope="module")
def trained() -> tuple[LinearRanker, Csr, Csr]:
    documents, labels = data()
    return fit_linear(documents, labels, pifa_tree(documents, labels, CONFIG), CONFIG), documents, labels


def naive(
    ranker: LinearRanker, document: np.ndarray, k: int, beam: int, close: float = np.inf
) -> tuple[list[tuple[int, float]], int]:
    """Search written out: nodes are (path, chunk), nothing is left out. Also the chunks that were opened."""
    kept, done, opened, position = [(0.0, 0)], [], 0, 0
    for depth, chunks in enumerate(ranker.levels):
        weights, ends = chunks.matrix().toarray(), set(ranker.ends[depth].tolist())
        margins = (weights @ document).astype(np.float32) + chunks.bias
        inner = [child for child in range(chunks.n_children) if child not in ends]
        found = []
        for path, parent in kept:
            opened += 1
            for child in range(chunks.child_ptr[parent], chunks.child_ptr[parent + 1]):
                score = np.float32(path + log_score(float(margins[child]), ranker.config.power))
                if child in ends:
                    done.append((score, position + sorted(ends).index(child)))
                else:
                    found.append((score, inner.index(child)))
        position += len(ends)
        found = sorted(found, key=lambda one: (-one[0], one[1]))[:beam]
        best = max([one[0] for one in found + done], default=-np.inf)
        kept = [one for one in found if one[0] >= best - close]
    done = sorted(done, key=lambda one: (-one[0], one[1]))[:k]
    return [(int(ranker.label_order[place]), float(score)) for score, place in done], opened


def test_levels_by_hand() -> None:
    """Leaves 0 | 1 2 | 3 | 4, the first ends on level 0, the last on level 1, the others on level 2."""
    cuts = np.array([0, 1, UNCUT, 3, 2, 0])
    starts = starts_of(cuts, first=1, step=1)
    order = np.array([3, 0, 4, 1, 2])
    zeros = np.zeros(9, np.float32)
    tree = LabelTree(*pointers_of(starts, 5), order, zeros[:, None], zeros)
    levels, ends = levels_of(tree, direct=1)
    assert [level.child_ptr.tolist() for level in levels] == [[0, 2], [0, 2], [0, 2], [0, 2]]
    assert [level.ends.tolist() for level in levels] == [[0], [1], [1], [0, 1]]
    assert [level.member.tolist() for level in levels] == [
        [1, 1, 1, 0, 1], [0, 0, 1, -1, 0], [0, 1, -1, -1, 0], [0, -1, -1, -1, 1],
    ]  # fmt: skip
    assert ends.tolist() == [3, 2, 1, 0, 4]
    # Leaves of two are left out: labels 0, 4 and 1 hang on one node.
    levels, ends = levels_of(tree, direct=2)
    assert [level.child_ptr.tolist() for level in levels] == [[0, 2], [0, 2], [0, 3]]
    assert [level.ends.tolist() for level in levels] == [[0], [1], [0, 1, 2]]
    assert ends.tolist() == [3, 2, 0, 4, 1]
    # Without, a leaf of one label is a node with a single child.
    levels, _ = levels_of(tree)
    assert [level.child_ptr.tolist() for level in levels] == [[0, 2], [0, 1, 3], [0, 2, 3], [0, 2, 3]]


def test_what_lies_under_a_child(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    _, documents, labels = trained
    levels, order = levels_of(pifa_tree(documents, labels, CONFIG), direct=1)
    assert sorted(order.tolist()) == list(range(L))
    assert sum(len(level.ends) for level in levels) == L
    assert sum(len(level.ends) > 0 for level in levels) > 2 and len(levels[-1].ends) == levels[-1].child_ptr[-1]
    dense = labels.toarray()
    for level, below in zip(levels, [*levels[1:], None], strict=True):
        counts = level.counts(labels).toarray()
        for child in range(counts.shape[1]):
            np.testing.assert_array_equal(counts[:, child], dense[:, level.member == child].sum(axis=1))
        only = level.counts(labels, ends_only=True).toarray()
        assert not only[:, level.inner].any()
        np.testing.assert_array_equal(only[:, level.ends], counts[:, level.ends])
        if below is not None:
            assert len(below.child_ptr) - 1 == len(level.inner)


@pytest.mark.parametrize(
    ("k", "beam", "close"), [(3, 2, None), (5, 4, None), (40, 3, None), (4, 100, 1.5), (6, 3, 0.5)]
)
def test_search_equals_a_naive_one(
    trained: tuple[LinearRanker, Csr, Csr], k: int, beam: int, close: float | None
) -> None:
    ranker, documents, _ = trained
    ranker = replace(ranker, config=replace(CONFIG, close=close))
    assert sum(len(own) > 0 for own in ranker.ends) > 2
    together = ranker.paths(documents[:25], k, beam=beam)
    for row in range(25):
        expected, _ = naive(ranker, documents[[row]].toarray()[0], k, beam, np.inf if close is None else close)
        found = together.indices[row] >= 0
        assert found.sum() == len(expected)
        np.testing.assert_allclose(together.scores[row][found], [score for _, score in expected], rtol=1e-4, atol=1e-5)
        distinct = len({round(score, 4) for _, score in expected}) == len(expected)
        if distinct:
            assert together.indices[row][found].tolist() == [label for label, _ in expected]
        alone = ranker.paths(documents[[row]], k, beam=beam)
        np.testing.assert_array_equal(alone.indices[0], together.indices[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


def test_fewer_chunks_are_opened(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    """Labels that wait close worse nodes without any change; `close` closes more, and a few labels are lost."""
    ranker, documents, _ = trained
    plain = search_work(ranker, documents, beam=4, k=L)
    known = np.mean([naive(ranker, documents[[row]].toarray()[0], L, 4)[1] for row in range(20)])
    assert search_work(ranker, documents[:20], beam=4, k=L).opened == pytest.approx(known)
    assert search_work(ranker, documents, beam=4, k=2).opened < plain.opened
    narrow = replace(ranker, config=replace(CONFIG, close=1.0))
    assert search_work(narrow, documents, beam=4, k=L).products < plain.products
    np.testing.assert_array_equal(narrow.rank(documents, 1).indices, ranker.rank(documents, 1).indices)


def test_the_walk_of_a_ranker(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    """The expected work by chunks is that of every label's own path."""
    ranker, _, labels = trained
    chance = np.asarray(labels.sum(axis=0)).ravel()
    chance /= chance.sum()
    opened, products = np.zeros(L), np.zeros(L)
    for label in range(L):
        at = int(np.flatnonzero(ranker.label_order == label)[0])
        depth = 0
        while at >= len(ranker.ends[depth]):
            at -= len(ranker.ends[depth])
            depth += 1
        child = int(ranker.ends[depth][at])
        for level in range(depth, -1, -1):
            parent = int(np.searchsorted(ranker.levels[level].child_ptr, child, side="right")) - 1
            width = int(np.diff(ranker.levels[level].child_ptr)[parent])
            opened[label] += width > 1
            products[label] += width if width > 1 else 0
            if level:
                inner = np.setdiff1d(np.arange(ranker.levels[level - 1].n_children), ranker.ends[level - 1])
                child = int(inner[parent])
    walk = ranker_walk(ranker, chance)
    assert walk.opened == pytest.approx(chance @ opened)
    assert walk.products == pytest.approx(chance @ products)
    assert ranker_walk(ranker, chance, weighted=True).products > walk.products


@pytest.mark.parametrize("negatives", ["man", "tfn+man"])
def test_matcher_aware_negatives_of_uneven_levels(trained: tuple[LinearRanker, Csr, Csr], negatives: str) -> None:
    ranker, documents, labels = trained
    config = replace(CONFIG, negatives=negatives, man_beam=2)
    other = fit_linear(documents, labels, pifa_tree(documents, labels, config), config)
    np.testing.assert_array_equal(other.levels[0].bias, ranker.levels[0].bias)
    assert not np.array_equal(other.levels[-1].bias, ranker.levels[-1].bias)


def test_a_filter_pair_is_no_negative_wherever_the_label_ends(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, labels = trained
    first = int(ranker.label_order[0])
    rows = np.flatnonzero(labels[:, [first]].toarray()[:, 0] == 0)[:40]
    pairs = np.stack([rows, np.full(len(rows), first)], axis=1)
    tree = pifa_tree(documents, labels, CONFIG)
    with_pairs = fit_linear(documents, labels, tree, CONFIG, filter_pairs=pairs)
    depth = next(depth for depth, own in enumerate(ranker.ends) if len(own))
    child = int(ranker.ends[depth][0])
    changed = with_pairs.levels[depth].bias != ranker.levels[depth].bias
    assert changed[child] and changed.sum() == 1


def test_an_uneven_ranker_is_saved(trained: tuple[LinearRanker, Csr, Csr]) -> None:
    ranker, documents, _ = trained
    again = LinearRanker.from_state(ranker.state(), CONFIG)
    np.testing.assert_array_equal(again.rank(documents, 7).indices, ranker.rank(documents, 7).indices)


@pytest.mark.parametrize("damage", ["missing", "outside", "twice", "none"])
def test_damaged_ends_are_refused(trained: tuple[LinearRanker, Csr, Csr], damage: str) -> None:
    state = trained[0].state()
    depth = next(depth for depth in range(len(trained[0].levels)) if len(trained[0].ends[depth]) > 1)
    name, ends = f"level{depth}.ends", trained[0].ends[depth].copy()
    if damage == "missing":
        del state.arrays[name]
        if depth == 0:
            state.arrays["level0.ends"] = ends.astype(np.int32)
    else:
        ends[-1] = {"outside": trained[0].levels[depth].n_children, "twice": ends[-2], "none": ends[-1]}[damage]
        state.arrays[name] = ends[:-1] if damage == "none" else ends
    with pytest.raises(ModelError, match="linear ranker"):
        LinearRanker.from_state(state, CONFIG)


def test_an_even_ranker_is_saved_as_it_always_was() -> None:
    documents, labels = data()
    config = replace(CONFIG, latency=LatencyConfig())
    ranker = fit_linear(documents, labels, pifa_tree(documents, labels, config), config)
    assert ranker.ends == ()
    assert not [name for name in ranker.state().arrays if "ends" in name]
