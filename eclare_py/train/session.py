"""A training run of the network, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from eclare_py.model.network import EclareNetwork
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.prepare import Prepared
from eclare_py.train.prototypes import Prototypes
from eclare_py.train.recipe import Recipe
from eclare_py.types import FloatArray, IntArray


@dataclass
class Session:
    """A training run in memory."""

    recipe: Recipe
    prepared: Prepared
    network: EclareNetwork
    optimizer: torch.optim.Optimizer
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
