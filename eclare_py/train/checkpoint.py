"""Checkpoints of training: all that a stage needs to go on exactly where it stopped.

Batches and dropout are seeded by (seed, stage, epoch, step), so the cursor replaces random states. What is left is
numbers: parameters, accumulators, Adam's moments, mined negatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eclare_py.errors import TrainingError
from eclare_py.storage import State, atomic_folder, read_state, recover, verify_manifest, write_state
from eclare_py.types import FloatArray, IntArray

KIND = "checkpoint"


@dataclass
class Cursor:
    """Where training stands: `step` batches of `epoch` of `stage` are done."""

    stage: str
    epoch: int = 0
    step: int = 0


@dataclass
class Checkpoint:
    """A resumable moment.

    Attributes:
        cursor: Where.
        recipe: The recipe as plain data; resuming under another one is refused.
        data: Fingerprint of the train documents.
        network: Parameters and buffers.
        optimizer: Adam's moments, flat.
        negatives: Mined labels of the epoch under way, if any.
        clusters: Clusters that its batches are made of, if any.
        documents: (N, d) document vectors as they were when it began, where prototypes are made of them.
        best: Validation figure of the stage's best epoch, and which it was.
        best_network: Parameters and buffers of that epoch.
    """

    cursor: Cursor
    recipe: dict[str, Any]
    data: str
    network: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]
    negatives: IntArray | None
    best: dict[str, Any]
    best_network: dict[str, torch.Tensor]
    clusters: IntArray | None = None
    documents: FloatArray | None = None


def save(folder: Path, point: Checkpoint) -> None:
    """Write all or nothing; the previous checkpoint stays until the new one is complete."""
    arrays = {f"network/{name}": value.detach().cpu().numpy() for name, value in point.network.items()}
    arrays |= {f"optimizer/{name}": value.detach().cpu().numpy() for name, value in point.optimizer.items()}
    arrays |= {f"best/{name}": value.detach().cpu().numpy() for name, value in point.best_network.items()}
    for name, value in (("negatives", point.negatives), ("clusters", point.clusters), ("documents", point.documents)):
        if value is not None:
            arrays[name] = value
    meta = {"cursor": vars(point.cursor), "recipe": point.recipe, "data": point.data, "best": point.best}
    with atomic_folder(folder, kind=KIND) as partial:
        write_state(partial, "training", State(arrays=arrays, meta=meta))


def load(folder: Path) -> Checkpoint | None:
    """The checkpoint of a folder, or None where there is none.

    Raises:
        ModelError: It is damaged.
    """
    recover(folder)  # a save killed in the instant of its swap left the old one under another name
    if not folder.exists():
        return None
    verify_manifest(folder, KIND)
    state = read_state(folder, "training")

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {
            name.removeprefix(prefix): torch.from_numpy(np.array(value))
            for name, value in state.arrays.items()
            if name.startswith(prefix)
        }

    meta = state.meta
    return Checkpoint(
        Cursor(**meta["cursor"]), meta["recipe"], meta["data"], part("network/"), part("optimizer/"),
        state.arrays.get("negatives"), meta["best"], part("best/"), state.arrays.get("clusters"),
        state.arrays.get("documents"),
    )  # fmt: skip


def check_same(point: Checkpoint, recipe: dict[str, Any], data: str) -> None:
    """Refuse to go on with other settings or other data.

    Raises:
        TrainingError: Names the first setting that differs.
    """
    if point.data != data:
        raise TrainingError("the checkpoint was made from other train documents; train anew with --no-resume")
    old, new = flat(point.recipe), flat(recipe)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise TrainingError(
                f"the checkpoint was made with {key}={old.get(key)}, the recipe says {new.get(key)}: "
                "resume with the same settings or train anew with --no-resume"
            )


def flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted names."""
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found
