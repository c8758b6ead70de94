"""The coordinate descent reaches the optimum that a general optimiser finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from eclare_py.linear import solver
from eclare_py.linear.logistic import logistic
from eclare_py.linear.squared_hinge import squared_hinge
from eclare_py.registers import LANES
from eclare_py.types import Csr, as_csr


def problem(seed: int) -> tuple[Csr, np.ndarray, np.ndarray]:
    """Sparse documents, signs, and unequal costs."""
    random = np.random.default_rng(seed)
    dense = random.normal(size=(37, 11)) * (random.random((37, 11)) < 0.4)
    dense /= np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    signs = np.where(random.random(37) < 0.3, 1, -1).astype(np.float32)
    signs[0] = 1
    return as_csr(dense), signs, random.uniform(0.3, 3, size=37).astype(np.float32)


def rows_of(documents: Csr, bias: float) -> tuple[np.ndarray, ...]:
    """The documents as the solvers take them."""
    squares = (documents.multiply(documents).sum(axis=1) + bias**2).astype(np.float32)
    pointers = documents.indptr.astype(np.int64)
    return pointers[:-1], pointers[1:], documents.indices.astype(np.int32), documents.data, squares


def solve(kind: str, documents: Csr, signs: np.ndarray, costs: np.ndarray, bias: float) -> np.ndarray:
    arrays = rows_of(documents, bias)
    if kind == "logistic":
        weights = np.zeros(documents.shape[1] + 1)
        logistic(*arrays, signs, costs, bias, 1e-7, 5000, 3, weights)
        return weights
    together = np.zeros((documents.shape[1] + 1, LANES), np.float32)
    among = np.zeros((2, len(signs), LANES), np.float32)  # signs and costs of eight problems, seven of them empty
    among[:, :, 5] = signs, costs
    squared_hinge(*arrays, *among, bias, 1e-7, 5000, 3, together)
    assert not np.delete(together, 5, axis=1).any()
    return together[:, 5]


def loss(kind: str, weights: np.ndarray, dense: np.ndarray, signs: np.ndarray, costs: np.ndarray) -> float:
    margins = signs * (dense @ weights)
    each = np.maximum(0, 1 - margins) ** 2 if kind == "squared_hinge" else np.logaddexp(0, -margins)
    return float(0.5 * weights @ weights + costs @ each)


@pytest.mark.parametrize("kind", ["squared_hinge", "logistic"])
@pytest.mark.parametrize("bias", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_descent_finds_the_optimum(kind: str, bias: float, seed: int) -> None:
    documents, signs, costs = problem(seed)
    dense = np.hstack([documents.toarray(), np.full((37, 1), bias)]).astype(np.float64)
    best = minimize(lambda w: loss(kind, w, dense, signs, costs), np.zeros(12), method="BFGS", options={"gtol": 1e-9})
    weights = solve(kind, documents, signs, costs, bias)
    np.testing.assert_allclose(weights, best.x, atol=2e-4)
    assert loss(kind, weights, dense, signs, costs) <= best.fun * (1 + 1e-6)


def test_problems_side_by_side_end_like_each_alone() -> None:
    documents, _, _ = problem(4)
    random = np.random.default_rng(5)
    signs = np.where(random.random((37, LANES)) < [0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9], 1, -1).astype(np.float32)
    costs = random.uniform(0.3, 3, size=(37, LANES)).astype(np.float32)
    costs[random.random((37, LANES)) < 0.2] = 0
    alone = [solve("squared_hinge", documents, signs[:, lane], costs[:, lane], 1.0) for lane in range(LANES)]
    together = np.zeros((documents.shape[1] + 1, LANES), np.float32)
    squared_hinge(*rows_of(documents, 1.0), signs, costs, 1.0, 1e-7, 5000, 3, together)
    np.testing.assert_array_equal(together, np.stack(alone, axis=1))


def test_two_documents_by_hand() -> None:
    """x = 1, y = 1 and x = -1, y = -1, C = 1: min w^2/2 + 2 (1 - w)^2 has w = 4/5."""
    documents = as_csr(np.array([[1.0], [-1.0]]))
    weights = solve("squared_hinge", documents, np.array([1, -1], np.float32), np.ones(2, np.float32), 0.0)
    np.testing.assert_allclose(weights, [0.8, 0.0], atol=1e-6)


@pytest.mark.parametrize("kind", ["squared_hinge", "logistic"])
def test_a_document_of_no_cost_does_not_count(kind: str) -> None:
    documents, signs, costs = problem(2)
    costs[5:20] = 0
    kept = costs > 0
    without = solve(kind, as_csr(documents[kept]), signs[kept], costs[kept], 1.0)
    np.testing.assert_allclose(solve(kind, documents, signs, costs, 1.0), without, atol=1e-4)


def test_gather_numbers_features_in_order_and_leaves_the_scratch_clean() -> None:
    documents = as_csr(np.array([[0, 2, 0, 1, 0], [3, 0, 0, 0, 0], [0, 0, 0, 5, 4.0]]))
    numbers = np.full(5, -1, dtype=np.int32)
    rows = np.array([0, 2])
    pointers, columns, values, features = solver.gather(
        rows, documents.indptr.astype(np.int64), documents.indices.astype(np.int32), documents.data, numbers
    )
    assert features.tolist() == [1, 3, 4]
    assert pointers.tolist() == [0, 2, 4]
    assert columns.tolist() == [0, 1, 1, 2]
    assert values.tolist() == [2, 1, 5, 4]
    assert (numbers == -1).all()


@pytest.mark.parametrize("loss", [solver.SQUARED_HINGE, solver.LOGISTIC])
def test_a_node_too_large_to_copy_has_the_same_classifiers(loss: int, monkeypatch: pytest.MonkeyPatch) -> None:
    documents, _, costs = problem(5)
    seen = np.flatnonzero(np.arange(37) % 4)
    arrays = (documents.indptr.astype(np.int64), documents.indices.astype(np.int32), documents.data)
    positives = np.array([1, 5, 9, 2, 3, 6, 30], dtype=np.int64)
    ignored = (np.array([0, 1, 1], dtype=np.int64), np.array([7], dtype=np.int64))

    def solved(most: int) -> list[bytes]:
        monkeypatch.setattr(solver, "_MOST_COPIED", most)
        numbers = np.full(11, -1, dtype=np.int32)
        found = solver.solve_children.py_func(
            seen, *arrays, 0, 2, np.array([0, 3, 7], dtype=np.int64), positives, costs[:7], *ignored, numbers, loss,
            1.0, 1.0, 1.0, 0.01, 30, 0.01, 4,
        )  # fmt: skip
        return [part.tobytes() for part in found]

    assert solved(0) == solved(10**6)
