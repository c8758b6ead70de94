"""Search in one level of clusters whose score is a gate in 0..1 and multiplies the label's own probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.index import paths, selection
from eclare_py.quantize import Rows, plain
from eclare_py.types import FloatArray, IntArray, Ranking

if TYPE_CHECKING:
    from eclare_py.index.tree import LabelTree

GATES = ("softmax", "sigmoid")


def gate_scores(products: FloatArray, gate: str, sharpness: float = 1.0) -> FloatArray:
    """Cluster scores of (B, C) products.

    `softmax`: clamp(sharpness * softmax(products), 0, 1), which is 1 for every cluster with a share of at least
    1 / sharpness (ELIAS, methods.md 1.3). `sigmoid`: each cluster for itself (LightXML); sharpness is not used.

    Raises:
        UsageError: Another gate.
    """
    if gate not in GATES:
        raise UsageError(f"gate={gate!r} must be one of {', '.join(GATES)}")
    if gate == "sigmoid":
        return np.asarray(0.5 * (1 + np.tanh(0.5 * products)), dtype=np.float32)
    shares = np.exp(products - products.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.minimum(np.float32(sharpness) * shares, np.float32(1))


def top_clusters(gates: FloatArray, beam: int) -> tuple[IntArray, FloatArray]:
    """The `beam` best clusters of (B, C) scores: ids and scores (B, b), b = min(beam, C), ties by id."""
    best = Ranking.empty(len(gates), min(beam, gates.shape[1]))
    selection.top_k_rows(np.ascontiguousarray(gates), best.indices, best.scores)
    return best.indices, best.scores


def gated_beam(tree: LabelTree, x: FloatArray, *, beam: int) -> tuple[IntArray, FloatArray]:
    """The clusters with the highest gates: ids and gates (B, b); `x` (B, d) is checked by the caller."""
    return top_clusters(gate_scores(x @ tree.routers.T + tree.bias, tree.score, tree.sharpness), beam)


def gated_search(
    tree: LabelTree,
    x: FloatArray,
    *,
    beam: int,
    label_vectors: FloatArray,
    label_bias: FloatArray,
    k: int,
    shortlist: int | None = None,
    codes: Rows | None = None,
) -> tuple[Ranking, IntArray]:
    """The k best labels by sigmoid(<x, v_l> + b_l) * max over its clusters c in the beam of gate_c * edge_(c,l).

    Args:
        tree: One level of clusters with the score `softmax` or `sigmoid`.
        x: (B, d) documents.
        beam: Clusters kept.
        label_vectors: (L, d).
        label_bias: (L,); -inf hides a label.
        k: Labels wanted.
        shortlist: Most labels scored, those with the best paths; None scores all that are reached.
        codes: The label vectors quantised.

    Returns:
        The ranking (B, k), and (B,) the number of labels scored for each document.
    """
    slots = len(tree.label_order)
    limit = min(tree.n_labels, slots) if shortlist is None else min(shortlist, tree.n_labels, slots)
    clusters, gates = gated_beam(tree, x, beam=beam)
    ranking = Ranking.empty(len(x), k)
    vectors = plain(label_vectors) if codes is None else codes
    arrays = (tree.leaf_ptr, tree.label_order, tree.slot_edges, limit, vectors, label_bias)
    return ranking, paths.rank_paths(clusters, gates, *arrays, x, ranking.indices, ranking.scores)
