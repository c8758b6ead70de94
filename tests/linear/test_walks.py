"""Every walk of a chunk gives the naive masked product, on shapes that are all different."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import ModelError
from eclare_py.linear.chunks import Chunks
from eclare_py.linear.walks import BINARY, DENSE, HASH, MARCHING, WALKS, choose, multiply_chunks
from eclare_py.storage import State
from eclare_py.types import Csr, as_csr

V = 97


def weights(seed: int, density: float = 0.2) -> tuple[Chunks, np.ndarray]:
    """Chunks of 5, 0, 1, 13 and 7 children, and the same (V, 26) dense."""
    random = np.random.default_rng(seed)
    dense = (random.normal(size=(26, V)) * (random.random((26, V)) < density)).astype(np.float32)
    dense[8] = 0  # a child without weights
    dense[5] = 0  # a chunk without rows: the third
    columns = as_csr(dense)
    bias = random.normal(size=26).astype(np.float32)
    child_ptr = np.array([0, 5, 5, 6, 19, 26])
    made = Chunks.of_columns(columns.indptr.astype(np.int64), columns.indices, columns.data, bias, child_ptr, V)
    return made, dense


def documents(rows: int, seed: int) -> Csr:
    made = sp.random_array((rows, V), density=0.15, rng=np.random.default_rng(seed), dtype=np.float32)
    dense = made.toarray()
    dense[0] = 0 if rows > 1 else dense[0]  # an empty document
    return as_csr(dense)


@pytest.mark.parametrize("walk", [*WALKS, "choose"])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_walks_equal_the_masked_product(walk: str, rows: int) -> None:
    chunks, dense = weights(rows)
    x = documents(rows, seed=rows + 1)
    random = np.random.default_rng(5)
    mask = np.argwhere(random.random((rows, 5)) < 0.6)
    random.shuffle(mask)
    out_ptr, products = multiply_chunks(x, chunks, mask[:, 0], mask[:, 1], walk=walk)
    every = x.toarray() @ dense.T + chunks.bias
    for i, (row, parent) in enumerate(mask):
        expected = every[row, chunks.child_ptr[parent] : chunks.child_ptr[parent + 1]]
        np.testing.assert_allclose(products[out_ptr[i] : out_ptr[i + 1]], expected, atol=1e-5)
    assert out_ptr[-1] == len(products)


def test_all_walks_add_in_the_same_order() -> None:
    chunks, _ = weights(1)
    x = documents(9, seed=2)
    pairs = np.repeat(np.arange(9), 5), np.tile(np.arange(5), 9)
    results = [multiply_chunks(x, chunks, *pairs, walk=walk)[1] for walk in WALKS]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def test_no_blocks_give_nothing() -> None:
    out_ptr, products = multiply_chunks(documents(3, 0), weights(0)[0], np.empty(0, np.int64), np.empty(0, np.int64))
    assert out_ptr.tolist() == [0]
    assert not len(products)


def test_the_rule_takes_each_walk_where_it_is_best() -> None:
    assert choose(20, 12, 1) == MARCHING
    assert choose(2000, 12, 1) == BINARY
    assert choose(15, 5000, 1) == HASH
    assert choose(30, 3000, 500) == DENSE


def test_a_document_alone_never_gets_a_dense_table() -> None:
    """It has none to write to: a dense walk would write outside."""
    assert DENSE not in {choose(terms, rows, 1) for terms in range(0, 400, 3) for rows in range(0, 4000, 7)}


def test_chunks_hold_the_weights_and_survive_saving() -> None:
    chunks, dense = weights(3)
    np.testing.assert_array_equal(chunks.matrix().toarray(), dense)
    again = Chunks.from_state(State(chunks.state("a"), {}), "a", V)
    np.testing.assert_array_equal(again.matrix().toarray(), dense)
    np.testing.assert_array_equal(again.bias, chunks.bias)


@pytest.mark.parametrize(
    ("part", "at", "value", "said"),
    [
        ("features", 0, V, "outside 0..96"),
        ("features", 0, 96, "do not ascend"),
        ("offsets", 0, 30, "outside its chunk"),
        ("entry_ptr", 1, 10_000, "entry_ptr does not fit"),
        ("values", 0, np.nan, "NaN"),
        ("child_ptr", 1, -1, "child_ptr does not fit"),
    ],
)
def test_arrays_that_point_outside_are_refused(part: str, at: int, value: float, said: str) -> None:
    chunks, _ = weights(4)
    array = getattr(chunks, part).copy()
    array[at] = value
    with pytest.raises(ModelError, match=said):
        replace(chunks, **{part: array}).check("a")
