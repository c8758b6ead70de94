import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import UsageError
from eclare_py.graph.closed_form import closed_form_walk
from eclare_py.graph.cooccurrence import WEIGHTINGS, cooccurrence_graph

# Documents {0,1}, {1,2}, {0,1}; label 3 has none. f = 2, 3, 1, 0; c(0,1) = 2, c(1,2) = 1; n = 3.
FOUR = sp.csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 0, 0]], dtype=np.float32))
BY_HAND = {
    "conditional": [[1, 1, 0, 0], [2 / 3, 1, 1 / 3, 0], [0, 1, 1, 0], [0, 0, 0, 1]],
    "lift": [[3 / 2, 1, 0, 0], [1, 1, 1, 0], [0, 1, 3, 0], [0, 0, 0, 1]],
    "jaccard": [[1, 2 / 3, 0, 0], [2 / 3, 1, 1 / 3, 0], [0, 1 / 3, 1, 0], [0, 0, 0, 1]],
    "cosine": [[1, 2 / 6**0.5, 0, 0], [2 / 6**0.5, 1, 1 / 3**0.5, 0], [0, 1 / 3**0.5, 1, 0], [0, 0, 0, 1]],
    # log 1 = 0 is no edge; label 1 is on every document, its own pmi is 0 too, so its self loop falls back to 1.
    "pmi": [[np.log(1.5), 0, 0, 0], [0, 1, 0, 0], [0, 0, np.log(3), 0], [0, 0, 0, 1]],
    # T = [[1/2, 1/2, 0], [1/3, 1/2, 1/6], [0, 1/2, 1/2]]; X (I - 0.2 T) = 0.8 T, checked by hand.
    "walk": [[13 / 27, 1 / 2, 1 / 54, 0], [1 / 3, 1 / 2, 1 / 6, 0], [1 / 27, 1 / 2, 25 / 54, 0], [0, 0, 0, 1]],
}


def random_labels(n_documents=40, n_labels=17, density=0.15, seed=0):
    matrix = np.random.default_rng(seed).random((n_documents, n_labels)) < density
    return sp.csr_array(matrix.astype(np.float32))


def naive(labels, weighting, *, weight=None, min_count=1.0, target=None):
    """The formulas of the module docstring on dense matrices."""
    source = labels.toarray().astype(float)
    target = source if target is None else target
    weight = np.ones(len(source)) if weight is None else weight
    both, f, n = (source * weight[:, None]).T @ target, weight @ source, weight.sum()
    left, right = np.meshgrid(f, f, indexing="ij")
    with np.errstate(all="ignore"):
        lift = both * n / (left * right)
        values = {
            "conditional": both / left, "lift": lift, "jaccard": both / (left + right - both),
            "cosine": both / np.sqrt(left * right), "pmi": np.log(lift),
        }[weighting]  # fmt: skip
    values[~np.isfinite(values) | (values <= 0)] = 0
    values[(both < min_count) & ~np.eye(len(f), dtype=bool)] = 0
    np.fill_diagonal(values, np.where(np.diag(values) > 0, np.diag(values), 1.0))
    return values


def graph_of(labels, weighting, **options):
    if weighting == "walk":
        return closed_form_walk(labels, **options)
    return cooccurrence_graph(labels, weighting=weighting, **options)


