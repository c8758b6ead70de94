"""Training of the method `rank_ae` (Rank-AE, Wang et al., NAACL 2019)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.train.rank_ae.export import assemble
from eclare_py.train.rank_ae.fit import run
from eclare_py.train.rank_ae.session import Session, open_session

if TYPE_CHECKING:
    import torch

    from eclare_py.data.dataset import Dataset
    from eclare_py.train.events import EventLog
    from eclare_py.train.recipe import Recipe


def train_rank_ae(
    dataset: Dataset,
    recipe: Recipe,
    log: EventLog,
    *,
    device: torch.device,
    folder: Path | None = None,
    resume: bool = False,
) -> ClusterPipeline:
    """Train on all but the held-out documents. Arguments as in `fit.train`.

    Raises:
        TrainingError: Too few documents, the loss is not finite, a checkpoint of something else.
        ConfigError: An encoder that this method does not have.
    """
    session = open_session(dataset, recipe, device, log, folder, resume)
    run(session)
    return assemble(session)


__all__ = ["Session", "assemble", "open_session", "run", "train_rank_ae"]
