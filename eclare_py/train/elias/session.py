"""A training run of ELIAS in memory, and what its checkpoints hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eclare_py.config import to_mapping
from eclare_py.index.learned import ClusterGraph
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.elias import EliasNetwork
from eclare_py.train import checkpoint
from eclare_py.train.adam import AdamW
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.optimizer import Optimizer, optimizer_state, restore_optimizer
from eclare_py.train.prepare import Prepared
from eclare_py.train.recipe import Recipe
from eclare_py.types import FloatArray, IntArray

WARM, FIXED, LEARNED, DONE = STAGES = ("warm", "fixed", "learned", "done")


@dataclass
class EliasSession:
    """What a training run moves."""

    recipe: Recipe
    prepared: Prepared
    network: EliasNetwork
    optimizer: Optimizer
    log: EventLog
    folder: Path | None
    device: torch.device
    cursor: Cursor = field(default_factory=lambda: Cursor(WARM))
    best: dict[str, Any] = field(default_factory=dict)
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)

    def save(self) -> None:
        """Write a checkpoint, where there is a folder for it."""
        if self.folder is None:
            return
        point = Checkpoint(
            self.cursor, to_mapping(self.recipe), self.prepared.fingerprint, self.network.state_dict(),
            optimizer_state(self.optimizer), None, self.best, self.best_state,
        )  # fmt: skip
        checkpoint.save(self.folder / "checkpoint", point)


def open_session(
    prepared: Prepared, recipe: Recipe, log: EventLog, *, device: torch.device, folder: Path | None, resume: bool
) -> EliasSession:
    """A new session, or the one of the checkpoint in `folder`.

    Raises:
        TrainingError: The checkpoint is of other settings or data.
    """
    point = checkpoint.load(folder / "checkpoint") if resume and folder is not None else None
    stage = WARM if point is None else point.cursor.stage
    # Before its first stage the graph is a placeholder; a checkpoint brings its own.
    pattern = np.zeros((1, 1), dtype=np.int64) if point is None else point.network["graph.labels"].numpy()
    learned = point is not None and "graph.theta" in point.network
    network = build_network(prepared, recipe, pattern, learned=learned).to(device)
    session = EliasSession(recipe, prepared, network, optimizer_of(network, recipe, stage), log, folder, device)
    if point is not None:
        checkpoint.check_same(point, to_mapping(recipe), prepared.fingerprint)
        network.load_state_dict({name: value.to(device) for name, value in point.network.items()})
        restore_optimizer(session.optimizer, point.optimizer)
        session.cursor, session.best, session.best_state = point.cursor, point.best, point.best_network
        log("note", resumed=vars(point.cursor))
    return session


def build_network(prepared: Prepared, recipe: Recipe, pattern: IntArray, *, learned: bool) -> EliasNetwork:
    """An untrained network over a pattern of slots."""
    document, settings = recipe.document, recipe.elias
    torch.manual_seed(recipe.seed)
    use_bag = document.kind != "transformer"
    bag = BagOfEmbeddings(
        prepared.rows.shape[1] if use_bag else 1, document.dim, scale=document.dim**-0.5, dropout=document.term_dropout
    )
    encoder = DocumentEncoder(
        bag, document.dim, dropout=document.dropout, use_bag=use_bag,
        transformer_dim=0 if prepared.embeddings is None else prepared.embeddings[0].shape[1],
    )  # fmt: skip
    return EliasNetwork(
        encoder, build_graph(prepared, recipe, pattern, learned=learned), prepared.train.n_labels, document.dim,
        scale=settings.scale, sharpness=settings.alpha, bias=settings.label_bias,
    )  # fmt: skip


def build_graph(
    prepared: Prepared, recipe: Recipe, pattern: IntArray, *, learned: bool, start: FloatArray | None = None
) -> ClusterGraph:
    """The graph of a pattern; edges at the weights to start from, or at their seeded start."""
    return ClusterGraph(
        pattern, prepared.train.n_labels, sharpness=recipe.elias.beta, learned=learned, start=start,
        generator=torch.Generator().manual_seed(recipe.seed),
    )  # fmt: skip


def optimizer_of(network: EliasNetwork, recipe: Recipe, stage: str) -> AdamW:
    """AdamW over the dense parameters; each group keeps its highest rate as `rate`."""
    settings = recipe.elias
    factor = settings.learned_factor if stage == LEARNED else 1.0
    tables = {id(bag.weight) for bag in network.bags()}
    encoder = [p for p in network.documents.parameters() if id(p) not in tables]
    edges = [] if network.graph.theta is None else [network.graph.theta]
    groups = (
        ([p for p in encoder if p.dim() > 1], factor * settings.dense_rate, settings.weight_decay),
        ([p for p in encoder if p.dim() < 2], factor * settings.dense_rate, 0.0),
        ([network.clusters.weight], factor * settings.cluster_rate, settings.weight_decay),
        ([network.clusters.bias], factor * settings.cluster_rate, 0.0),
        (edges, settings.edge_rate, settings.weight_decay),
        ([network.labels.bias], settings.edge_rate, 0.0),
    )
    return AdamW(
        [{"params": p, "lr": rate, "rate": rate, "weight_decay": decay} for p, rate, decay in groups if p]
    )
