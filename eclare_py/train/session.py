"""A training run in memory, and its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from eclare_py.config import to_mapping
from eclare_py.model.network import EclareNetwork
from eclare_py.train import checkpoint
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.optimizer import Optimizer, optimizer_state
from eclare_py.train.prepare import Prepared
from eclare_py.train.prototypes import Prototypes
from eclare_py.train.recipe import Recipe
from eclare_py.train.shared.crew import Crew
from eclare_py.train.shared.state import gathered_parts
from eclare_py.types import FloatArray, IntArray


@dataclass
class Session:
    """A training run in memory."""

    recipe: Recipe
    prepared: Prepared
    network: EclareNetwork
    optimizer: Optimizer
    log: EventLog
    folder: Path | None
    warm: bool = False  # the network comes from an earlier model
    cursor: Cursor = field(default_factory=lambda: Cursor("surrogate"))
    best: dict[str, Any] = field(default_factory=dict)
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)
    negatives: IntArray | None = None
    clusters: IntArray | None = None
    documents: FloatArray | None = None
    prototypes: Prototypes | None = None
    crew: Crew | None = None


def save(session: Session) -> None:
    """Write a checkpoint, where the session has a folder; several processes put theirs together for it."""
    state, moments, best = session.network.state_dict(), optimizer_state(session.optimizer), session.best_state
    if session.crew is not None:
        state, moments, best = gathered_parts(session.network, state, moments, best, session.crew.group)
    if session.folder is None:
        return
    # Between two epochs the mined labels are those of the epoch that is over: they are mined again.
    negatives = session.negatives if session.cursor.step else None
    checkpoint.save(
        session.folder / "checkpoint",
        Checkpoint(
            session.cursor, to_mapping(session.recipe), session.prepared.fingerprint, state, moments,
            negatives, session.best, best, session.clusters, session.documents,
        ),
    )  # fmt: skip
