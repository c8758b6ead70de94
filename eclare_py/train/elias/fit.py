"""Training of the method `elias`: warm-up on TF-IDF clusters -> stage 1 -> stage 2 -> what answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from eclare_py.data.dataset import Dataset
from eclare_py.errors import UsageError
from eclare_py.index import exact_search
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.train.best_epoch import every_judged, remember_best
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.elias.assemble import assemble_elias
from eclare_py.train.elias.clusters import label_texts, start_stage
from eclare_py.train.elias.session import STAGES, EliasSession, open_session
from eclare_py.train.elias.stage import Stage, on_texts
from eclare_py.train.events import EventLog
from eclare_py.train.prepare import prepare
from eclare_py.train.recipe import Recipe


def train_elias(
    dataset: Dataset,
    recipe: Recipe,
    log: EventLog,
    *,
    device: torch.device | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> ClusterPipeline:
    """Train ELIAS; arguments as in `train.fit.train`."""
    return assemble_elias(train_stages(dataset, recipe, log, device=device, folder=folder, resume=resume))


def train_stages(
    dataset: Dataset,
    recipe: Recipe,
    log: EventLog,
    *,
    device: torch.device | None = None,
    folder: Path | None = None,
    resume: bool = False,
) -> EliasSession:
    """The stages that train the network; `assemble_elias` makes a pipeline of the result."""
    if recipe.document.kind != "bag" and recipe.transformer.tuning != "frozen":
        raise UsageError(
            f"transformer.tuning={recipe.transformer.tuning!r}: the method elias reads a transformer as it is; "
            "set transformer.tuning=frozen"
        )
    log("stage", name="prepare", epochs=1, steps=1)
    prepared = prepare(dataset, recipe, folder=folder)
    log(
        "note", documents=prepared.train.n_documents, held_out=prepared.held_out.n_documents,
        labels=prepared.train.n_labels, features=prepared.features.n_features,
    )  # fmt: skip
    target = device or torch.device("cpu")
    session = open_session(prepared, recipe, log, device=target, folder=folder, resume=resume)
    settings = recipe.elias
    epochs = (settings.warm_epochs, settings.fixed_epochs, settings.learned_epochs)
    for name, count, following in zip(STAGES[:-1], epochs, STAGES[1:], strict=True):
        if session.cursor.stage == name:
            run_stage(session, name, count)
            session.cursor, session.best, session.best_state = Cursor(following), {}, {}
            session.save()
    return session


def run_stage(session: EliasSession, name: str, epochs: int) -> None:
    """Train a stage from the session's cursor to its end; the best epoch by nDCG@5 on held-out documents stays."""
    if not epochs:
        return
    if not session.cursor.epoch and not session.cursor.step:
        start_stage(session, name)
    Stage(session, name, epochs).run(after=lambda: judge(session, name))
    if session.best_state and session.best["epoch"] != epochs:
        session.network.load_state_dict(session.best_state)


def judge(session: EliasSession, stage: str) -> None:
    """Validate on the held-out documents and remember the best epoch of the stage."""
    prepared, network, settings = session.prepared, session.network, session.recipe.elias
    shown = every_judged(prepared.held_out.n_documents)
    vectors = network.vectors(prepared.held_out_inputs[shown])
    if on_texts(settings, stage):
        texts = label_texts(session)
        ranking = exact_search(vectors, label_vectors=texts, label_bias=np.zeros(len(texts), dtype=np.float32), k=50)
    else:
        ranking = network.search(vectors, beam=settings.beam, shortlist=settings.shortlist, k=50)
    remember_best(session, stage, ranking, prepared.held_out.labels[shown])
