"""Training of the method `lightxml` (LightXML, Jiang et al., AAAI 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.train.lightxml.export import assemble
from eclare_py.train.lightxml.loop import run
from eclare_py.train.lightxml.session import Session, open_session

if TYPE_CHECKING:
    import torch

    from eclare_py.data.dataset import Dataset
    from eclare_py.train.events import EventLog
    from eclare_py.train.recipe import Recipe


def train_lightxml(
    dataset: Dataset,
    recipe: Recipe,
    log: EventLog,
    *,
    device: torch.device,
    folder: Path | None = None,
    resume: bool = False,
) -> ClusterPipeline:
    """Train on all documents, none held out. Arguments as in `fit.train`.

    Raises:
        TrainingError: No document has a label, the loss is not finite, a checkpoint of something else.
        ConfigError: An encoder that this method does not have.
        ModelError: The transformer does not load.
    """
    session = open_session(dataset, recipe, device, log, folder, resume)
    run(session, log)
    log("stage", name="index", epochs=1, steps=1)
    return assemble(session)


__all__ = ["Session", "assemble", "open_session", "run", "train_lightxml"]
