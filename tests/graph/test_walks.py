import numba
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.errors import UsageError
from eclare_py.graph.closed_form import closed_form_walk
from eclare_py.graph.walks import walk_counts

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
LABEL_STEP = 0xD1342543DE82EF95


def random_labels(n_documents=40, n_labels=17, density=0.12, seed=0):
    matrix = sp.random_array((n_documents, n_labels), density=density, format="csr", rng=np.random.default_rng(seed))
    matrix = matrix.astype(np.float32)
    matrix.data[:] = 1.0
    matrix.sort_indices()
    return matrix


def mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def naive_walk(labels, label, *, walk_length, restart, seed):
    """The documented generator and walk, one label, in plain Python."""
    dense = labels.toarray() > 0
    key = mix((mix((seed + GOLDEN) & MASK) + label * LABEL_STEP) & MASK)
    current, counts = label, np.zeros(labels.shape[1])
    for step in range(walk_length):
        bits = mix((key + 2 * step * GOLDEN) & MASK)
        documents = np.flatnonzero(dense[:, current])
        members = np.flatnonzero(dense[documents[(bits >> 32) * len(documents) >> 32]])
        current = members[(bits & 0xFFFFFFFF) * len(members) >> 32]
        counts[current] += 1
        if (mix((key + (2 * step + 1) * GOLDEN) & MASK) >> 11) / 2**53 < restart:
            current = label
    return counts


def test_equals_plain_python_walk():
    labels = random_labels()
    counts = walk_counts(labels, walk_length=70, restart=0.6, top_k=None, seed=5).toarray()
    for label in range(labels.shape[1]):
        if labels[:, [label]].nnz:
            np.testing.assert_array_equal(
                counts[label], naive_walk(labels, label, walk_length=70, restart=0.6, seed=5) + loop(counts, label)
            )


def loop(counts, label):
    """1 on the diagonal where the walk never came back (the documented self loop)."""
    row = np.zeros(len(counts))
    row[label] = 1.0 if counts[label].sum() == 71 else 0.0
    return row


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"restart": 0.3},
        {"restart": 1.0},
        {"hub_documents": 2, "hub_mode": "skip"},
        {"hub_documents": 2, "hub_mode": "weight"},
        {"head_threshold": 6, "head_mode": "isolate"},
        {"head_threshold": 6, "head_mode": "source"},
        {"head_threshold": 6, "head_mode": "keep"},
        {"head_threshold": 5, "head_mode": "source", "hub_documents": 2, "hub_mode": "weight"},
    ],
)
def test_converges_to_closed_form(options):
    labels, length = random_labels(30, 11, 0.2), 200_000
    restart = options.get("restart", 0.8)
    expected = closed_form_walk(labels, top_k=None, **options).toarray()
    counts = walk_counts(labels, walk_length=length, top_k=None, seed=1, **options).toarray()
    walked = counts.sum(axis=1) > 1
    assert walked.sum() >= 5
    # Visits of one walk are correlated by at most 1 - restart per step, which widens the variance by (2 - r) / r.
    error = 5 * np.sqrt(expected * (1 - expected) * (2 - restart) / restart / length) + 2 / (restart * length)
    off_diagonal = ~np.eye(11, dtype=bool)
    checked = walked[:, None] & (off_diagonal | (counts > 1))
    assert np.all(np.abs(counts / length - expected)[checked] <= error[checked])


def test_same_graph_on_any_number_of_threads():
    labels = random_labels(900, 400, 0.01, seed=3)
    before = numba.get_num_threads()
    graphs = []
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            graphs.append(walk_counts(labels, seed=9))
    finally:
        numba.set_num_threads(before)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(graphs[0], part), getattr(graphs[1], part))


def test_blocks_do_not_change_the_graph(monkeypatch):
    labels = random_labels(90, 50, 0.06)
    whole = walk_counts(labels, seed=2)
    monkeypatch.setattr("eclare_py.graph.walks._BLOCK", 7)
    assert (walk_counts(labels, seed=2) != whole).nnz == 0


def test_seeds_differ():
    labels = random_labels()
    graphs = [walk_counts(labels, seed=seed).toarray() for seed in (0, 1, -1, 2**63)]
    assert all(np.any(graphs[0] != other) for other in graphs[1:])


def test_labels_walk_independent_streams():
    # Two disjoint copies of one component: same structure, other labels, so other draws.
    block = sp.csr_array(np.array([[1, 1, 1], [1, 0, 1]], dtype=np.float32))
    counts = walk_counts(sp.csr_array(sp.block_diag([block, block])), seed=0).toarray()
    assert np.any(counts[:3, :3] != counts[3:, 3:])


