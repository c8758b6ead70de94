"""The training loop of the network stages: batches in, steps taken, checkpoints and events out."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch

from eclare_py.distributed import current
from eclare_py.errors import TrainingError
from eclare_py.model.inputs import Inputs
from eclare_py.model.network import EclareNetwork
from eclare_py.train.batches import Batch, BatchSource
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.objective import Objective, auxiliary_loss
from eclare_py.train.optimizer import Optimizer, Rates, set_rates
from eclare_py.train.prototypes import Prototypes
from eclare_py.train.shared.crew import Crew
from eclare_py.types import IntArray


@dataclass
class StageRun:
    """One stage under way.

    Attributes:
        name: Name of the stage.
        epochs: Epochs to train.
        rates: Learning rates.
        source: Batches.
        inputs: The N train documents.
        cursor: Where the stage stands; moved by the loop.
        mine: Gives (N, M) hard labels at the start of every epoch; None: in-batch negatives only.
        drawn: Hard labels drawn per document and step.
        after_epoch: Called with the number of the finished epoch.
        save: Writes a checkpoint.
        negatives: Mined labels of the epoch under way.
        begin_epoch: Called with the number of an epoch (from 0) before its first step, not when it is gone on with;
            gives the (N,) clusters that make its batches, or None for random ones.
        clusters: Of the epoch under way.
        prototypes: Of the epoch under way, where the labels have such; they leave the documents of a batch out.
        half: Multiply matrices in bfloat16.
        objective: What a step makes smaller.
        crew: The processes that train together, where there are several; `inputs` are then those of this one.
    """

    name: str
    epochs: int
    rates: Rates
    source: BatchSource
    inputs: Inputs
    cursor: Cursor
    save: Callable[[], None]
    after_epoch: Callable[[int], None]
    mine: Callable[[], IntArray] | None = None
    drawn: int = 0
    negatives: IntArray | None = None
    begin_epoch: Callable[[int], IntArray | None] | None = None
    clusters: IntArray | None = None
    prototypes: Callable[[], Prototypes | None] = lambda: None
    half: bool = False
    objective: Objective = field(default_factory=Objective)
    crew: Crew | None = None
    checkpoint_seconds: float = 60.0
    saved_at: float = field(default_factory=time.monotonic)


def run_stage(network: EclareNetwork, optimizer: Optimizer, run: StageRun, log: EventLog) -> None:
    """Train a stage from its cursor to its end.

    Ctrl-C takes effect after the step under way: a checkpoint is written, then KeyboardInterrupt goes on.

    Raises:
        TrainingError: The loss is not finite; the last checkpoint was made before that step.
        KeyboardInterrupt: Ctrl-C, with a checkpoint behind it.
    """
    log("stage", name=run.name, epochs=run.epochs, steps=run.source.steps)
    with patient_interrupt() as interrupted:
        while run.cursor.epoch < run.epochs:
            epoch = run.cursor.epoch
            if run.mine is not None and run.negatives is None:
                run.negatives = run.mine()
            if run.begin_epoch is not None and not run.cursor.step:
                run.clusters = run.begin_epoch(epoch)
            mean = _run_epoch(network, optimizer, run, log, interrupted)
            run.cursor.epoch, run.cursor.step, run.negatives = epoch + 1, 0, None
            log("epoch", stage=run.name, epoch=epoch + 1, of=run.epochs, loss=round(mean, 5))
            run.after_epoch(epoch + 1)
            _pause(interrupted, run)


def _run_epoch(
    network: EclareNetwork, optimizer: Optimizer, run: StageRun, log: EventLog, interrupted: threading.Event
) -> float:
    network.train()
    total, count = 0.0, 0
    batches = run.source.epoch(
        run.cursor.epoch, start=run.cursor.step, negatives=run.negatives, drawn=run.drawn, clusters=run.clusters
    )
    for step, batch in batches:
        loss = _step(network, optimizer, run, step, batch)
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in stage {run.name}, epoch {run.cursor.epoch + 1}, step {step + 1}: "
                "lower training.table_rate or training.dense_rate and train again; the last checkpoint is kept"
            )
        total, count = total + loss, count + 1
        run.cursor.step = step + 1
        log("step", log=False, stage=run.name, epoch=run.cursor.epoch + 1, step=step + 1, loss=total / count)
        if step + 1 < run.source.steps:
            _pause(interrupted, run)
    return total / max(count, 1)


def _step(network: EclareNetwork, optimizer: Optimizer, run: StageRun, step: int, batch: Batch) -> float:
    """One update; returns the loss, and leaves the parameters alone where it is not finite."""
    progress = (run.cursor.epoch + step / max(run.source.steps, 1)) / run.epochs
    decay = (1 - progress) ** 0.5
    torch.manual_seed(_step_seed(run, step))  # dropout of this step, whatever ran before
    if run.crew is None:
        loss = _loss(network, run, batch)
        value = float(loss.detach())
    else:
        loss = run.crew.loss(network, run.objective, run.inputs, batch, run.half)
        value = run.crew.total(loss)
    if not np.isfinite(value):
        return value
    optimizer.zero_grad()
    loss.backward()
    if run.crew is not None:
        run.crew.merge(network)
    set_rates(optimizer, run.rates, progress)
    optimizer.step()
    for bag, rate in zip(network.bags(), (run.rates.table, run.rates.free, run.rates.free), strict=False):
        bag.step(rate * decay)
    return value


def _loss(network: EclareNetwork, run: StageRun, batch: Batch) -> torch.Tensor:
    known = run.prototypes()
    prototypes = None if known is None else known.without(batch.documents, batch.labels)
    with torch.autocast(network.device.type, dtype=torch.bfloat16, enabled=run.half):
        documents = network.documents(run.inputs[batch.documents])
        vectors = network.label_vectors(batch.labels, prototypes)
        scores = network.scores(documents, vectors, batch.labels)
        extra = auxiliary_loss(network.auxiliary, documents, vectors, scores, batch)
    return run.objective.loss(scores, batch, network.log_scale) + extra


def _step_seed(run: StageRun, step: int) -> int:
    return int(np.random.SeedSequence((*run.source.entropy, run.cursor.epoch, step)).generate_state(1)[0])


def _pause(interrupted: threading.Event, run: StageRun) -> None:
    """Save where it is time; leave, with a checkpoint, where Ctrl-C was pressed. All processes agree on both."""
    due = time.monotonic() - run.saved_at >= run.checkpoint_seconds
    due, stop = current().any(due, interrupted.is_set())
    if due or stop:
        run.save()
        run.saved_at = time.monotonic()
    if stop:
        raise KeyboardInterrupt


@contextmanager
def patient_interrupt() -> Iterator[threading.Event]:
    """Ctrl-C sets the event instead of stopping in the middle of an update; a second one stops at once.

    Of several processes each gets it twice, from the terminal and from torchrun, which itself kills those that linger.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set() and current().world == 1:
            raise KeyboardInterrupt
        asked.set()

    old: Any = signal.signal(signal.SIGINT, handle)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, old)
