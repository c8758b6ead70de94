import numba
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from eclare_py.model.bag import BagOfEmbeddings, drop_entries
from eclare_py.types import as_csr

V, D = 13, 6
RATE, EPSILON = 0.3, 1e-6


def rows_of(dense):
    return as_csr(np.asarray(dense, dtype=np.float32))


def random_rows(count, seed):
    """Sparse rows with an empty one, and features that occur in several rows."""
    dense = sp.random_array((count, V), density=0.4, rng=np.random.default_rng(seed)).toarray().astype(np.float32)
    dense[count // 2] = 0
    dense[:, V - 1] = 0  # a feature that no text has
    return as_csr(dense)


def new_bag(seed=0):
    return BagOfEmbeddings(V, D, scale=0.5, generator=torch.Generator().manual_seed(seed))


def naive_adagrad(table, accumulator, gradient):
    """Row-wise Adagrad on a dense gradient, row by row."""
    table, accumulator = table.copy(), accumulator.copy()
    for row in range(len(table)):
        if np.any(gradient[row]):
            accumulator[row] += np.mean(gradient[row] ** 2)
            table[row] -= RATE * gradient[row] / (np.sqrt(accumulator[row]) + EPSILON)
    return table, accumulator


def by_torch(bag):
    """Let `step` take the path of other devices on this one."""

    def step(rate):
        notes, bag.notes = bag.notes, []
        by_term = sp.vstack([note[0] for note in notes], format="csc")
        touched = np.flatnonzero(np.diff(by_term.indptr))
        starts = np.append(by_term.indptr[touched], by_term.nnz).astype(np.int64)
        owners = by_term.indices.astype(np.int64)
        with torch.no_grad():
            gradients = torch.cat([note[1] for note in notes])
            bag._step_torch(starts, touched, owners, by_term.data, gradients, rate)

    return step


def test_forward_is_the_dense_product():
    bag, rows = new_bag(), random_rows(5, 1)
    expected = rows.toarray() @ bag.weight.detach().numpy()
    np.testing.assert_allclose(bag(rows).detach().numpy(), expected, atol=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(bag(rows).numpy(), expected, atol=1e-6)
    assert not bag.notes
    assert bag(rows[:0]).shape == (0, D)


def test_golden_step():
    bag = BagOfEmbeddings(2, 2, scale=0.0)
    (bag(rows_of([[2.0, 0.0]])) * torch.tensor([[3.0, 4.0]])).sum().backward()
    bag.step(1.0)
    # Gradient of row 0: 2 * (3, 4) = (6, 8); accumulator (36 + 64) / 2 = 50; step (6, 8) / sqrt(50).
    assert bag.accumulator.tolist() == [50.0, 0.0]
    np.testing.assert_allclose(bag.weight.detach().numpy(), [[-6 / 50**0.5, -8 / 50**0.5], [0, 0]], rtol=1e-5)


@pytest.mark.parametrize("path", ["compiled", "torch"])
def test_steps_equal_dense_gradients_and_naive_adagrad(path):
    bag = new_bag()
    step = bag.step if path == "compiled" else by_torch(bag)
    table, accumulator = bag.weight.detach().numpy().copy(), np.zeros(V, dtype=np.float32)
    for seed in range(3):  # several steps: accumulators matter; several notes a step; batches of unequal size
        batches = [random_rows(4 + seed, 10 + seed), random_rows(7, 20 + seed), random_rows(3, 30 + seed)]
        dense = torch.tensor(table, requires_grad=True)
        generator = torch.Generator().manual_seed(seed)
        for rows in batches:
            upstream = torch.randn(rows.shape[0], D, generator=generator)
            (torch.tanh(bag(rows)) * upstream).sum().backward()
            (torch.tanh(torch.from_numpy(rows.toarray()) @ dense) * upstream).sum().backward()
        assert len(bag.notes) == 3
        step(RATE)
        assert not bag.notes
        table, accumulator = naive_adagrad(table, accumulator, dense.grad.numpy())
        np.testing.assert_allclose(bag.weight.detach().numpy(), table, atol=2e-5)
        np.testing.assert_allclose(bag.accumulator.numpy(), accumulator, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("path", ["compiled", "torch"])
def test_untouched_rows_stay_bitwise(path):
    bag = new_bag()
    before = bag.weight.detach().clone()
    rows = rows_of([[0, 1, 0, 2] + [0] * (V - 4), [0, 3] + [0] * (V - 2)])
    bag(rows).sum().backward()
    (bag.step if path == "compiled" else by_torch(bag))(RATE)
    touched = torch.zeros(V, dtype=torch.bool)
    touched[[1, 3]] = True
    assert torch.equal(bag.weight[~touched], before[~touched])
    assert (bag.weight[touched] != before[touched]).all()
    assert (bag.accumulator[~touched] == 0).all() and (bag.accumulator[touched] > 0).all()


def test_one_and_two_threads_are_bitwise_equal():
    threads = numba.get_num_threads()
    results = []
    try:
        for count in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(count)
            bag = new_bag()
            for seed in range(3):
                rows = random_rows(50, seed)
                (bag(rows) * torch.randn(50, D, generator=torch.Generator().manual_seed(seed))).sum().backward()
                bag.step(RATE)
            results.append((bag.weight.detach().clone(), bag.accumulator.clone()))
    finally:
        numba.set_num_threads(threads)
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


def test_steps_without_notes_or_without_features_change_nothing():
    bag = new_bag()
    before = bag.weight.detach().clone()
    bag.step(RATE)
    bag(rows_of(np.zeros((3, V)))).sum().backward()
    bag.step(RATE)
    assert torch.equal(bag.weight.detach(), before) and not bag.notes


def test_the_table_gets_no_dense_gradient():
    bag = new_bag()
    bag(random_rows(4, 0)).sum().backward()
    assert bag.weight.grad is None


def test_dropped_entries_are_of_their_own_row_and_the_others_are_scaled():
    rows = as_csr(sp.random_array((40, 50), density=0.5, rng=np.random.default_rng(0)))
    torch.manual_seed(3)
    thinned = drop_entries(rows, 0.4)
    left, whole = thinned.toarray(), rows.toarray()
    kept = left != 0
    assert thinned.shape == rows.shape and thinned.nnz == kept.sum() and 0.5 < kept.sum() / rows.nnz < 0.7
    np.testing.assert_allclose(left[kept], whole[kept] / 0.6, rtol=1e-6)
    torch.manual_seed(3)
    np.testing.assert_array_equal(drop_entries(rows, 0.4).toarray(), left)


@pytest.mark.parametrize("entries", range(11))
def test_rows_of_any_length_are_summed(entries):
    bag, dense = new_bag(), np.zeros((3, V), dtype=np.float32)
    dense[0, :entries] = np.arange(1, entries + 1)
    dense[2, V - 2] = 1
    np.testing.assert_allclose(bag(rows_of(dense)).detach(), dense @ bag.weight.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("texts", range(1, 11))
def test_terms_of_any_number_of_texts_are_updated(texts):
    bag, dense = new_bag(), np.zeros((texts, V), dtype=np.float32)
    dense[:, 3] = np.arange(1, texts + 1)
    gradient = torch.randn(texts, D, generator=torch.Generator().manual_seed(1))
    table, accumulator = naive_adagrad(
        bag.weight.detach().numpy(), bag.accumulator.numpy(), dense.T @ gradient.numpy()
    )
    (bag(rows_of(dense)) * gradient).sum().backward()
    bag.step(RATE)
    np.testing.assert_allclose(bag.weight.detach(), table, atol=1e-5)
    np.testing.assert_allclose(bag.accumulator, accumulator, rtol=1e-5)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_rows_that_are_not_wanted_are_zero_and_teach_nothing(dropout):
    bag = BagOfEmbeddings(V, D, scale=0.5, dropout=dropout, generator=torch.Generator().manual_seed(0))
    rows = rows_of([[1, 2, 3] + [0] * (V - 3), [4, 5] + [0] * (V - 2), [0, 0, 6] + [0] * (V - 3)])
    wanted, before = np.array([True, False, True]), bag.weight.detach().clone()
    torch.manual_seed(2)
    whole = bag(rows).detach()
    bag.notes = []
    torch.manual_seed(2)
    some = bag(rows, wanted)
    assert torch.equal(some[wanted], whole[wanted]) and torch.all(some[1] == 0)
    some.sum().backward()
    assert bag.notes[0][0][[1]].nnz == 0
    bag.step(RATE)
    assert torch.equal(bag.weight[3:], before[3:])


def test_terms_are_dropped_in_training_only():
    bag = BagOfEmbeddings(50, 4, scale=1.0, dropout=0.5, generator=torch.Generator().manual_seed(0))
    rows = as_csr(sp.random_array((7, 50), density=0.5, rng=np.random.default_rng(0)))
    whole = rows.toarray() @ bag.weight.detach().numpy()
    assert np.abs(bag(rows).detach().numpy() - whole).max() > 0.1
    bag.eval()
    np.testing.assert_allclose(bag(rows).detach().numpy(), whole, atol=1e-5)


def nearest_codes(table):
    """The rows as codes of 8 bits give them back, by plain arithmetic."""
    largest = np.abs(table).max(axis=1, keepdims=True)
    unit = np.where(largest > 0, largest / 127, 1)
    return np.rint(table / unit) * unit


def coded_and_plain():
    """A coded table with a row of zeros, and one that is read as it is."""
    bags = [
        BagOfEmbeddings(V, D, scale=0.5, generator=torch.Generator().manual_seed(0), coded=coded)
        for coded in (True, False)
    ]
    with torch.no_grad():
        for bag in bags:
            bag.weight[4] = 0
    return bags


def test_a_coded_table_is_summed_by_its_nearest_codes():
    coded, plain = coded_and_plain()
    rows = random_rows(9, 1)
    table = plain.weight.detach().numpy()
    np.testing.assert_allclose(coded(rows).detach(), rows.toarray() @ nearest_codes(table), atol=1e-5)
    error = np.abs((coded(rows) - plain(rows)).detach().numpy())
    bound = np.abs(rows.toarray()) @ (np.abs(table).max(axis=1, keepdims=True) / 254)
    assert 0 < error.max() and (error <= bound + 1e-5).all()
    assert torch.equal(coded(rows_of(np.eye(V)[[4]])), torch.zeros(1, D))


def test_codes_follow_every_step_and_the_table_keeps_its_bits():
    coded, plain = coded_and_plain()
    for seed in range(3):
        rows, upstream = random_rows(7, seed), torch.randn(7, D, generator=torch.Generator().manual_seed(seed))
        for bag in (coded, plain):
            (bag(rows) * upstream).sum().backward()
            bag.step(RATE)
        assert torch.equal(coded.weight, plain.weight)  # the slopes here do not depend on the sums
        table = coded.weight.detach().numpy()
        np.testing.assert_allclose(coded(rows).detach(), rows.toarray() @ nearest_codes(table), atol=1e-5)
        anew = BagOfEmbeddings(V, D, scale=0.0, coded=True)
        anew.load_state_dict(coded.state_dict())
        assert torch.equal(anew.sums(rows), coded.sums(rows))  # a training that is gone on with sees the same


def test_codes_follow_a_table_that_is_written_from_outside():
    coded, plain = coded_and_plain()
    rows = random_rows(5, 2)
    coded(rows)
    plain.load_state_dict({name: 3 * value for name, value in plain.state_dict().items()})
    coded.load_state_dict(plain.state_dict())
    table = plain.weight.detach().numpy()
    np.testing.assert_allclose(coded.sums(rows), rows.toarray() @ nearest_codes(table), atol=1e-5)
