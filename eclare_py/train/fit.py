"""Training from texts to a pipeline: surrogate -> index -> mining -> ranker -> fusion, resumable throughout."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eclare_py.config import to_mapping
from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.dataset import Dataset
from eclare_py.distributed import Shard, current
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.index import exact_search
from eclare_py.metrics.judged import Judged
from eclare_py.metrics.ratios import recall
from eclare_py.model.auxiliary import AuxiliaryTasks
from eclare_py.model.network import EclareNetwork, LabelSide
from eclare_py.rank.models import Model
from eclare_py.train import checkpoint
from eclare_py.train.assembly import assemble
from eclare_py.train.batches import BatchSource
from eclare_py.train.best_epoch import Kept, every_judged
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.clusters import cluster_size, clustered
from eclare_py.train.corpus import Corpus, corpus_of
from eclare_py.train.device import choose_device
from eclare_py.train.elias.fit import train_elias
from eclare_py.train.events import EventLog, Listener
from eclare_py.train.imputation.impute import imputed
from eclare_py.train.indexing import (
    build_scorer,
    encode_train,
    help_index,
    label_bias,
)
from eclare_py.train.lightxml import train_lightxml
from eclare_py.train.linear import train_linear
from eclare_py.train.loop import StageRun, run_stage
from eclare_py.train.mining import mine
from eclare_py.train.objective import objective_of
from eclare_py.train.optimizer import Rates, make_optimizer, restore_optimizer
from eclare_py.train.precision import in_bfloat16
from eclare_py.train.prepare import Prepared, fingerprint, prepare
from eclare_py.train.prototypes import Prototypes
from eclare_py.train.rank_ae import train_rank_ae
from eclare_py.train.recipe import Recipe
from eclare_py.train.session import Session, save
from eclare_py.train.shared.crew import Crew
from eclare_py.train.shared.search import best_of_all
from eclare_py.train.shared.state import share_checkpoint
from eclare_py.train.shared.together import check_together, gathered_whole, mine_shared
from eclare_py.train.sharing import share_vectors
from eclare_py.train.xr_transformer import train_xr_transformer
from eclare_py.types import IntArray


def train(
    dataset: Dataset,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    listener: Listener | None = None,
) -> Model | None:
    """Train a model, alone or with the other processes of `distributed.current()`.

    Args:
        dataset: The train split; a part of it is held out, test data are not looked at. Where its labels are of groups,
            its members get theirs first, by the recipe's section `imputation`.
        recipe: All settings.
        folder: Where checkpoints and the event log are kept; None keeps none.
        resume: Go on from the checkpoint in `folder`, if there is one.
        device: "auto" (a GPU where there is one), "cpu" or "cuda".
        listener: Told of progress.

    Returns:
        The model; None in all processes but process 0, which put it together.

    Raises:
        TrainingError: Too little data, a loss that is not finite, a checkpoint of something else.
        UsageError: An unknown device, or a recipe that several processes do not train.
    """
    started, group = time.perf_counter(), current()
    plenty, recipe = recipe.plenty.settings, recipe.among(dataset.n_documents, dataset.n_labels)
    check_together(recipe, dataset, group)
    if not group.leads:
        folder = listener = None
    with EventLog(None if folder is None else folder / "events.jsonl", listener) as log:
        pipeline: Model
        target = choose_device(device)
        log("start", recipe=to_mapping(recipe))
        if plenty and not recipe.plenty.settings:
            log("note", plenty=plenty)
        known: dict[str, Any] = {"data": fingerprint(dataset)}
        if isinstance(dataset, AggregatedDataset):
            dataset, known["imputation"] = imputed(
                dataset, recipe, log=log, train=_alone, folder=folder, resume=resume, device=device
            )
        if recipe.method == "linear":
            target = torch.device("cpu")
            pipeline = train_linear(dataset, recipe, log)
        elif recipe.method == "xr_transformer":
            pipeline = train_xr_transformer(dataset, recipe, log, folder=folder, resume=resume, device=target)
        elif recipe.method == "lightxml":
            pipeline = train_lightxml(dataset, recipe, log, folder=folder, resume=resume, device=target)
        elif recipe.method == "elias":
            pipeline = train_elias(dataset, recipe, log, device=target, folder=folder, resume=resume)
        elif recipe.method == "rank_ae":
            pipeline = train_rank_ae(dataset, recipe, log, device=target, folder=folder, resume=resume)
        else:
            session = train_network(dataset, recipe, log=log, folder=folder, resume=resume, device=device)
            if not group.leads:
                help_index(recipe, group)
                return None
            group.lead_on()
            pipeline = assemble(session)
        facts: dict[str, Any] = {"train_seconds": round(time.perf_counter() - started, 1), "device": str(target)}
        if "imputation" in known:  # times are kept apart from what is the same in every run
            facts["imputation_seconds"] = known["imputation"].pop("seconds")
        pipeline.facts.update(known | facts | ({"processes": group.world} if group.world > 1 else {}))
        log("done", **facts)
    return pipeline


def _alone(*values: Any, **settings: Any) -> Model:
    model = train(*values, **settings)
    assert model is not None
    return model


def train_network(
    dataset: Dataset,
    recipe: Recipe,
    *,
    log: EventLog,
    folder: Path | None = None,
    resume: bool = False,
    device: str = "auto",
) -> Session:
    """The stages that train the network; `assemble` makes a pipeline of the result. Arguments as in `train`.

    Of several processes, process 0 has the whole network at the end, the others their part of it.
    """
    log("stage", name="prepare", epochs=1, steps=1)
    recipe = recipe.among(dataset.n_documents, dataset.n_labels)
    prepared = prepare(dataset, recipe, folder=folder, log=log)
    return train_prepared(prepared, recipe, log=log, folder=folder, resume=resume, device=device)


def train_prepared(
    prepared: Prepared,
    recipe: Recipe,
    *,
    log: EventLog,
    folder: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    start: Callable[[EclareNetwork], None] | None = None,
) -> Session:
    """The stages of `train_network` on prepared data.

    Args:
        prepared: The data.
        recipe: All settings.
        log: Told of progress.
        folder: As in `train`.
        resume: Likewise.
        device: Likewise.
        start: Fills the network from an earlier model. Only the last stage of the recipe is trained then, and where no
            epoch of it is better on the held-out documents, the network stays as it was.
    """
    target = choose_device(device)
    log(
        "note", documents=prepared.train.n_documents, held_out=prepared.held_out.n_documents,
        labels=prepared.train.n_labels, features=prepared.features.n_features, edges=prepared.graph.n_edges,
    )  # fmt: skip
    session = _open(prepared, recipe, target, log, folder, resume, start)
    if session.cursor.stage == "surrogate":
        _surrogate(session)
    if session.cursor.stage == "ranker":
        _ranker(session)
    session.network.per_label = True
    if session.crew is None:
        return session
    network, prepared = gathered_whole(session.network, prepared, recipe, session.crew.group)
    return replace(session, network=network, prepared=prepared, crew=None)


def _open(
    prepared: Prepared, recipe: Recipe, device: torch.device, log: EventLog, folder: Path | None, resume: bool,
    start: Callable[[EclareNetwork], None] | None = None,
) -> Session:  # fmt: skip
    transformer = None
    if prepared.inputs.tokens is not None:
        torch.manual_seed(recipe.seed)  # low-rank changes start at random
        transformer = TextTransformer.load(recipe.transformer)
    tasks, group = recipe.training.auxiliary, current()
    network = EclareNetwork(
        LabelSide(prepared.label_inputs, prepared.graph, prepared.frequencies), recipe.document, recipe.label,
        hop_features=recipe.training.hop_features, temperature=recipe.training.temperature, seed=recipe.seed,
        transformer=transformer,
        auxiliary=AuxiliaryTasks(recipe.document.dim, tasks, seed=recipe.seed) if tasks.used else None,
        shard=Shard.of(prepared.train.n_labels, group),
    ).to(device)  # fmt: skip
    # Margins are those of cosines. The slope of the scale is then rounding alone, which Adam would blow up to steps.
    network.log_scale.requires_grad_(recipe.training.loss != "margin")
    share_vectors(network, seed=recipe.seed)
    if start is not None:
        start(network)
    optimizer = make_optimizer(network, recipe.training.dense_rate, recipe.transformer)
    session = Session(recipe, prepared, network, optimizer, log, folder, warm=start is not None)
    if session.warm and recipe.training.ranker_epochs:
        session.cursor = Cursor("ranker")
    session.crew = Crew(group, network) if group.world > 1 else None
    point = checkpoint.load(folder / "checkpoint") if resume and folder is not None else None
    if point is not None:
        checkpoint.check_same(point, to_mapping(recipe), prepared.fingerprint)
    if session.crew is not None:  # process 0 alone knows whether there is one to go on from
        point = share_checkpoint(point, network, group)
    if point is not None:
        network.load_state_dict({name: value.to(device) for name, value in point.network.items()})
        network.per_label = point.cursor.stage != "surrogate"
        restore_optimizer(session.optimizer, point.optimizer)
        session.cursor, session.best, session.negatives = point.cursor, point.best, point.negatives
        session.best_state, session.clusters = point.best_network, point.clusters
        session.documents = point.documents
        log("note", resumed=vars(point.cursor))
    return session


def _surrogate(session: Session) -> None:
    """Encoders from scratch, the labels of the batch as each other's negatives."""
    settings = session.recipe.training
    rates = Rates(settings.table_rate, settings.free_rate, settings.dense_rate, session.recipe.transformer.rate)
    _run(session, "surrogate", settings.surrogate_epochs, rates)
    session.cursor = Cursor("ranker")


