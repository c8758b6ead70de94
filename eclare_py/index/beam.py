"""Search: beam down the tree, exact scores for the labels of the leaves reached, or for all labels of a small set."""

from __future__ import annotations

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.index import kernels, selection
from eclare_py.index.gated import GATES, gated_beam, gated_search
from eclare_py.index.multiplicands import Multiplicands
from eclare_py.index.tree import SUMS, LabelTree
from eclare_py.quantize import Rows, plain
from eclare_py.types import FloatArray, IntArray, Ranking

_BLOCK_CELLS = 1 << 24  # scores held at once by exact_search (64 MiB)
_COARSE, _BLOCK_ROWS = 1024, 4096  # most nodes that `alike` looks at (of a tree of more than one level), and documents


def beam_search(tree: LabelTree, x: FloatArray, *, beam: int, quantized: bool = False) -> tuple[IntArray, FloatArray]:
    """The leaves with the best paths (PECOS' beam search; methods.md 4.4 calls it a masked product).

    With p = <x, router> + bias of a node, a path scores the sum of log-sigmoids of p (`tree.score` is `log-sigmoid`),
    the sum of p (`dot`) or the p of its last node (`last`); with a gate, its `gate_scores`. On every
    level the `beam` best are kept, ties by node id. An only child adds nothing to its parent's path: so leaves of an
    uneven tree, which lie at the end of such chains, wait in the beam with the score that they were reached with.

    Args:
        tree: The index.
        x: (B, d) documents.
        beam: Nodes kept on each level.
        quantized: Take the routers by their codes, and the documents by finer ones.

    Returns:
        Leaves (B, b) and path scores (B, b), b = min(beam, C), score descending, ties by leaf id ascending.

    Raises:
        UsageError: Wrong shape, values not finite, beam below 1.
    """
    x = _documents(x, tree.routers.shape[1])
    if beam < 1:
        raise UsageError(f"beam={beam} must be at least 1")
    beam = min(beam, tree.n_leaves)
    if tree.score in GATES:
        return gated_beam(tree, x, beam=beam)
    return _beam(tree, x, beam, quantized=quantized, ordered=True)


def _beam(tree: LabelTree, x: FloatArray, beam: int, *, quantized: bool, ordered: bool) -> tuple[IntArray, FloatArray]:
    """`beam_search` without a gate, the leaves in no order where order is not asked for."""
    leaves = np.empty((len(x), beam), dtype=np.int64)
    scores = np.empty((len(x), beam), dtype=np.float32)
    routers = tree.router_codes if quantized else plain(tree.routers)
    arrays = (tree.level_ptr, tree.child_ptr, routers, tree.bias, SUMS.index(tree.score))
    kernels.descend(*arrays, Multiplicands.of(x, routers), beam, ordered, leaves, scores)
    return leaves, scores


def alike(tree: LabelTree, x: FloatArray) -> IntArray:
    """(B,) the numbers of (B, d) documents in an order that has those side by side which find the same labels.

    They are ordered by the node they fit best on the last level of at most a thousand nodes. A search takes documents
    as they come; what one has read is still at hand for the next.
    """
    level = max(0, int(np.searchsorted(np.diff(tree.level_ptr), _COARSE, side="right")) - 1)
    routers, bias = tree.router(level)
    nodes = np.empty(len(x), dtype=np.int64)
    for start in range(0, len(x), _BLOCK_ROWS):
        products = x[start : start + _BLOCK_ROWS] @ routers.T
        products += bias
        products.argmax(axis=1, out=nodes[start : start + _BLOCK_ROWS])
    return np.argsort(nodes, kind="stable")


def labels_scored(tree: LabelTree, leaves: IntArray) -> IntArray:
    """(B,) number of labels under the (B, b) leaves: what scoring them costs."""
    return np.asarray(np.diff(tree.leaf_ptr)[leaves].sum(axis=1), dtype=np.int64)


def candidates(tree: LabelTree, leaves: IntArray) -> tuple[IntArray, IntArray]:
    """Labels under the leaves of each document, in the order of the leaves.

    Args:
        tree: The index.
        leaves: (B, b) leaves from `beam_search`.

    Returns:
        `indptr` (B+1,) and `labels`: those of document i are `labels[indptr[i]:indptr[i+1]]`. A label's path score is
        `np.repeat(scores.ravel(), np.diff(tree.leaf_ptr)[leaves.ravel()])`.
    """
    indptr = np.concatenate([[0], np.cumsum(labels_scored(tree, leaves))]).astype(np.int64)
    chosen = leaves.ravel()
    sizes = np.diff(tree.leaf_ptr)[chosen]
    inside = np.arange(indptr[-1]) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return indptr, tree.label_order[np.repeat(tree.leaf_ptr[chosen], sizes) + inside]


def search(
    tree: LabelTree,
    x: FloatArray,
    *,
    beam: int,
    label_vectors: FloatArray,
    label_bias: FloatArray,
    k: int,
    codes: Rows | None = None,
) -> Ranking:
    """The k best labels by their score among those in the beam's leaves; see `search_counted`."""
    return search_counted(tree, x, beam=beam, label_vectors=label_vectors, label_bias=label_bias, k=k, codes=codes)[0]


