"""How like a document is to the labels of its group: label embeddings from groups alone (EAGLE, stage A).

Source: methods.md 5.2 A, our reading of Shen et al. (ICML 2020), whose formulas were not to be had. Deviations: a
member is judged by the embedding without its own group, or a label of one group is like all of its members; and the
text of the label may count too, which is what knows of labels in a single group.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.sparse import owners
from eclare_py.train.imputation.config import ImputationConfig
from eclare_py.train.imputation.kernels import sparse_products
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.types import Csr, FloatArray, as_csr

_BLOCK = 1 << 18  # pairs worked on at once
_STEPS = 30  # most steps of the conjugate gradients
_PRECISION = 1e-3


def cosines(pairs: MemberPairs, rows: Csr, weights: FloatArray) -> FloatArray:
    """(P,) cosine of each document with the weighted mean of its label's documents in other groups; 0 without any.

    Args:
        pairs: P pairs.
        rows: (N, V) documents of length one.
        weights: (P,) say of each pair in the mean of its label.
    """
    products, lengths = np.zeros((2, len(pairs)), dtype=np.float32)
    sparse_products(
        pairs.label_bags, pairs.bag_pairs, pairs.documents, weights, rows.indptr.astype(np.int64),
        rows.indices.astype(np.int32), rows.data.astype(np.float32), rows.shape[1], products, lengths,
    )  # fmt: skip
    # Taking the own group out of a sum leaves rounding where nothing is left.
    return np.where(lengths > 1e-3, products / np.maximum(lengths, 1e-3), 0).astype(np.float32)


def robust_cosines(
    pairs: MemberPairs, rows: Csr, likeness: FloatArray, *, rounds: int, trim: float, sharpness: float
) -> FloatArray:
    """Cosines with embeddings that lean on the likeliest member of each group.

    Each round weighs members by a softmax of what is known of them, and leaves out the groups of a label whose best
    member fits it least.

    Args:
        pairs: P pairs.
        rows: (N, V) documents of length one.
        likeness: (P,) what counts beside the embedding, e.g. the likeness of the label text.
        rounds: Rounds.
        trim: Share of a label's groups left out of its embedding.
        sharpness: Scale in the softmax.
    """
    found = cosines(pairs, rows, np.ones(len(pairs), dtype=np.float32))
    for _ in range(rounds):
        scores = found + likeness
        weights = pairs.softmax(sharpness * scores)
        weights[_trimmed(pairs, scores, trim)[pairs.bags]] = 0
        found = cosines(pairs, rows, weights)
    return found


def _trimmed(pairs: MemberPairs, scores: FloatArray, share: float) -> np.ndarray:
    """(B,) true for the share of each label's bags whose greatest score is least."""
    greatest = np.full(pairs.n_bags, -np.inf)
    best = pairs.best(scores)
    greatest[pairs.bags[best]] = scores[best]
    counts = np.diff(pairs.label_bags)
    labels = owners(pairs.label_bags)
    order = np.lexsort((greatest, labels))
    dropped = np.zeros(pairs.n_bags, dtype=np.bool_)
    place = np.arange(pairs.n_bags) - np.repeat(pairs.label_bags[:-1], counts)
    dropped[order] = place < np.floor(share * counts)[labels[order]]
    return dropped


def joint_cosines(data: AggregatedDataset, pairs: MemberPairs, vectors: FloatArray, ridge: float) -> FloatArray:
    """Cosines with embeddings that explain the group means together: B = (S^T S + r I)^-1 S^T X.

    Where a document is the sum of its labels' embeddings and noise, the sum of a group is linear in them, and labels
    that come together are told apart. Conjugate gradients on the sparse S; nothing of size (L, L) is made. Own groups
    are in it, so labels of one group learn nothing.

    Args:
        data: The groups.
        pairs: P pairs.
        vectors: (N, d) dense vectors of the documents.
        ridge: r.
    """
    n_groups = data.n_groups
    members = sp.csr_array(
        (np.ones(len(data.groups), np.float32), (data.groups, np.arange(len(data.groups)))),
        shape=(n_groups, len(data.groups)),
    )
    carried = as_csr(data.group_labels != 0)
    turned = carried.T.tocsr()
    embeddings = _conjugate_gradients(carried, turned, turned @ (members @ vectors), ridge)
    embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    return pair_products(pairs, vectors, embeddings) / lengths[pairs.documents]


def _conjugate_gradients(carried: Csr, turned: Csr, right: FloatArray, ridge: float) -> FloatArray:
    """Solve (S^T S + r I) B = `right` for all columns at once."""
    solution, residual = np.zeros_like(right), right.copy()
    direction, squares = residual.copy(), np.sum(residual * residual, axis=0)
    goal = _PRECISION**2 * np.maximum(squares, 1e-12)
    for _ in range(_STEPS):
        if np.all(squares <= goal):
            break
        image = turned @ (carried @ direction) + np.float32(ridge) * direction
        step = squares / np.maximum(np.sum(direction * image, axis=0), 1e-12)
        solution += step * direction
        residual -= step * image
        before, squares = squares, np.sum(residual * residual, axis=0)
        direction = residual + squares / np.maximum(before, 1e-12) * direction
    return solution


def pair_products(pairs: MemberPairs, documents: FloatArray | Csr, labels: FloatArray | Csr) -> FloatArray:
    """(P,) inner products of the two rows of each pair, dense or both sparse."""
    found = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        left, right = documents[pairs.documents[part]], labels[pairs.labels[part]]
        if isinstance(left, np.ndarray):
            found[part] = np.einsum("ij,ij->i", left, right)
        else:
            found[part] = np.asarray(left.multiply(right).sum(axis=1)).ravel()
    return found


def likeness_of(
    data: AggregatedDataset, pairs: MemberPairs, rows: Csr, label_rows: Csr, vectors: FloatArray,
    config: ImputationConfig,
) -> FloatArray:  # fmt: skip
    """(P,) how like each document is to the label, by the embedding that the settings name and by the label text.

    Args:
        data: The groups.
        pairs: P pairs.
        rows: (N, V) TF-IDF of the documents.
        label_rows: (L, V) TF-IDF of the label texts.
        vectors: (N, d) dense vectors of the documents.
        config: Settings.
    """
    text = np.zeros(len(pairs), dtype=np.float32)
    if config.label_texts:
        text = pair_products(pairs, rows, label_rows)
    if config.embedding == "joint":
        return text + joint_cosines(data, pairs, vectors, config.ridge)
    if config.embedding == "average":
        return text + cosines(pairs, rows, np.ones(len(pairs), dtype=np.float32))
    return text + robust_cosines(
        pairs, rows, text, rounds=config.rounds, trim=config.trim, sharpness=config.sharpness
    )