def _ranker(session: Session) -> None:
    """Biases join, and free vectors if they have not; every epoch starts with mining on the index as it then is."""
    settings = session.recipe.training
    session.network.per_label = True
    if settings.ranker_epochs:
        factor = settings.ranker_factor
        rates = Rates(
            factor * settings.table_rate, settings.free_rate, factor * settings.dense_rate,
            factor * session.recipe.transformer.rate,
        )  # fmt: skip
        _run(session, "ranker", settings.ranker_epochs, rates, mined=settings.mined, drawn=settings.hard_negatives)
    session.cursor = Cursor("fusion")


def _run(session: Session, name: str, epochs: int, rates: Rates, *, mined: int = 0, drawn: int = 0) -> None:
    prepared, settings = session.prepared, session.recipe.training
    if not session.cursor.epoch and not session.cursor.step:
        session.best, session.best_state, session.clusters, session.documents = {}, {}, None, None
        session.network.refresh_labels()
        if session.warm:
            _judge(session, name, 0)
    if session.documents is not None:
        session.prototypes = Prototypes(session.documents, prepared.train.labels)

    def mine_again() -> IntArray:
        session.log("note", mining=name, epoch=session.cursor.epoch + 1)
        if session.crew is not None:
            session.negatives = mine_shared(session.network, prepared, session.recipe, session.crew.group, count=mined)
            return session.negatives
        documents = encode_train(session.network, prepared)
        scorer = build_scorer(session.network, documents, prepared, session.recipe)
        session.negatives = mine(
            scorer, documents, prepared.train.labels, prepared.train.filter_pairs,
            count=mined, beam=max(1, scorer.beam // 4),
        )  # fmt: skip
        return session.negatives

    corpus = corpus_of(
        prepared, label_documents=settings.label_documents and name == "surrogate", soft_targets=settings.soft_targets,
        groups=settings.groups,
    )
    source = BatchSource(
        corpus.labels, corpus.filter_pairs, batch_size=settings.per_step(corpus.labels.shape[0]),
        at_hand=settings.at_hand, seed=session.recipe.seed, stage=name, soft=corpus.soft, bags=corpus.bags,
        shard=session.network.shard,
    )  # fmt: skip
    epochs = min(epochs, max(1, settings.max_steps // max(source.steps, 1)))
    if session.crew is not None:
        session.crew.begin(corpus.inputs, corpus.labels.shape[0])
    run = StageRun(
        name, epochs, rates, source, corpus.inputs, session.cursor,
        save=lambda: save(session), after_epoch=lambda epoch: _after_epoch(session, name, epoch, epochs),
        mine=mine_again if mined and drawn else None, drawn=drawn, negatives=session.negatives,
        half=in_bfloat16(settings.precision, session.network.device),
        begin_epoch=lambda epoch: _begin_epoch(session, name, epoch, corpus), clusters=session.clusters,
        prototypes=lambda: session.prototypes,
        objective=objective_of(settings, prepared.frequencies, prepared.train.n_documents),
        checkpoint_seconds=settings.checkpoint_seconds, crew=session.crew,
    )  # fmt: skip
    run_stage(session.network, session.optimizer, run, session.log)
    session.negatives = None
    if session.best_state and session.best["epoch"] != epochs:
        session.network.load_state_dict(session.best_state)
        session.network.refresh_labels()
    session.best_state = {}
    save(session)


def _begin_epoch(session: Session, stage: str, epoch: int, corpus: Corpus) -> IntArray | None:
    """Make clusters of documents and prototypes of labels anew, where the recipe wants such and it is time."""
    settings = session.recipe.training
    if session.recipe.label.prototype:
        if session.documents is None:
            session.documents = encode_train(session.network, session.prepared)
        session.prototypes = Prototypes(session.documents, session.prepared.train.labels)
    size = cluster_size(settings, epoch)
    if size is not None:
        session.log("note", clustering=stage, epoch=epoch + 1, size=size)
        documents = session.network.encode_documents(corpus.inputs)
        batch = settings.per_step(len(documents))
        session.clusters = clustered(documents, size, batch_size=batch, seed=session.recipe.seed)
    return session.clusters


def _after_epoch(session: Session, stage: str, epoch: int, epochs: int) -> None:
    if epoch % session.recipe.transformer.refresh_epochs == 0 or epoch == epochs:
        session.network.refresh_labels()
    _judge(session, stage, epoch)


def _judge(session: Session, stage: str, epoch: int) -> None:
    """Validate on the held-out documents and remember the best epoch of the stage."""
    prepared, network = session.prepared, session.network
    shown = every_judged(prepared.held_out.n_documents)
    documents = network.encode_documents(prepared.held_out_inputs[shown])
    if session.recipe.label.prototype:
        session.documents = encode_train(network, prepared)
        network.prototypes = Prototypes(session.documents, prepared.train.labels).all()
    labels = prepared.held_out.labels[shown]
    ranking = exact_search(documents, label_vectors=network.encode_labels(), label_bias=label_bias(network), k=50)
    ranking = best_of_all(ranking, network.shard, current())
    figure = recall(Judged.of(ranking, labels), 50).share
    session.log("validation", stage=stage, epoch=epoch, recall_at_50=round(100 * figure, 3))
    if not session.best or figure > session.best["recall_at_50"]:
        session.best = {"stage": stage, "epoch": epoch, "recall_at_50": figure}
        session.best_state = Kept.of(network, session.best_state)
