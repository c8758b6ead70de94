import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.train.batches import BatchSource, split_filtered
from eclare_py.train.recipe import TrainingConfig
from eclare_py.types import as_csr

N, L = 23, 9
SCRIPT = """
import numpy as np, scipy.sparse as sp
from eclare_py.train.batches import BatchSource
from eclare_py.types import as_csr
labels = as_csr(sp.random_array((23, 9), density=0.2, rng=np.random.default_rng(0)))
source = BatchSource(labels, np.empty((0, 2), dtype=np.int64), batch_size=6, seed=3, stage="ranker", multiple=1)
negatives = np.arange(23 * 4).reshape(23, 4) % 9
for step, batch in source.epoch(1, negatives=negatives, drawn=2):
    print(step, batch.documents.tolist(), batch.labels.tolist())
"""


def source_of(batch_size=6, seed=3, stage="ranker", pairs=(), multiple=1, at_hand=0):
    labels = as_csr(sp.random_array((N, L), density=0.2, rng=np.random.default_rng(0)))
    return BatchSource(
        labels, np.array(pairs, dtype=np.int64).reshape(-1, 2), batch_size=batch_size, seed=seed, stage=stage,
        multiple=multiple, at_hand=at_hand,
    )  # fmt: skip


NEGATIVES = np.arange(N * 4).reshape(N, 4) % L


def contents(batches):
    return [(step, batch.documents.tolist(), batch.labels.tolist()) for step, batch in batches]


@pytest.mark.parametrize("batch_size", [1, 6, 12, 22, 23, 500])
def test_an_epoch_sees_every_document_once(batch_size):
    source = source_of(batch_size)
    batches = [batch.documents for _, batch in source.epoch(0)]
    assert len(batches) == source.steps
    assert np.sort(np.concatenate(batches)).tolist() == list(range(N))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1


def test_a_fresh_process_draws_the_same_batches():
    printed = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    ours = contents(source_of().epoch(1, negatives=NEGATIVES, drawn=2))
    assert printed.splitlines() == [f"{step} {documents} {labels}" for step, documents, labels in ours]


def test_epochs_stages_and_seeds_differ():
    first = contents(source_of().epoch(0))
    assert first == contents(source_of().epoch(0))
    for other in (source_of().epoch(1), source_of(stage="surrogate").epoch(0), source_of(seed=4).epoch(0)):
        assert contents(other) != first


def test_starting_in_the_middle_goes_on_exactly():
    source = source_of()
    whole = contents(source.epoch(2, negatives=NEGATIVES, drawn=2))
    assert contents(source.epoch(2, start=2, negatives=NEGATIVES, drawn=2)) == whole[2:]


def test_masks_equal_dense_indexing():
    pairs = [(0, 1), (4, 4), (4, 8), (11, 0)]
    source = source_of(pairs=pairs)
    relevant, filtered = source.labels.toarray() != 0, np.zeros((N, L), dtype=bool)
    filtered[tuple(np.array(pairs).T)] = True
    positive_and_filtered = tuple(np.argwhere(relevant)[0])
    documents = np.unique([0, 4, 7, 11, int(positive_and_filtered[0])])
    hard = np.full((len(documents), 3), -1)
    hard[0, 0], hard[1, 2], hard[2, 1] = 4, 8, 0
    batch = source.batch(documents, np.random.default_rng(0), hard)
    at_hand = np.unique(np.concatenate([np.nonzero(relevant[documents])[1], [4, 8, 0]]))
    assert batch.labels.tolist() == at_hand.tolist()
    np.testing.assert_array_equal(batch.ignored, filtered[documents][:, at_hand])
    np.testing.assert_array_equal(batch.positives, (relevant & ~filtered)[documents][:, at_hand])
    assert batch.ignored.any()


