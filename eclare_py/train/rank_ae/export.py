"""A trained Rank-AE as the object that answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.index import build_tree, exact_search, mass_routers
from eclare_py.index.clustering import unit_rows
from eclare_py.metrics.ranking import hits
from eclare_py.model.frozen_attention import FrozenAttention
from eclare_py.model.rank_ae import RankAutoencoder
from eclare_py.quantize import quantize, rounded
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pipeline import LabelTable
from eclare_py.train.calibration import fit_mixture
from eclare_py.train.freezing import as_array
from eclare_py.train.rank_ae.session import Session
from eclare_py.types import FloatArray

_JUDGED = 50  # labels of a held-out document that scores become probabilities by


def assemble(session: Session) -> ClusterPipeline:
    """The encoder up to the decoder's last layer, whose label vectors a tree is built over.

    A label's score becomes a probability by a line through the logits, fitted on held-out documents: the ranking losses
    leave scale and offset open. It goes into the label vectors.
    """
    session.log("stage", name="index", epochs=1, steps=1)
    recipe, prepared, network = session.recipe, session.prepared, session.network
    train, held_out = prepared.train, prepared.held_out
    encoder = freeze(network)
    vectors, bias = as_array(network.labels.weight), as_array(network.bias)
    slope, offset = _line(session, encoder, vectors, bias)
    session.log("note", slope=round(slope, 4), offset=round(offset, 4))
    vectors, bias = rounded(np.float32(slope) * vectors), np.float32(slope) * bias + np.float32(offset)
    tree = build_tree(
        unit_rows(vectors), recipe.index, seed=recipe.seed, router_vectors=vectors, counts=train.label_frequencies
    )
    if recipe.index.score == "last":
        tree = tree.with_routers(mass_routers(tree, vectors, bias))
    tree = replace(tree, routers=rounded(tree.routers))
    beam = max(1, min(recipe.index.beam, int(recipe.index.beam_share * tree.n_leaves)))
    facts: dict[str, Any] = {
        "documents": train.n_documents + held_out.n_documents, "held_out": held_out.n_documents,
        "labels": train.n_labels, "features": prepared.features.n_features, "best_epoch": session.best["epoch"],
    }  # fmt: skip
    return ClusterPipeline(
        to_mapping(recipe), prepared.features, encoder, tree, vectors, bias, beam, train.n_labels,
        train.label_frequencies + held_out.label_frequencies, train.n_documents + held_out.n_documents,
        LabelTable(train.label_texts, train.label_ids), facts,
    )  # fmt: skip


def freeze(network: RankAutoencoder) -> FrozenAttention:
    """F and the first layers of D as plain arrays, word vectors in a byte a number."""
    words, (hidden, hidden_norm, _) = network.words, network.hidden
    norms, layers = {"document": network.norm, "hidden": hidden_norm}, {"latent": network.document, "hidden": hidden}
    weights: dict[str, FloatArray] = {}
    for name, layer in norms.items():
        parts = layer.state_dict()
        weights |= {f"{name}.scale": as_array(parts["weight"]), f"{name}.shift": as_array(parts["bias"])}
    if words.channel:
        layers |= {"squeeze": words.squeeze, "excite": words.excite}
    for name, layer in layers.items():
        parts = layer.state_dict()
        weights[f"{name}.weight"] = np.ascontiguousarray(as_array(parts["weight"]).T)
        weights[f"{name}.bias"] = as_array(parts["bias"])
    # The decoder sees 2 h - 1: folded into its first layer.
    weights["hidden.bias"] = weights["hidden.bias"] - weights["hidden.weight"].sum(axis=0)
    weights["hidden.weight"] = 2 * weights["hidden.weight"]
    if words.spatial:
        weights |= {"query": as_array(words.query), "offset": as_array(words.offset)}
    return FrozenAttention(quantize(as_array(words.bag.weight)), weights)


def _line(
    session: Session, encoder: FrozenAttention, vectors: FloatArray, bias: FloatArray
) -> tuple[float, float]:
    """Slope and offset from scores to logits; 1 and 0 where held-out documents tell nothing."""
    held_out = session.prepared.held_out
    found = exact_search(
        encoder.encode(session.prepared.held_out_rows), label_vectors=vectors, label_bias=bias, k=_JUDGED
    )
    known = found.indices >= 0
    relevant = hits(found, held_out.labels)[known].astype(np.float64)
    if session.recipe.rank_ae.objective == "bce" or not relevant.any():
        return 1.0, 0.0
    weights, offset = fit_mixture(found.scores[known][:, None], relevant, start=(1.0, 0.0))
    return (float(weights[0]), offset) if weights[0] > 0 else (1.0, 0.0)
