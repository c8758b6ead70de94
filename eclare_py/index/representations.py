"""What a label looks like to the clustering: its documents, its text, its neighbours in the label graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.index.clustering import unit_rows
from eclare_py.index.config import IndexConfig
from eclare_py.types import Csr, FloatArray

_BLOCK = 16384  # labels at hand together where a copy is made


def label_centroids(documents: FloatArray, labels: Csr, *, pifa: bool = True) -> FloatArray:
    """Unit mean of each label's documents: rownorm(Y^T X), PECOS' PIFA where `pifa` is set.

    Args:
        documents: (N, d) document vectors.
        labels: (N, L) label matrix.
        pifa: Let a document with m labels vote with 1/sqrt(m) (ECLARE and ELIAS let every document vote with 1).

    Returns:
        (L, d) unit rows, zero for labels without documents.

    Raises:
        UsageError: Row counts differ.
    """
    if len(documents) != labels.shape[0]:
        raise UsageError(f"{len(documents)} document vectors do not fit {labels.shape[0]} rows of the label matrix")
    votes = np.asarray(labels.data != 0, dtype=np.float32)
    if pifa:
        counts = np.diff(labels.indptr)
        votes /= np.sqrt(np.repeat(np.maximum(counts, 1), counts)).astype(np.float32)
    weighted = sp.csr_array((votes, labels.indices, labels.indptr), shape=labels.shape)
    return unit_rows(weighted.T.tocsr() @ np.asarray(documents, dtype=np.float32), own=True)


def label_representations(
    *,
    documents: FloatArray | None = None,
    labels: Csr | None = None,
    texts: FloatArray | None = None,
    graph: Csr | None = None,
    config: IndexConfig | None = None,
) -> FloatArray:
    """Joint representation of every label for clustering (ECLARE's "AugParabel", with the label's text joined in).

    z = w_c rownorm(Y^T X) (+) w_t rownorm(texts), where (+) is addition (`mix`) or concatenation (`concat`), then
    z <- rownorm(rownorm(z) + w_g rownorm(G z)). A part that is absent, or zero for a label without documents or
    without text, leaves that label to its other parts. ECLARE replaces z by G z; here the label itself keeps a say.

    Args:
        documents: (N, d) document vectors; needs `labels`.
        labels: (N, L) label matrix.
        texts: (L, e) label text vectors; `mix` needs e = d.
        graph: (L, L) label graph, any non-negative weights.
        config: Weights and the way of joining.

    Returns:
        (L, d), (L, e) or (L, d + e) unit rows; zero where nothing is known of a label.

    Raises:
        UsageError: No part with a weight above zero, or shapes that do not fit.
    """
    config = config or IndexConfig()
    parts: list[_Part] = []
    if documents is not None and labels is not None and config.centroid_weight > 0:
        known = partial(label_centroids, documents, labels, pifa=config.pifa)
        parts.append(_Part(labels.shape[1], documents.shape[1], config.centroid_weight, known))
    if texts is not None and config.text_weight > 0:
        parts.append(_Part(len(texts), texts.shape[1], config.text_weight, partial(unit_rows, texts)))
    if not parts:
        raise UsageError("label representations need documents with labels, or texts, with a weight above 0")
    if len({part.n_labels for part in parts}) > 1:
        raise UsageError(f"{parts[0].n_labels} labels in the label matrix, {parts[1].n_labels} label texts")
    if config.combine == "mix" and len({part.dim for part in parts}) > 1:
        raise UsageError(f"combine='mix' needs one dimension, got {parts[0].dim} and {parts[1].dim}")
    joint = _joined(parts, config.combine)
    if graph is None or config.graph_weight == 0:
        return joint
    if graph.shape != (len(joint), len(joint)):
        raise UsageError(f"label graph {graph.shape} does not fit {len(joint)} labels")
    smooth = unit_rows(np.asarray(graph @ joint, dtype=np.float32), own=True)
    smooth *= np.float32(config.graph_weight)
    smooth += joint
    return unit_rows(smooth, own=True)


@dataclass(frozen=True)
class _Part:
    """A part of the representation, made where it is wanted: of millions of labels each takes gigabytes."""

    n_labels: int
    dim: int
    weight: float
    make: Callable[[], FloatArray]


def _joined(parts: list[_Part], combine: str) -> FloatArray:
    """Unit rows of all parts side by side (`concat`) or added up (`mix`); one part is there at a time."""
    width = sum(part.dim for part in parts) if combine == "concat" else parts[0].dim
    joint, start = np.zeros((parts[0].n_labels, width), dtype=np.float32), 0
    for part in parts:
        target, vectors, weight = joint[:, start : start + part.dim], part.make(), np.float32(part.weight)
        for first in range(0, len(vectors), _BLOCK):
            target[first : first + _BLOCK] += weight * vectors[first : first + _BLOCK]
        start += part.dim if combine == "concat" else 0
        del vectors
    return unit_rows(joint, own=True)
