import itertools
import json

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph import agreement, analyze
from eclare_py.graph.agreement import document_agreement, random_pairs, text_agreement
from eclare_py.graph.label_graph import LabelGraph

# Edges 0-1 (both ways), 1-2, 3-4; label 5 is alone.
EDGES = [(0, 1), (1, 0), (2, 1), (3, 4)]
DENSE = np.eye(6, dtype=np.float32)
DENSE[tuple(zip(*EDGES, strict=True))] = 0.5
GRAPH = LabelGraph.from_adjacency(sp.csr_array(DENSE))
TEXTS = ["red wine", "white wine", "green tea", "loud music", "quiet music", "!"]
VECTORS = sp.csr_array([[3, 4, 0], [0, 2, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 0]], dtype=np.float32)
FREQUENCIES = np.array([1, 12, 12, 200, 101, 0])
# Documents {0, 1, 3}, {1, 2}, {0, 1}, {4}, {}.
TEST = sp.csr_array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0] * 6])
NAMES = ["unseen", "1", "2", "3-5", "6-10", "11-100", ">100", "all"]


def by_name(found):
    assert [one.name for one in found] == NAMES
    return {one.name: one for one in found}


def test_texts_by_hand():
    found = by_name(text_agreement(GRAPH, TEXTS, VECTORS, FREQUENCIES))
    assert {name: one.edges for name, one in found.items() if one.edges} == {
        "1": 1, "11-100": 1, ">100": 1, "all": 3
    }  # fmt: skip
    assert [found[name].shared_word for name in ("1", "11-100", ">100")] == [1, 0, 1]
    assert found["all"].shared_word == pytest.approx(2 / 3)
    assert found["1"].cosine == pytest.approx(0.8)
    assert found["11-100"].cosine == 0 and found[">100"].cosine == 1
    assert found["all"].cosine == pytest.approx(0.6)
    assert found["2"].shared_word is None and found["2"].cosine is None


def test_texts_without_any_word_share_none():
    found = text_agreement(GRAPH, ["!"] * 6, sp.csr_array((6, 3), dtype=np.float32), FREQUENCIES)[-1]
    assert (found.shared_word, found.cosine) == (0, None)


def test_documents_by_hand():
    found = by_name(document_agreement(GRAPH, TEST, FREQUENCIES))
    # Together in test: 0-1, 0-3, 1-3, 1-2. Of the edges 0-1 and 1-2 are among them; 3-4 is not, though both are seen.
    assert [(one.edges, one.edges_seen, one.pairs, one.hits) for one in found.values()] == [
        (0, 0, 0, 0), (1, 1, 2, 1), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 2, 1), (1, 1, 0, 0), (3, 3, 4, 2)
    ]  # fmt: skip
    assert (found["1"].precision, found["1"].recall) == (1, 0.5)
    assert (found[">100"].precision, found[">100"].recall) == (0, None)
    assert (found["all"].precision, found["all"].recall) == (pytest.approx(2 / 3), 0.5)


def test_an_edge_whose_label_is_never_seen_is_not_held_against_the_graph():
    unseen = TEST.copy().tolil()
    unseen[3, 4] = 0
    found = document_agreement(GRAPH, sp.csr_array(unseen), FREQUENCIES)[-1]
    assert (found.edges, found.edges_seen, found.precision) == (3, 2, 1)


@pytest.mark.parametrize("seed", range(3))
def test_documents_agree_with_a_naive_count(seed, monkeypatch):
    monkeypatch.setattr(agreement, "_ROWS", 4)  # several blocks
    rng = np.random.default_rng(seed)
    n_documents, n_labels = 31, 17
    labels = rng.random((n_documents, n_labels)) < 0.15
    dense = (rng.random((n_labels, n_labels)) < 0.2).astype(np.float32)
    graph = LabelGraph.from_adjacency(sp.csr_array(dense))
    frequencies = rng.integers(0, 15, n_labels)
    found = document_agreement(graph, sp.csr_array(labels, dtype=np.float32), frequencies)[-1]
    pairs = hits = edges = seen = 0
    for one, other in itertools.combinations(range(n_labels), 2):
        edge = bool(dense[one, other] or dense[other, one])
        together = bool((labels[:, one] & labels[:, other]).any())
        edges, pairs, hits = edges + edge, pairs + together, hits + (edge and together)
        seen += edge and labels[:, one].any() and labels[:, other].any()
    assert (found.edges, found.edges_seen, found.pairs, found.hits) == (edges, seen, pairs, hits)