def search_counted(
    tree: LabelTree,
    x: FloatArray,
    *,
    beam: int,
    label_vectors: FloatArray,
    label_bias: FloatArray,
    k: int,
    codes: Rows | None = None,
) -> tuple[Ranking, IntArray]:
    """Search by <x, v_l> + bias_l, and say what it cost.

    With a gate a label scores sigmoid(<x, v_l> + bias_l) times its best path, see `gated_search`. Without one all
    labels are scored where there are fewer than `tree.exact_below`, or where the beam holds every leaf anyway.

    Args:
        tree: The index.
        x: (B, d) documents.
        beam: Leaves kept.
        label_vectors: (L, d).
        label_bias: (L,); -inf hides a label.
        k: Labels wanted.
        codes: The label vectors quantised; the routers are then taken by their codes too.

    Returns:
        The ranking (B, k) and (B,) the number of labels scored for each document.

    Raises:
        UsageError: Wrong shapes, values not finite, beam or k below 1.
    """
    if beam < 1:
        raise UsageError(f"beam={beam} must be at least 1")
    x, vectors, bias = _scorer(x, label_vectors, label_bias, k)
    if len(vectors) != tree.n_labels:
        raise UsageError(f"{len(vectors)} label vectors for a tree of {tree.n_labels} labels")
    if tree.routers.shape[1] != x.shape[1]:  # compiled code does not look
        raise UsageError(f"a tree of {tree.routers.shape[1]} dimensions for documents of {x.shape[1]}")
    return search_checked(tree, x, beam=beam, label_vectors=vectors, label_bias=bias, k=k, codes=codes)


def search_checked(
    tree: LabelTree, x: FloatArray, *, beam: int, label_vectors: FloatArray, label_bias: FloatArray, k: int,
    codes: Rows | None,
) -> tuple[Ranking, IntArray]:  # fmt: skip
    """`search_counted` of what is known to fit: to check it takes as long as to search for one document."""
    if tree.score in GATES:
        return gated_search(tree, x, beam=beam, label_vectors=label_vectors, label_bias=label_bias, k=k, codes=codes)
    if tree.n_labels < tree.exact_below or beam >= tree.n_leaves:
        ranking = exact_search(x, label_vectors=label_vectors, label_bias=label_bias, k=k)
        return ranking, np.full(len(x), tree.n_labels, dtype=np.int64)
    leaves, _ = _beam(tree, x, beam, quantized=codes is not None, ordered=False)
    ranking = Ranking.empty(len(x), k)
    rows = plain(label_vectors) if codes is None else codes
    arrays = (tree.leaf_ptr, tree.label_order, rows, label_bias, Multiplicands.of(x, rows))
    return ranking, kernels.rank_leaves(leaves, *arrays, ranking.indices, ranking.scores)


def exact_search(x: FloatArray, *, label_vectors: FloatArray, label_bias: FloatArray, k: int) -> Ranking:
    """The k best of all labels by <x, v_l> + bias_l, by BLAS in blocks of documents.

    Args:
        x: (B, d) documents.
        label_vectors: (L, d).
        label_bias: (L,); -inf hides a label.
        k: Labels wanted.

    Raises:
        UsageError: Wrong shapes, values not finite, k below 1.
    """
    x, vectors, bias = _scorer(x, label_vectors, label_bias, k)
    ranking = Ranking.empty(len(x), k)
    block = max(1, _BLOCK_CELLS // max(1, len(vectors)))
    room = np.empty((min(block, len(x)), len(vectors)), dtype=np.float32)  # new for each block costs a tenth more
    for start in range(0, len(x), block):
        rows = slice(start, start + block)
        products = np.matmul(x[rows], vectors.T, out=room[: len(x) - start])
        products += bias
        selection.top_k_rows(products, ranking.indices[rows], ranking.scores[rows])
    return ranking


def _documents(x: FloatArray, dimension: int) -> FloatArray:
    if x.ndim != 2 or x.shape[1] != dimension:
        raise UsageError(f"documents {x.shape} must be (B, {dimension})")
    x = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(x).all():
        raise UsageError("document vectors hold NaN or infinity")
    return x


def _scorer(
    x: FloatArray, label_vectors: FloatArray, label_bias: FloatArray, k: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The arguments of label scoring, checked; values of the (large) label vectors are not looked at."""
    vectors = np.ascontiguousarray(label_vectors, dtype=np.float32)
    bias = np.ascontiguousarray(label_bias, dtype=np.float32)
    if vectors.ndim != 2 or bias.shape != vectors.shape[:1]:
        raise UsageError(f"label vectors {vectors.shape} and biases {bias.shape} must be (L, d) and (L,)")
    if k < 1:
        raise UsageError(f"k={k} must be at least 1")
    return _documents(x, vectors.shape[1]), vectors, bias
