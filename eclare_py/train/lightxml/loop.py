"""The training loop of LightXML: generator and discriminator learn from the same documents at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import torch

from eclare_py.errors import TrainingError
from eclare_py.model.lightxml import masked_bce
from eclare_py.train.events import EventLog
from eclare_py.train.lightxml.candidates import choose
from eclare_py.train.lightxml.session import STAGE, Session
from eclare_py.train.loop import patient_interrupt
from eclare_py.train.optimizer import rise_and_fall
from eclare_py.train.precision import in_bfloat16
from eclare_py.types import IntArray


def run(session: Session, log: EventLog) -> None:
    """Train from the cursor to the end.

    Ctrl-C takes effect after the step under way: a checkpoint is written, then KeyboardInterrupt goes on.

    Raises:
        TrainingError: The loss is not finite; the last checkpoint was made before that step.
        KeyboardInterrupt: Ctrl-C, with a checkpoint behind it.
    """
    epochs = session.recipe.lightxml.epochs
    log("stage", name=STAGE, epochs=epochs, steps=session.steps)
    clock = _Clock(session)
    with patient_interrupt() as interrupted:
        while session.cursor.epoch < epochs:
            mean = _run_epoch(session, log, clock, interrupted)
            session.cursor.epoch, session.cursor.step = session.cursor.epoch + 1, 0
            session.take_average()
            log("epoch", stage=STAGE, epoch=session.cursor.epoch, of=epochs, loss=round(mean, 5))
            clock.save_if_due(interrupted)
    session.save()
    if session.average[1]:
        session.restore(session.average[0])


class _Clock:
    """When the last checkpoint was written."""

    def __init__(self, session: Session) -> None:
        self.session, self.saved_at = session, time.monotonic()

    def save_if_due(self, interrupted: threading.Event) -> None:
        if interrupted.is_set():
            self.session.save()
            raise KeyboardInterrupt
        if time.monotonic() - self.saved_at >= self.session.recipe.training.checkpoint_seconds:
            self.session.save()
            self.saved_at = time.monotonic()


def _run_epoch(session: Session, log: EventLog, clock: _Clock, interrupted: threading.Event) -> float:
    session.side.train()
    session.heads.train()
    total, count = 0.0, 0
    for step, documents in batches(session, session.cursor.epoch, start=session.cursor.step):
        loss = _step(session, step, documents)
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {session.cursor.epoch + 1}, step {step + 1}: lower "
                "lightxml.head_rate, lightxml.label_rate or transformer.rate and train again; the last checkpoint is "
                "kept"
            )
        total, count = total + loss, count + 1
        session.cursor.step = step + 1
        log("step", log=False, stage=STAGE, epoch=session.cursor.epoch + 1, step=step + 1, loss=total / count)
        if step + 1 < session.steps:
            clock.save_if_due(interrupted)
    return total / max(count, 1)


def batches(session: Session, epoch: int, *, start: int = 0) -> Iterator[tuple[int, IntArray]]:
    """Steps of an epoch from `start` on with their (B,) documents, the same in any process."""
    n_documents = session.dataset.n_documents
    order = np.random.default_rng((session.recipe.seed, *STAGE.encode(), epoch)).permutation(n_documents)
    for step in range(start, session.steps):
        first, last = (n_documents * bound // session.steps for bound in (step, step + 1))
        yield step, np.sort(order[first:last])


def _step(session: Session, step: int, documents: IntArray) -> float:
    """One update of everything; returns the loss, and leaves the parameters alone where it is not finite."""
    settings, device = session.recipe.lightxml, session.device
    random = np.random.default_rng((session.recipe.seed, *STAGE.encode(), session.cursor.epoch, step))
    torch.manual_seed(int(random.integers(2**62)))  # dropout of this step, whatever ran before
    positives, ignored = (part[documents] for part in session.labels)
    own, beside = session.groups.relevant(positives), session.groups.relevant(ignored)
    half = in_bfloat16(session.recipe.training.precision, device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
        features = session.heads.features(session.side(documents).float())
        group_logits = session.heads.generator(features)
        probabilities = group_logits.detach().float().sigmoid().cpu().numpy()
        if not np.isfinite(probabilities).all():
            return float("nan")
        asked = choose(session.groups, settings, probabilities, positives, ignored, random)
        label_logits = session.heads.label_logits(features, asked.at_hand, asked.columns)
    found, counted, own_groups, counted_groups = (
        torch.from_numpy(mask).to(device) for mask in (asked.positives, asked.counted, own, own | ~beside)
    )
    loss = masked_bce(label_logits, found, counted) + masked_bce(group_logits, own_groups, counted_groups)
    value = float(loss.detach())
    if not np.isfinite(value):
        return value
    session.optimizer.zero_grad()
    # A mean over so many cells has slopes near the epsilon of the optimisers; their steps do not depend on the factor.
    (loss * asked.columns.size).backward()
    _update(session, (session.cursor.epoch + step / session.steps) / settings.epochs)
    return value


def _update(session: Session, progress: float) -> None:
    """Step with rates that rise to their height where they have a warm-up, and fall as a straight line to 0."""
    fall = 1 - progress
    for group in session.optimizer.param_groups:
        group["lr"] = group["height"] * rise_and_fall(progress, group["warmup"])
    session.optimizer.step()
    session.heads.labels.step(session.recipe.lightxml.label_rate * fall)
    session.side.step(fall)
