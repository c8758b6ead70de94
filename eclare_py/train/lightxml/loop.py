"""The training loop of LightXML: generator and discriminator learn from the same documents at the same time."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.model.lightxml import masked_bce
from eclare_py.train.epochs import Epochs
from eclare_py.train.events import EventLog
from eclare_py.train.lightxml.candidates import choose
from eclare_py.train.lightxml.session import STAGE, Session
from eclare_py.train.optimizer import rise_and_fall
from eclare_py.train.precision import in_bfloat16
from eclare_py.types import IntArray


def run(session: Session, log: EventLog) -> None:
    """Train from the cursor to the end, see `Epochs.run`.

    Raises:
        TrainingError: The loss is not finite; the last checkpoint was made before that step.
        KeyboardInterrupt: Ctrl-C, with a checkpoint behind it.
    """
    settings = session.recipe.lightxml

    def begin() -> None:
        session.side.train()
        session.heads.train()

    frame = Epochs(
        STAGE, settings.epochs, session.dataset.n_documents, settings.batch_size, session.recipe.seed, session.cursor,
        log, step=lambda documents, step: _step(session, frame, documents, step), save=session.save, begin=begin,
        after=session.take_average, lower="lightxml.head_rate, lightxml.label_rate or transformer.rate",
        checkpoint_seconds=session.recipe.training.checkpoint_seconds, save_end=True,
    )  # fmt: skip
    frame.run()
    if session.average[1]:
        session.restore(session.average[0])


def _step(session: Session, frame: Epochs, documents: IntArray, step: int) -> float:
    """One update of everything; returns the loss, and leaves the parameters alone where it is not finite."""
    settings, device = session.recipe.lightxml, session.device
    random = frame.random(step)
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
    _update(session, frame.progress)
    return value


def _update(session: Session, progress: float) -> None:
    """Step with rates that rise to their height where they have a warm-up, and fall as a straight line to 0."""
    fall = 1 - progress
    for group in session.optimizer.param_groups:
        group["lr"] = group["height"] * rise_and_fall(progress, group["warmup"])
    session.optimizer.step()
    session.heads.labels.step(session.recipe.lightxml.label_rate * fall)
    session.side.step(fall)