def test_a_relevant_filter_pair_is_neither_positive_nor_negative():
    labels = as_csr(np.array([[1, 1, 0], [0, 0, 1]], dtype=np.float32))
    source = BatchSource(labels, np.array([[0, 1]]), batch_size=2, seed=0, stage="surrogate", multiple=1)
    batch = source.batch(np.array([0, 1]), np.random.default_rng(0))
    assert batch.positives.tolist() == [[True, False, False], [False, False, True]]
    assert batch.ignored.tolist() == [[False, True, False], [False, False, False]]


def test_documents_without_any_label():
    source = BatchSource(
        as_csr((4, 3)), np.empty((0, 2), dtype=np.int64), batch_size=2, seed=0, stage="surrogate", multiple=1
    )
    for _, batch in source.epoch(0):
        assert batch.labels.shape == (0,) and batch.positives.shape == (2, 0) and batch.ignored.shape == (2, 0)


@pytest.mark.parametrize(
    ("multiple", "at_hand", "expected"),
    [(1, 0, 5), (2, 0, 6), (3, 0, 6), (4, 0, 8), (7, 0, 7), (50, 0, L), (1, 4, 5), (1, 7, 7), (4, 6, 8), (1, 99, L)],
)
def test_labels_are_filled_up_by_others(multiple, at_hand, expected):
    documents, hard = np.array([4]), np.array([[0, 1, 2, 3, -1]])
    plain = source_of().batch(documents, np.random.default_rng(0), hard)
    assert len(plain.labels) == 5
    filled = source_of(multiple=multiple, at_hand=at_hand).batch(documents, np.random.default_rng(0), hard)
    assert len(filled.labels) == expected and np.all(np.diff(filled.labels) > 0)
    assert set(plain.labels) <= set(filled.labels.tolist()) <= set(range(L))
    assert filled.labels[filled.positives[0]].tolist() == plain.labels[plain.positives[0]].tolist()


@pytest.mark.parametrize(("documents", "expected"), [(3, 1), (6, 1), (13, 2), (1000, 166), (6143, 1023), (10**6, 1024)])
def test_few_documents_make_small_batches(documents, expected):
    settings = TrainingConfig(batch_size=1024, least_steps=6)
    assert settings.per_step(documents) == expected
    steps = BatchSource(
        as_csr((documents, 1)), np.empty((0, 2), np.int64), batch_size=expected, seed=0, stage="surrogate"
    ).steps
    assert steps >= min(documents, 6)
    assert TrainingConfig(batch_size=7).per_step(documents) == min(7, documents)


@pytest.mark.parametrize("sizes", [[2] * 11 + [1], [1] * 23, [5, 6, 6, 6]])
def test_clusters_stay_whole_and_an_epoch_sees_every_document_once(sizes):
    source = source_of(batch_size=6)
    clusters = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    batches = [batch.documents for _, batch in source.epoch(3, clusters=clusters)]
    assert np.sort(np.concatenate(batches)).tolist() == list(range(N))
    assert all(len(batch) for batch in batches)
    homes = [set(clusters[batch].tolist()) for batch in batches]
    assert sum(len(home) for home in homes) == len(sizes)  # no cluster is in two batches
    assert max(len(home) for home in homes) - min(len(home) for home in homes) <= 1


def test_clustered_batches_are_drawn_anew_every_epoch_and_go_on_in_the_middle():
    source, clusters = source_of(), np.arange(N) % 12
    whole = contents(source.epoch(2, clusters=clusters, negatives=NEGATIVES, drawn=2))
    assert contents(source.epoch(2, clusters=clusters, negatives=NEGATIVES, drawn=2, start=2)) == whole[2:]
    assert contents(source.epoch(3, clusters=clusters)) != contents(source.epoch(2, clusters=clusters))


def test_filter_pairs_are_never_relevant():
    labels = as_csr(np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]))
    relevant, ignored = split_filtered(labels, np.array([[0, 3], [2, 4], [1, 0]]))
    assert relevant.toarray().tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0] * 5] and relevant.nnz == 2
    assert ignored.toarray().tolist() == [[0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
