import numpy as np
import pytest

from eclare_py.errors import UsageError
from eclare_py.index import IndexConfig, label_centroids, label_representations
from eclare_py.index.clustering import unit_rows
from eclare_py.types import as_csr

DOCUMENTS = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
LABELS = as_csr(np.array([[1, 0, 1, 1, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]))  # label 2 and 4 as 0


def test_centroids_by_hand():
    half = np.sqrt(0.5)
    plain = label_centroids(DOCUMENTS, LABELS, pifa=False)
    assert np.allclose(plain, [[1, 0], [0, 1], [1, 0], [half, half], [1, 0]])
    # Document 0 has 4 labels and votes 1/2, document 1 has 2 and votes 1/sqrt(2): label 3 is (1/2, 1/sqrt(2)) scaled.
    voted = label_centroids(DOCUMENTS, LABELS, pifa=True)
    assert np.allclose(voted[3], [np.sqrt(1 / 3), np.sqrt(2 / 3)])


def test_centroid_of_a_label_without_documents_is_zero():
    labels = as_csr(np.array([[1, 0], [1, 0], [0, 0]]))
    assert label_centroids(DOCUMENTS, labels).tolist()[1] == [0, 0]


def test_mix_and_concat_by_hand():
    labels = as_csr(np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]]))
    texts = np.array([[0, 3], [0, 3], [0, 0]], dtype=np.float32)
    root5 = np.sqrt(5)
    config = IndexConfig(combine="mix", centroid_weight=2.0, text_weight=1.0)
    mixed = label_representations(documents=DOCUMENTS, labels=labels, texts=texts, config=config)
    assert np.allclose(mixed, [[2 / root5, 1 / root5], [0, 1], [0, 0]])
    config = IndexConfig(combine="concat", centroid_weight=2.0, text_weight=1.0)
    joined = label_representations(documents=DOCUMENTS, labels=labels, texts=texts, config=config)
    assert np.allclose(joined, [[2 / root5, 0, 0, 1 / root5], [0, 0, 0, 1], [0, 0, 0, 0]])


def test_graph_lends_a_label_its_neighbours():
    texts = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32)
    graph = as_csr(np.array([[0, 2, 0], [0, 1, 0], [7, 0, 0]]))
    smooth = label_representations(texts=texts, graph=graph, config=IndexConfig(graph_weight=0.5))
    assert np.allclose(smooth, [[2 / np.sqrt(5), 1 / np.sqrt(5)], [0, 1], [1, 0]])
    alone = label_representations(texts=texts, graph=graph, config=IndexConfig(graph_weight=0.0))
    assert np.allclose(alone, texts)


def test_a_weight_of_zero_leaves_a_part_out():
    texts = np.ones((5, 3), dtype=np.float32)
    config = IndexConfig(text_weight=0.0)
    only = label_representations(documents=DOCUMENTS, labels=LABELS, texts=texts, config=config)
    assert np.allclose(only, label_centroids(DOCUMENTS, LABELS))


@pytest.mark.parametrize("combine", ["concat", "mix"])
@pytest.mark.parametrize("shape", [(1, 3, 4), (17, 5, 3), (40, 23, 6)])
def test_blocks_change_nothing_and_no_argument_is_changed(combine, shape, monkeypatch):
    n_documents, n_labels, dim = shape
    rng = np.random.default_rng(sum(shape))
    documents, texts = (rng.normal(size=(n, dim)).astype(np.float32) for n in (n_documents, n_labels))
    labels = as_csr(rng.random((n_documents, n_labels)) < 0.3)
    graph = as_csr(rng.random((n_labels, n_labels)) * (rng.random((n_labels, n_labels)) < 0.4))
    config = IndexConfig(combine=combine, centroid_weight=0.7, text_weight=1.3, graph_weight=0.5)
    before = documents.copy(), texts.copy(), graph.data.copy()

    parts = [np.float32(0.7) * label_centroids(documents, labels), np.float32(1.3) * unit_rows(texts)]
    joint = unit_rows(np.concatenate(parts, axis=1) if combine == "concat" else parts[0] + parts[1])
    expected = unit_rows(joint + np.float32(0.5) * unit_rows(graph @ joint))

    monkeypatch.setattr("eclare_py.index.representations._BLOCK", 7)
    found = label_representations(documents=documents, labels=labels, texts=texts, graph=graph, config=config)
    np.testing.assert_array_equal(found, expected)
    for kept, now in zip(before, (documents, texts, graph.data), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_unit_rows_in_place():
    rows = np.array([[3, 4], [0, 0], [0, -2]], dtype=np.float32)
    kept = rows.copy()
    plain = unit_rows(rows)
    assert plain.tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0], [0, -1]]
    np.testing.assert_array_equal(rows, kept)
    assert unit_rows(rows, own=True) is rows
    np.testing.assert_array_equal(rows, plain)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "need documents"),
        ({"documents": DOCUMENTS}, "need documents"),
        ({"documents": DOCUMENTS[:2], "labels": LABELS}, "2 document vectors"),
        ({"documents": DOCUMENTS, "labels": LABELS, "texts": np.ones((4, 2))}, "4 label texts"),
        (
            {
                "documents": DOCUMENTS,
                "labels": LABELS,
                "texts": np.ones((5, 3)),
                "config": IndexConfig(combine="mix"),
            },
            "one dimension",
        ),
        ({"texts": np.ones((5, 3)), "graph": as_csr(np.eye(4))}, "5 labels"),
        ({"texts": np.full((5, 3), np.inf)}, "row 0"),
    ],
)
def test_bad_calls_are_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        label_representations(**arguments)