def test_random_pairs_are_about_as_frequent():
    n_labels, rng = 3000, np.random.default_rng(1)
    frequencies = rng.permutation(np.arange(n_labels))  # all different: the frequency is the place in the order
    left = rng.integers(0, n_labels, 500)
    right = (left + rng.integers(1, n_labels, 500)) % n_labels
    ends = np.minimum(left, right), np.maximum(left, right)
    pairs = sp.csr_array((np.ones(500), ends), shape=(n_labels, n_labels))
    found = random_pairs(pairs, frequencies, seed=3)
    rows, columns = found.nonzero()
    assert (rows < columns).all() and 490 <= found.nnz <= 500
    before = np.sort(np.stack([frequencies[ends[0]], frequencies[ends[1]]]), axis=0)
    after = np.sort(np.stack([frequencies[rows], frequencies[columns]]), axis=0)
    for low, high in zip(*after, strict=True):  # 1 % of 3,000 labels, or twice that where the order ends
        assert ((abs(before[0] - low) <= 60) & (abs(before[1] - high) <= 60)).any()
    again = random_pairs(pairs, frequencies, seed=3)
    assert np.array_equal(again.indices, found.indices) and np.array_equal(again.indptr, found.indptr)


def test_edges_that_mean_something_are_told_from_chance():
    """Labels 2i and 2i + 1 are edges, share a word, and occur together."""
    n_labels = 400
    edges = np.arange(n_labels).reshape(-1, 2)
    graph = LabelGraph.from_adjacency(
        sp.csr_array((np.ones(200, np.float32), edges.T.tolist()), shape=(n_labels, n_labels))
    )
    texts = [f"thing{label // 2} x{label}" for label in range(n_labels)]
    labels = sp.csr_array((np.ones(n_labels), (np.arange(n_labels) // 2, np.arange(n_labels))))
    frequencies = np.full(n_labels, 3)
    words = text_agreement(graph, texts, labels.T.tocsr().astype(np.float32), frequencies)[-1]
    assert words.shared_word == words.cosine == 1
    assert words.random_shared_word < 0.1 and words.random_cosine < 0.1
    documents = document_agreement(graph, labels, frequencies)[-1]
    assert documents.precision == documents.recall == 1 and documents.random_precision < 0.1


def test_analysis_is_plain_data_and_the_same_again():
    found = analyze(GRAPH, TEXTS, VECTORS, FREQUENCIES, test_labels=TEST, seed=2)
    assert found.to_mapping() == analyze(GRAPH, TEXTS, VECTORS, FREQUENCIES, test_labels=TEST, seed=2).to_mapping()
    plain = json.loads(json.dumps(found.to_mapping(), allow_nan=False))
    assert (plain["summary"]["edges"], plain["communities"], plain["seed"]) == (4, 2, 2)
    largest, second = plain["largest_communities"]
    assert largest == {"labels": 3, "documents": 25, "inside": 1, "examples": ["white wine", "green tea", "red wine"]}
    assert (second["labels"], second["examples"]) == (2, ["loud music", "quiet music"])
    assert [hub["text"] for hub in plain["hubs"]] == ["white wine", "red wine", "quiet music"]
    assert plain["documents"][-1]["hits"] == 2
    assert analyze(GRAPH, TEXTS, VECTORS, FREQUENCIES).documents is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: analyze(GRAPH, TEXTS[:5], VECTORS, FREQUENCIES),
        lambda: analyze(GRAPH, TEXTS, VECTORS[:5], FREQUENCIES),
        lambda: analyze(GRAPH, TEXTS, VECTORS, FREQUENCIES[:5]),
        lambda: text_agreement(GRAPH, TEXTS[:5], VECTORS, FREQUENCIES),
        lambda: document_agreement(GRAPH, TEST[:, :5], FREQUENCIES),
    ],
)
def test_parts_of_another_label_set_are_refused(call):
    with pytest.raises(UsageError, match=r" 5 .* 6 labels"):
        call()