@pytest.mark.parametrize("weighting", sorted(BY_HAND))
def test_four_labels_by_hand(weighting):
    graph = graph_of(FOUR, weighting)
    np.testing.assert_allclose(graph.toarray(), BY_HAND[weighting], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
@pytest.mark.parametrize("block_rows", [1, 3, 100])
@pytest.mark.parametrize("min_count", [1, 2])
def test_blocks_equal_dense_formula(weighting, block_rows, min_count):
    labels = random_labels()
    graph = cooccurrence_graph(labels, weighting=weighting, top_k=None, min_count=min_count, block_rows=block_rows)
    np.testing.assert_allclose(graph.toarray(), naive(labels, weighting, min_count=min_count), rtol=1e-5)


@pytest.mark.parametrize("budget", [1, 9, 60])
def test_pair_budget_does_not_change_the_graph(monkeypatch, budget):
    labels = random_labels()
    monkeypatch.setattr("eclare_py.graph.cooccurrence._PAIR_BUDGET", budget)
    graph = cooccurrence_graph(labels, weighting="jaccard", top_k=None)
    np.testing.assert_allclose(graph.toarray(), naive(labels, "jaccard"), rtol=1e-5)


@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
@pytest.mark.parametrize("hub_mode", ["skip", "weight"])
def test_hub_documents(weighting, hub_mode):
    labels = random_labels(density=0.2)
    sizes = np.asarray(labels.sum(axis=1))
    assert (sizes > 3).any() and ((sizes > 0) & (sizes <= 3)).any()
    weight = np.where(sizes > 3, 0.0 if hub_mode == "skip" else 3 / np.maximum(sizes, 1), 1.0)
    graph = cooccurrence_graph(
        labels, weighting=weighting, top_k=None, hub_documents=3, hub_mode=hub_mode, min_count=0.5
    )
    np.testing.assert_allclose(
        graph.toarray(), naive(labels, weighting, weight=weight, min_count=0.5), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("weighting", sorted(WEIGHTINGS))
def test_head_labels(weighting):
    labels = random_labels()
    head = np.asarray(labels.sum(axis=0)) > 6
    assert 0 < head.sum() < 17
    without = labels.toarray() * ~head
    isolated = cooccurrence_graph(labels, weighting=weighting, top_k=None, head_threshold=6)
    np.testing.assert_allclose(isolated.toarray(), naive(sp.csr_array(without), weighting), rtol=1e-5)
    source = cooccurrence_graph(labels, weighting=weighting, top_k=None, head_threshold=6, head_mode="source")
    np.testing.assert_allclose(source.toarray(), naive(labels, weighting, target=without), rtol=1e-5)


def test_top_k_ties_go_to_the_lower_id():
    labels = sp.csr_array(np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1]], dtype=np.float32))
    graph = cooccurrence_graph(labels, weighting="conditional", top_k=2, block_rows=2)
    np.testing.assert_allclose(graph.toarray()[0], [1, 0.5, 0, 0, 1])
    np.testing.assert_allclose(graph.toarray()[3], [1, 1, 0, 1, 0])


@pytest.mark.parametrize("restart", [0.2, 0.8, 1.0])
def test_power_series_equals_dense_solution(restart):
    labels = random_labels(60, 23)
    solved = closed_form_walk(labels, restart=restart, top_k=None)
    series = closed_form_walk(labels, restart=restart, top_k=None, dense_below=0, block_rows=5, tolerance=0.0)
    np.testing.assert_allclose(series.toarray(), solved.toarray(), rtol=1e-5, atol=1e-8)
    rough = closed_form_walk(labels, restart=restart, top_k=None, dense_below=0, block_rows=4, tolerance=1e-3)
    assert 0 <= np.max(solved.toarray() - rough.toarray()) < 0.03


def test_closed_form_rows_sum_to_one_and_visits_balance():
    labels = random_labels(60, 23)
    graph = closed_form_walk(labels, top_k=None).toarray()
    np.testing.assert_allclose(graph.sum(axis=1), 1.0, rtol=1e-5)
    # The walk is reversible: share(l, m) f(l) = share(m, l) f(m).
    flow = graph * np.asarray(labels.sum(axis=0))[:, None]
    np.testing.assert_allclose(flow, flow.T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weighting", sorted(BY_HAND))
@pytest.mark.parametrize("shape", [(0, 3), (3, 2), (2, 1), (2, 0)])
def test_no_documents_at_all(weighting, shape):
    graph = graph_of(sp.csr_array(shape, dtype=np.float32), weighting)
    np.testing.assert_array_equal(graph.toarray(), np.eye(shape[1]))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 25), st.integers(1, 15), st.floats(0.0, 0.6), st.integers(0, 999), st.integers(1, 5),
    st.sampled_from(sorted(BY_HAND)), st.integers(1, 7),
)  # fmt: skip
def test_properties(n_documents, n_labels, density, seed, top_k, weighting, block_rows):
    labels = random_labels(n_documents, n_labels, density, seed)
    graph = graph_of(labels, weighting, top_k=top_k, block_rows=block_rows)
    assert graph.shape == (n_labels, n_labels) and graph.dtype == np.float32
    for label in range(n_labels):
        ids = graph.indices[graph.indptr[label] : graph.indptr[label + 1]]
        assert np.all(np.diff(ids) > 0) and label in ids and len(ids) <= top_k + 1
    assert np.all(np.isfinite(graph.data)) and np.all(graph.data > 0)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"weighting": "cosin"}, "weighting='cosin'"),
        ({"top_k": 0}, "top_k=0"),
        ({"block_rows": 0}, "block_rows=0"),
    ],
)
def test_bad_options_are_named(options, name):
    with pytest.raises(UsageError, match=name):
        cooccurrence_graph(FOUR, **options)


def test_a_walk_that_never_restarts_is_refused():
    with pytest.raises(UsageError, match="restart=0"):
        closed_form_walk(FOUR, restart=0)
