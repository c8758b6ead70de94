"""What was imputed, beside the checkpoint, so that a run that goes on does not begin with them anew."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.errors import ModelError
from eclare_py.storage import State, atomic_folder, read_state, recover, verify_manifest, write_state
from eclare_py.types import FloatArray

FOLDER = "imputation"
_PART = "beliefs"


def save(folder: Path, beliefs: FloatArray, data: AggregatedDataset, recipe: dict[str, Any]) -> None:
    """Keep probabilities in a training's working folder, all or nothing."""
    with atomic_folder(folder / FOLDER, kind=FOLDER) as partial:
        write_state(partial, _PART, State({_PART: beliefs}, _what(data, recipe)))


def load(folder: Path, data: AggregatedDataset, recipe: dict[str, Any], n_pairs: int) -> FloatArray | None:
    """(P,) probabilities that were kept of the same data and recipe; None where there are none.

    Raises:
        ModelError: They are damaged.
    """
    recover(folder / FOLDER)
    if not (folder / FOLDER).is_dir():
        return None
    verify_manifest(folder / FOLDER, kind=FOLDER)
    state = read_state(folder / FOLDER, _PART)
    if state.meta != _what(data, recipe):
        return None
    beliefs = state.arrays.get(_PART)
    if beliefs is None or beliefs.dtype != np.float32 or beliefs.shape != (n_pairs,):
        raise ModelError(f"{folder / FOLDER}: not one probability for each of {n_pairs} pairs; train with --no-resume")
    return beliefs


def _what(data: AggregatedDataset, recipe: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for texts in (data.texts, data.label_texts):
        for text in texts:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    for part in (data.groups, data.group_labels.indptr, data.group_labels.indices, data.filter_pairs):
        digest.update(np.ascontiguousarray(part, dtype=np.int64).tobytes())
    return {"data": digest.hexdigest(), "recipe": recipe}
