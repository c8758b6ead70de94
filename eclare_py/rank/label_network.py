"""The label encoder of a finished model, rebuilt for some labels: for explanations, and for labels that come later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eclare_py.config import load_config
from eclare_py.errors import ConfigError, ModelError
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.rank.pipeline import Pipeline
from eclare_py.types import FloatArray, IntArray, as_csr

if TYPE_CHECKING:
    from eclare_py.model.network import EclareNetwork

_MEND = "restore the model from its source or train again"
# Parameters with a row for each label.
PER_LABEL = ("label_encoder.bias", "label_encoder.free.weight", "label_encoder.clusters")


def label_network(pipeline: Pipeline, labels: IntArray) -> tuple[EclareNetwork, IntArray]:
    """The network over the labels within reach of some, and the terms of their texts.

    What it knows of other labels and terms has no part in these labels. Prototypes are those of the finished model,
    which the held-out documents count for too.

    Args:
        pipeline: The model.
        labels: (n,) rows, ascending.

    Returns:
        The network, ready to answer, and (n,) the places of the labels in it.

    Raises:
        ModelError: The saved parameters do not fit the recipe.
    """
    import torch

    from eclare_py.model.config import DocumentEncoderConfig, LabelEncoderConfig
    from eclare_py.model.inputs import Inputs
    from eclare_py.model.network import EclareNetwork, LabelSide

    recipe, encoder = pipeline.recipe, pipeline.encoder
    try:
        # Nothing is trained: texts are summed by the embeddings as they are.
        document = load_config(DocumentEncoderConfig, {**recipe.get("document", {}), "coded": False}, "recipe.json")
        settings = load_config(LabelEncoderConfig, recipe.get("label", {}), "recipe.json")
    except ConfigError as error:
        raise ModelError(f"{error}; {_MEND}") from error
    nodes = pipeline.graph.closure(labels, settings.propagation.hops)
    texts = [pipeline.labels.texts[node] for node in nodes.tolist()]
    features = pipeline.features.transform(texts)
    terms = np.unique(features.indices)
    sentences = pipeline.sentence_encoder
    profile = pipeline.ranker.profile
    side = LabelSide(
        Inputs(as_csr(features[:, terms]), None if sentences is None else sentences.for_labels().encode(texts)),
        _part_of(pipeline.graph, nodes),
        profile.priors[nodes],
    )
    network = EclareNetwork(side, document, settings, hop_features=recipe["training"]["hop_features"])
    network.per_label = True
    parameters = {name: torch.from_numpy(np.array(value)) for name, value in pipeline.network.items()}
    for name in PER_LABEL:
        if name in parameters:
            parameters[name] = parameters[name][nodes]
    if encoder.n_terms:
        parameters["bag.weight"] = torch.from_numpy(encoder.table.dense(terms))
    if len(encoder.projection):
        parameters["documents.project.weight"] = torch.from_numpy(np.ascontiguousarray(encoder.projection.T))
    _load(network, parameters)
    network.prototypes = profile.centroids[nodes]
    network.eval()
    return network, np.searchsorted(nodes, labels)


def encode_labels(pipeline: Pipeline, labels: IntArray) -> FloatArray:
    """(n, d) unit vectors of some labels (rows, ascending), from their texts and what else the recipe uses.

    Raises:
        ModelError: The saved parameters do not fit the recipe.
    """
    import torch

    network, places = label_network(pipeline, labels)
    with torch.no_grad():
        return np.asarray(network.label_vectors(places).numpy(), dtype=np.float32)


def _load(network: EclareNetwork, parameters: dict[str, Any]) -> None:
    """Fill the network; only what a label's vector does not use may be missing."""
    try:
        outcome = network.load_state_dict(parameters, strict=False)
    except RuntimeError as error:
        raise ModelError(f"the label encoder's parameters do not fit the recipe ({error}); {_MEND}") from error
    missing = [
        name for name in outcome.missing_keys if name.startswith("label_encoder.") and not name.endswith(".accumulator")
    ]
    if missing or outcome.unexpected_keys:
        raise ModelError(f"the label encoder lacks {missing}, does not know {outcome.unexpected_keys}; {_MEND}")


def _part_of(graph: LabelGraph, nodes: IntArray) -> LabelGraph:
    adjacency, normalized = (as_csr(matrix[nodes][:, nodes]) for matrix in (graph.adjacency, graph.normalized))
    return LabelGraph(adjacency, normalized, graph.kind, graph.normalization)
