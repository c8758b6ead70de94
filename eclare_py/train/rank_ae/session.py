"""A training of Rank-AE in memory, and what its checkpoints hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eclare_py.config import to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.errors import ConfigError
from eclare_py.metrics.propensity import inverse_propensities
from eclare_py.model.rank_ae import RankAutoencoder
from eclare_py.train import checkpoint
from eclare_py.train.adam import AdamW
from eclare_py.train.batches import BatchSource, split_filtered
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.optimizer import Optimizer, optimizer_state, restore_optimizer
from eclare_py.train.prepare import Prepared, prepare
from eclare_py.train.rank_ae.start import start_labels
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray

STAGE = "rank_ae"


@dataclass
class Session:
    """What is trained, on what, and how far.

    Attributes:
        recipe: All settings.
        prepared: The data.
        labels: (N, L) relevant labels of the train documents, without filter pairs.
        trust: (L,) how far a label that is not there counts as not relevant; None: in full.
        network: What learns.
        optimizer: Of all but the tables.
        source: Makes batches of documents.
        log: Told of everything.
        folder: Where checkpoints are kept.
        cursor: Steps that are done.
        best: Validation figure of the best epoch, and which it was.
        best_state: Parameters of that epoch.
    """

    recipe: Recipe
    prepared: Prepared
    labels: Csr
    trust: FloatArray | None
    network: RankAutoencoder
    optimizer: Optimizer
    source: BatchSource
    log: EventLog
    folder: Path | None
    cursor: Cursor = field(default_factory=lambda: Cursor(STAGE))
    best: dict[str, Any] = field(default_factory=dict)
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)

    def save(self) -> None:
        """Write a checkpoint, where there is a place for it."""
        if self.folder is None:
            return
        checkpoint.save(
            self.folder / "checkpoint",
            Checkpoint(
                self.cursor, to_mapping(self.recipe), self.prepared.fingerprint, self.network.state_dict(),
                optimizer_state(self.optimizer), None, self.best, self.best_state,
            ),
        )  # fmt: skip


def open_session(
    dataset: Dataset, recipe: Recipe, device: torch.device, log: EventLog, folder: Path | None, resume: bool
) -> Session:
    """Prepare data and network, or go on from a checkpoint.

    Raises:
        TrainingError: Too few documents; a checkpoint of something else.
        ConfigError: An encoder that this method does not have.
    """
    if recipe.document.kind != "bag":
        raise ConfigError(f"document.kind={recipe.document.kind}: the method rank_ae reads words alone, set it to bag")
    log("stage", name="prepare", epochs=1, steps=1)
    prepared = prepare(dataset, recipe, folder=folder)
    train, settings, document = prepared.train, recipe.rank_ae, recipe.document
    log("note", documents=train.n_documents, held_out=prepared.held_out.n_documents, labels=train.n_labels)
    labels, _ = split_filtered(train.labels, train.filter_pairs)
    network = RankAutoencoder(
        prepared.features.n_features, document.dim, _start(train), settings, dropout=document.dropout,
        term_dropout=document.term_dropout, seed=recipe.seed,
    ).to(device)  # fmt: skip
    optimizer = AdamW([{"params": network.dense_parameters(), "lr": settings.dense_rate}])
    source = BatchSource(
        train.labels, train.filter_pairs, batch_size=settings.batch_size, seed=recipe.seed, stage=STAGE,
        multiple=settings.at_hand,
    )  # fmt: skip
    session = Session(recipe, prepared, labels, _trust(prepared, recipe), network, optimizer, source, log, folder)
    if settings.label_gain:
        start_labels(network, prepared.rows, labels, settings.label_gain, seed=recipe.seed)
    if resume and folder is not None:
        _go_on(session, folder)
    return session


def _start(train: Dataset) -> FloatArray:
    """(L,) logits of the labels' shares of the documents."""
    shares = (train.label_frequencies + 0.5) / (train.n_documents + 1)
    return np.log(shares / (1 - shares)).astype(np.float32)


def _trust(prepared: Prepared, recipe: Recipe) -> FloatArray | None:
    """(L,) propensities: how likely a relevant label is to be there. Where it is not, the loss counts that much."""
    if recipe.rank_ae.negative_weight == "uniform":
        return None
    return (1 / inverse_propensities(prepared.frequencies, prepared.train.n_documents)).astype(np.float32)


def _go_on(session: Session, folder: Path) -> None:
    point = checkpoint.load(folder / "checkpoint")
    if point is None:
        return
    checkpoint.check_same(point, to_mapping(session.recipe), session.prepared.fingerprint)
    session.network.load_state_dict(point.network)
    restore_optimizer(session.optimizer, point.optimizer)
    session.cursor, session.best, session.best_state = point.cursor, point.best, point.best_network
    session.log("note", resumed=vars(point.cursor))
