"""From a trained network to the pipeline that answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.index import LabelTree
from eclare_py.model.elias import EliasNetwork
from eclare_py.quantize import rounded
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pipeline import LabelTable
from eclare_py.train.elias.ranker import add_ranker
from eclare_py.train.elias.session import EliasSession
from eclare_py.train.freezing import as_array, freeze_documents


def assemble_elias(session: EliasSession) -> ClusterPipeline:
    """Freeze encoder, index and classifiers; ELIAS++ then learns to rank what these find."""
    prepared, recipe, network = session.prepared, session.recipe, session.network
    session.log("stage", name="index", epochs=1, steps=1)
    held_out, train = prepared.held_out, prepared.train
    facts: dict[str, Any] = {
        "documents": train.n_documents + held_out.n_documents,
        "held_out": held_out.n_documents,
        "labels": train.n_labels,
        "features": prepared.features.n_features,
    }
    if prepared.embeddings is not None:  # by which an answer knows the transformer again
        facts["transformer"] = {"fingerprint": SentenceEncoder(recipe.transformer).fingerprint}
    pipeline = ClusterPipeline(
        to_mapping(recipe), prepared.features, freeze_documents(network.documents), export_index(network),
        rounded(np.float32(network.scale) * as_array(network.labels.vectors.weight)), as_array(network.labels.bias),
        recipe.elias.beam, recipe.elias.shortlist, train.label_frequencies + held_out.label_frequencies,
        train.n_documents + held_out.n_documents, LabelTable(train.label_texts, train.label_ids), facts,
    )  # fmt: skip
    return add_ranker(session, pipeline) if recipe.elias.ranker else pipeline


def export_index(network: EliasNetwork) -> LabelTree:
    """The clusters and their edges as a label tree over unit vectors: the scale of e goes into the routers."""
    graph = network.graph
    slots, edges = graph.slots, as_array(graph.weights())
    filled = slots >= 0
    learned = graph.theta is not None
    n_clusters = len(slots)
    return LabelTree(
        level_ptr=np.array([0, n_clusters], dtype=np.int64),
        child_ptr=np.array([n_clusters], dtype=np.int64),
        leaf_ptr=np.concatenate([[0], np.cumsum(filled.sum(axis=1))]).astype(np.int64),
        label_order=slots[filled],
        routers=np.float32(network.scale) * as_array(network.clusters.weight),
        bias=as_array(network.clusters.bias),
        score="softmax",
        edges=edges[filled] if learned else None,
        label_count=graph.n_labels if learned else None,
        sharpness=network.sharpness,
    )