def test_top_k_by_count_then_lower_id():
    labels = random_labels(60, 20, 0.2)
    full = walk_counts(labels, walk_length=40, top_k=None, seed=4)
    cut = walk_counts(labels, walk_length=40, top_k=3, seed=4).toarray()
    ties = 0
    for label in range(20):
        row = full[[label]].toarray()[0]
        others = [other for other in range(20) if other != label and row[other] > 0]
        order = sorted(others, key=lambda other: (-row[other], other))
        ties += len(order) > 3 and row[order[2]] == row[order[3]]
        expected = np.zeros(20)
        expected[[*order[:3], label]] = row[[*order[:3], label]]
        np.testing.assert_array_equal(cut[label], expected)
    assert ties > 0


def test_head_label_modes():
    # Label 0 is on all five documents; labels 1 and 2 share one.
    labels = sp.csr_array(np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 0, 0]], dtype=np.float32))
    isolated = walk_counts(labels, head_threshold=4, head_mode="isolate").toarray()
    np.testing.assert_array_equal(isolated[0], [1, 0, 0])
    np.testing.assert_array_equal(isolated[:, 0], [1, 0, 0])
    source = walk_counts(labels, head_threshold=4, head_mode="source").toarray()
    assert source[0, 0] == 1 and source[0, 1] > 0 and source[0, 2] > 0 and source[0, 1:].sum() == 400
    np.testing.assert_array_equal(source[1:, 0], [0, 0])
    keep = walk_counts(labels, head_threshold=4, head_mode="keep").toarray()
    assert np.all(keep > 0)


def test_hub_documents_skipped():
    labels = sp.csr_array(np.array([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=np.float32))
    counts = walk_counts(labels, hub_documents=3).toarray()
    assert counts[0, 1] > 0 and counts[0, 2] == 0
    np.testing.assert_array_equal(counts[2:], [[0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize("shape", [(0, 3), (4, 3), (2, 1), (3, 0), (0, 0)])
def test_labels_without_documents_and_tiny_shapes(shape):
    graph = walk_counts(sp.csr_array(shape, dtype=np.float32))
    np.testing.assert_array_equal(graph.toarray(), np.eye(shape[1]))


def test_one_label_walks_on_itself():
    graph = walk_counts(sp.csr_array(np.ones((3, 1), dtype=np.float32)), walk_length=25)
    np.testing.assert_array_equal(graph.toarray(), [[25]])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 20), st.floats(0.02, 0.5), st.integers(0, 1000), st.integers(1, 6),
    st.sampled_from(["isolate", "source", "keep"]), st.sampled_from(["skip", "weight"]), st.integers(1, 8),
)  # fmt: skip
def test_properties(n_documents, n_labels, density, seed, top_k, head_mode, hub_mode, limit):
    labels = random_labels(n_documents, n_labels, density, seed)
    graph = walk_counts(
        labels, walk_length=50, top_k=top_k, head_threshold=limit, head_mode=head_mode, hub_documents=limit,
        hub_mode=hub_mode, seed=seed,
    )  # fmt: skip
    assert graph.shape == (n_labels, n_labels) and graph.dtype == np.float32
    assert np.all(graph.diagonal() >= 1)
    together = (labels.T @ labels).toarray() > 0
    reachable = np.linalg.matrix_power(together + np.eye(n_labels), n_labels) > 0
    for label in range(n_labels):
        ids = graph.indices[graph.indptr[label] : graph.indptr[label + 1]]
        assert np.all(np.diff(ids) > 0) and len(ids) <= top_k + 1
        assert np.all(reachable[label, ids])
    assert np.all(graph.data > 0) and graph.data.max() <= 50


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"walk_length": 0}, "walk_length=0"),
        ({"restart": 0.0}, "restart=0.0"),
        ({"restart": 1.5}, "restart=1.5"),
        ({"top_k": 0}, "top_k=0"),
        ({"head_threshold": 0}, "head_threshold=0"),
        ({"hub_documents": 0}, "hub_documents=0"),
        ({"head_mode": "drop"}, "head_mode='drop'"),
        ({"hub_mode": "drop"}, "hub_mode='drop'"),
    ],
)
def test_bad_options_are_named(options, name):
    with pytest.raises(UsageError, match=name):
        walk_counts(random_labels(), **options)


def test_negative_relevance_is_refused():
    with pytest.raises(UsageError, match="-1.0"):
        walk_counts(sp.csr_array(np.array([[1, -1]], dtype=np.float32)))
