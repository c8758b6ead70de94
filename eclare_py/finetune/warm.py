"""The network of a finished model, over other features and labels."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.features.growth import columns_before
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.index import exact_search
from eclare_py.model.network import EclareNetwork
from eclare_py.rank.label_network import PER_LABEL
from eclare_py.rank.pipeline import Pipeline
from eclare_py.types import IntArray


def fill_network(network: EclareNetwork, model: Pipeline, features: TfidfFeatures, model_rows: IntArray) -> None:
    """Set the parameters of a fresh network to those of a model; what is new keeps its start values.

    The table of a finished model is rounded to two bits a number. As a start it is as good as the one that was
    trained: a sum of a hundred rows hardly shows the rounding.

    Args:
        network: Of the model's recipe, over `features` and the L' labels.
        model: The model.
        features: Those of the model, grown.
        model_rows: (L',) row of each label in the model, -1 of new ones.
    """
    encoder = model.encoder
    state = network.state_dict()
    for name, value in model.network.items():
        given = torch.from_numpy(np.array(value))
        state[name] = _rows_of(given, model_rows, state[name]) if name in PER_LABEL else given
    state["documents.block.linear.weight"] = torch.from_numpy(np.ascontiguousarray(encoder.weight.T))
    state["documents.block.linear.bias"] = torch.from_numpy(encoder.bias)
    if len(encoder.projection):
        state["documents.project.weight"] = torch.from_numpy(np.ascontiguousarray(encoder.projection.T))
    if encoder.n_terms:
        table = torch.from_numpy(encoder.table.dense())
        state["bag.weight"] = _rows_of(table, columns_before(features, model.features), state["bag.weight"])
        state["documents.bag.weight"] = state["bag.weight"]
    network.load_state_dict(state)
    if network.label_encoder.shared is not None:
        _join_clusters(network, model_rows)


def _rows_of(values: torch.Tensor, rows: IntArray, start: torch.Tensor) -> torch.Tensor:
    """The rows of `values`, and those of `start` where there is none."""
    out, known = start.cpu().clone(), np.flatnonzero(rows >= 0)
    out[torch.from_numpy(known)] = values[torch.from_numpy(rows[known])]
    return out


def _join_clusters(network: EclareNetwork, model_rows: IntArray) -> None:
    """A new label shares the vector of the known label whose own vector is nearest."""
    known, new = np.flatnonzero(model_rows >= 0), np.flatnonzero(model_rows < 0)
    if not len(new):
        return
    vectors, clusters = network.encode_labels(), network.label_encoder.get_buffer("clusters")
    nearest = exact_search(
        vectors[new], label_vectors=vectors[known], label_bias=np.zeros(len(known), dtype=np.float32), k=1
    ).indices[:, 0]
    clusters[torch.from_numpy(new)] = clusters[torch.from_numpy(known[nearest])]
