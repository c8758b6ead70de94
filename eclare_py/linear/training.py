"""Training of XR-Linear, level by level from the root down."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numba import get_num_threads

from eclare_py.errors import UsageError
from eclare_py.index import LabelTree
from eclare_py.linear import solver
from eclare_py.linear.chunks import Chunks
from eclare_py.linear.config import LinearConfig
from eclare_py.linear.hierarchy import levels_of
from eclare_py.linear.model import LinearRanker
from eclare_py.quantize import coarse
from eclare_py.registers import LANES
from eclare_py.sparse import pair_matrix
from eclare_py.types import Csr, FloatArray, IntArray, as_csr

_TASK = 2e7  # products of one task; a node above this is shared between threads


@dataclass(frozen=True)
class _Level:
    """What one level is trained on.

    Attributes:
        nodes: Documents of every parent (CSC pointers, rows).
        positives: Documents of every child (CSC pointers, rows, relevances).
        ignored: Documents every child does not see (CSC pointers, rows).
        child_ptr: (P+1,) children of every parent.
    """

    nodes: tuple[IntArray, np.ndarray]
    positives: tuple[IntArray, np.ndarray, FloatArray]
    ignored: tuple[IntArray, np.ndarray]
    child_ptr: IntArray


def fit_linear(
    documents: Csr,
    labels: Csr,
    tree: LabelTree,
    config: LinearConfig,
    *,
    filter_pairs: IntArray | None = None,
    seed: int = 0,
) -> LinearRanker:
    """Train one classifier per child of every node (XR-Linear: Yu et al., PECOS, JMLR 2022; Parabel, WWW 2018).

    A child's positives are the documents with a label under it. Its negatives are the other documents that its parent
    sees: those with a label under the parent (teacher-forcing negatives), those the levels above lead there
    (matcher-aware negatives), or both. Deviation from PECOS: a filter pair is neither positive nor negative for its
    label, and a child without any positive gets no weights and the margin -1.

    Args:
        documents: (N, V) features, rows of length one.
        labels: (N, L) label matrix.
        tree: The labels' tree; its routers are not used.
        config: Loss, negatives, sizes.
        filter_pairs: (F, 2) pairs of document and label.
        seed: Order of the documents in the descent.

    Raises:
        UsageError: Row counts differ, or the tree is over other labels.
    """
    if documents.shape[0] != labels.shape[0]:
        raise UsageError(f"{documents.shape[0]} documents for {labels.shape[0]} rows of the label matrix")
    if tree.n_labels != labels.shape[1]:
        raise UsageError(f"a tree of {tree.n_labels} labels for a label matrix of {labels.shape[1]}")
    documents = as_csr(documents)
    by_frequency = config.latency.frequency > 0 or tree.uneven
    levels, label_order = levels_of(tree, direct=config.latency.direct if by_frequency else 0)
    filtered = pair_matrix(filter_pairs, labels.shape)
    ranker = LinearRanker([], label_order, config, documents.shape[1])
    parents = as_csr(np.ones((documents.shape[0], 1)))
    for depth, level in enumerate(levels):
        seen, target = parents, level.counts(labels)
        if depth and config.negatives != "tfn":
            picked = ranker.search_nodes(documents, beam=config.man_beam)
            seen = picked if config.negatives == "man" else as_csr(parents + picked)
        # Only labels have filter pairs; nodes see every document.
        ignored = level.counts(filtered, ends_only=True)
        task = _Level(
            _columns(seen)[:2],
            _columns(_relevances(target) if config.cost_sensitive else _ones(target)),
            _columns(ignored)[:2],
            level.child_ptr,
        )
        chunks = _train_level(documents, task, config, seed)
        ranker = replace(ranker, levels=[*ranker.levels, chunks], ends=(*ranker.ends, level.ends))
        parents = _ones(target) if not len(level.ends) else as_csr(_ones(target)[:, level.inner])
    # Paths that all end on the last level are the rule, and told by no ends at all.
    return ranker if any(len(own) for own in ranker.ends[:-1]) else replace(ranker, ends=())


def fit_level(
    documents: Csr, seen: Csr, targets: Csr, child_ptr: IntArray, config: LinearConfig, *, ignored: Csr | None = None,
    seed: int = 0,
) -> Chunks:  # fmt: skip
    """The classifiers of one level alone.

    Args:
        documents: (N, V) features with ascending columns.
        seen: (N, P) which documents the children of each parent are told from each other on.
        targets: (N, n) labels under each child; positive where there are any.
        child_ptr: (P+1,) children of every parent.
        config: Loss and costs; with `cost_sensitive` a positive weighs by its share of the document's labels.
        ignored: (N, n) documents that are neither positive nor negative for a child.
        seed: Order of the documents in the descent.

    Raises:
        UsageError: Shapes do not fit each other.
    """
    parents, children = len(child_ptr) - 1, int(child_ptr[-1])
    if seen.shape != (documents.shape[0], parents) or targets.shape != (documents.shape[0], children):
        raise UsageError(
            f"seen {seen.shape} and targets {targets.shape} for {documents.shape[0]} documents, {parents} parents and "
            f"{children} children"
        )
    positives = _relevances(targets) if config.cost_sensitive else _ones(targets)
    unclear = sp.csr_array(targets.shape, dtype=np.float32) if ignored is None else ignored
    level = _Level(_columns(seen)[:2], _columns(positives), _columns(unclear)[:2], child_ptr)
    return _train_level(documents, level, config, seed)


def _ones(matrix: Csr) -> Csr:
    return Csr((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _relevances(counts: Csr) -> Csr:
    """Share of the document's labels that lie under each child (PECOS' induced relevances, l1 rows)."""
    totals = np.repeat(np.asarray(counts.sum(axis=1)).ravel(), np.diff(counts.indptr))
    return Csr(((counts.data / totals).astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)


def _columns(matrix: Csr) -> tuple[IntArray, np.ndarray, FloatArray]:
    columns = matrix.tocsc()
    columns.sort_indices()
    return columns.indptr.astype(np.int64), columns.indices.astype(np.int64), columns.data.astype(np.float32)


def _train_level(documents: Csr, level: _Level, config: LinearConfig, seed: int) -> Chunks:
    """All chunks of a level; threads take nodes, the largest first, and heavy nodes some children at a time."""
    tasks = _tasks(documents, level)
    loss = solver.SQUARED_HINGE if config.loss == "squared-hinge" else solver.LOGISTIC
    rows = (
        documents.indptr.astype(np.int64, copy=False), documents.indices.astype(np.int32, copy=False), documents.data
    )  # fmt: skip
    numbers = [np.full(documents.shape[1], -1, dtype=np.int32) for _ in range(get_num_threads())]

    def run(task: tuple[int, int, int]) -> tuple[IntArray, np.ndarray, np.ndarray, FloatArray]:
        parent, first, last = task
        scratch = numbers.pop()
        seen = level.nodes[1][level.nodes[0][parent] : level.nodes[0][parent + 1]]
        ends, features, weights, intercepts = solver.solve_children(
            seen, *rows, first, last, *level.positives, *level.ignored, scratch, loss,
            config.cost * config.positive_cost, config.cost, config.bias, config.tolerance, config.rounds,
            config.threshold, seed,
        )  # fmt: skip
        numbers.append(scratch)
        return np.diff(ends), features, coarse(weights).astype(np.float16), intercepts  # nothing more is lost by this

    order = np.argsort([-cost for _, _, _, cost in tasks], kind="stable")
    with ThreadPoolExecutor(get_num_threads()) as pool:
        done = dict(zip(order.tolist(), pool.map(run, [tasks[i][:3] for i in order]), strict=True))
    parts = [done.pop(i) for i in range(len(tasks))]
    counts, features, weights, bias = (np.concatenate(some) for some in zip(*parts, strict=True))
    parts.clear()
    pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Chunks.of_columns(
        pointers, features, weights.astype(np.float32), bias, level.child_ptr, documents.shape[1]
    )


def _tasks(documents: Csr, level: _Level) -> list[tuple[int, int, int, float]]:
    """(parent, first child, last child, cost) in the order of the children."""
    counts = np.diff(documents.indptr)
    pointers, seen = level.nodes
    sums = np.concatenate([[0], np.cumsum(counts[seen])])
    found: list[tuple[int, int, int, float]] = []
    for parent in range(len(level.child_ptr) - 1):
        first, last = int(level.child_ptr[parent]), int(level.child_ptr[parent + 1])
        once = float(sums[pointers[parent + 1]] - sums[pointers[parent]])
        step = LANES * max(1, int(_TASK / max(10 * once, 1)) // LANES)
        found += [(parent, a, min(a + step, last), once * (min(a + step, last) - a)) for a in range(first, last, step)]
    return found
