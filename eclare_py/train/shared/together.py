"""A training session on several processes: what may train so, mining, and how process 0 gets the whole at the end."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.dataset import Dataset
from eclare_py.distributed import Group
from eclare_py.errors import TrainingError, UsageError
from eclare_py.model.network import EclareNetwork
from eclare_py.quantize import rounded
from eclare_py.rank.ranker import LabelScorer
from eclare_py.train.indexing import encode_train, help_index, label_bias, scorer_of
from eclare_py.train.prepare import Prepared, fingerprint
from eclare_py.train.recipe import Recipe
from eclare_py.train.shared.search import SharedScorer, gathered_vectors, mine_together, share_tree
from eclare_py.train.shared.state import LABEL_TABLES, gathered_inputs, gathered_tensors
from eclare_py.types import FloatArray, IntArray


def check_together(recipe: Recipe, dataset: Dataset, group: Group) -> None:
    """Refuse what several processes do not train, before any work; one process trains everything.

    Raises:
        UsageError: Names the setting.
        TrainingError: The processes were given different data or recipes.
    """
    if group.world == 1:
        return
    training, label = recipe.training, recipe.label
    alone = {
        f"method={recipe.method}": recipe.method != "fusion",
        "data of groups": isinstance(dataset, AggregatedDataset) or training.groups,
        "label.prototype": label.prototype,
        "label.shared": bool(label.shared),
        "training.batches=clustered": training.batches != "random",
        f"training.loss={training.loss}": training.loss == "margin",
        "training.threshold_margin": bool(training.threshold_margin.weight),
        "training.auxiliary": training.auxiliary.used,
    }
    for name, used in alone.items():
        if used:
            raise UsageError(f"{name} is trained by one process; {group.world} were started: run it without torchrun")
    if dataset.n_labels < group.world:
        raise UsageError(f"{group.world} processes for {dataset.n_labels} labels: start at most one per label")
    told = json.dumps([fingerprint(dataset), to_mapping(recipe)], sort_keys=True).encode()
    digests = group.gather_all(np.frombuffer(hashlib.sha256(told).digest(), dtype=np.uint8))[0]
    others = [rank for rank, digest in enumerate(digests) if not np.array_equal(digest, digests[0])]
    if others:
        raise TrainingError(
            f"process {others[0]} has other train documents or another recipe than process 0: give every machine the "
            "same data folder and the same command"
        )


def mine_shared(
    network: EclareNetwork, prepared: Prepared, recipe: Recipe, group: Group, *, count: int
) -> IntArray:
    """Hard labels (N, count) of all documents; process 0 builds the tree, all search it.

    The tree needs all vectors in one place for the time of its building: process 0.
    """
    vectors, bias = rounded(network.encode_labels()), label_bias(network)
    built = _built(vectors, bias, encode_train(network, prepared), network, prepared, recipe, group)
    tree = share_tree(None if built is None else built.tree, group)
    beam = int(group.share(None if built is None else np.array([built.beam]))[0])
    scorer = SharedScorer(tree, vectors, bias, max(1, beam // 4), network.shard, group)
    return mine_together(scorer, network, prepared.inputs, prepared, count=count)


def _built(
    vectors: FloatArray, bias: FloatArray, documents: FloatArray, network: EclareNetwork, prepared: Prepared,
    recipe: Recipe, group: Group,
) -> LabelScorer | None:  # fmt: skip
    n_labels, n_documents = network.shard.n, prepared.train.n_documents
    all_vectors, all_bias = (gathered_vectors(part, n_labels, group) for part in (vectors, bias))
    all_documents = gathered_vectors(documents, n_documents, group)
    if all_vectors is None or all_bias is None or all_documents is None:
        help_index(recipe, group)
        return None
    scale = float(network.log_scale.detach().exp())
    return scorer_of(all_vectors, all_bias, scale, all_documents, prepared, recipe, group)


def gathered_whole(
    network: EclareNetwork, prepared: Prepared, recipe: Recipe, group: Group
) -> tuple[EclareNetwork, Prepared]:
    """The network with all labels and the data with all documents, at process 0; the others keep their part."""
    prepared = replace(prepared, inputs=gathered_inputs(prepared.inputs, prepared.train.n_documents, group))
    state = gathered_tensors(network.state_dict(), LABEL_TABLES, network.shard, group)
    if not group.leads:
        return network, prepared
    whole = EclareNetwork(
        network.side, recipe.document, recipe.label, hop_features=network.hop_features, seed=recipe.seed,
        transformer=network.transformer,
    ).to(network.device)  # fmt: skip
    whole.load_state_dict({name: value.to(network.device) for name, value in state.items()})
    whole.per_label = network.per_label
    return whole, prepared
