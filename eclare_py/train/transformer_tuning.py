"""Fine-tuning of a transformer at one resolution: batches in, steps taken, checkpoints and events out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from eclare_py.errors import TrainingError
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.tokens import Tokens
from eclare_py.model.candidate_losses import candidate_loss
from eclare_py.model.level_head import LevelHead
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.loop import patient_interrupt
from eclare_py.train.optimizer import transformer_groups
from eclare_py.train.recipe import Recipe
from eclare_py.train.resolutions import dense_part
from eclare_py.types import Csr, FloatArray, IntArray


@dataclass
class LevelRun:
    """One resolution under way.

    Attributes:
        title: For people.
        recipe: Settings.
        epochs: Epochs to train.
        documents: (n,) the documents trained on, as rows of the next three.
        tokens: N texts.
        counts: (N, C) labels of a document in each cluster.
        candidates: (N, C) clusters it tells apart; None: all.
        cursor: Where the stage stands; moved by the loop.
        save: Writes a checkpoint.
        after_epoch: Called with the number of the finished epoch.
        half: Multiply matrices in bfloat16.
    """

    title: str
    recipe: Recipe
    epochs: int
    documents: IntArray
    tokens: Tokens
    counts: Csr
    candidates: Csr | None
    cursor: Cursor
    save: Callable[[], None]
    after_epoch: Callable[[int], None]
    half: bool = False
    saved_at: float = field(default_factory=time.monotonic)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.documents) // min(self.recipe.resolutions.batch_size, len(self.documents)))

    @property
    def entropy(self) -> tuple[int, ...]:
        """What seeds this stage, and no other."""
        return (self.recipe.seed, *self.cursor.stage.encode())

    def batches(self, epoch: int, start: int) -> Iterator[tuple[int, IntArray]]:
        """Documents of every step of an epoch, of equal number up to one; the same in any process."""
        order = np.random.default_rng((*self.entropy, epoch)).permutation(self.documents)
        for step in range(start, self.steps):
            first, last = (len(order) * bound // self.steps for bound in (step, step + 1))
            yield step, np.sort(order[first:last])

    def rate(self, step: int) -> float:
        """Share of the learning rates: a rise in a line, then a fall in a line to 0."""
        done, total = self.cursor.epoch * self.steps + step, self.epochs * self.steps
        rising = max(1, int(self.recipe.transformer.warmup * total))
        return (done + 1) / rising if done < rising else (total - done) / max(total - rising, 1)


def make_optimizer(model: TextTransformer, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over what learns; vectors (biases, norms) do not decay."""
    groups = transformer_groups(model.parameters(), recipe.transformer)
    return torch.optim.AdamW(groups, recipe.transformer.rate, fused=True)


def fine_tune(
    model: TextTransformer, head: LevelHead, optimizer: torch.optim.Optimizer, run: LevelRun, log: EventLog
) -> None:
    """Train a resolution from its cursor to its end.

    Ctrl-C takes effect after the step under way: a checkpoint is written, then KeyboardInterrupt goes on.

    Raises:
        TrainingError: The loss is not finite.
        KeyboardInterrupt: Ctrl-C, with a checkpoint behind it.
    """
    log("stage", name=run.cursor.stage, title=run.title, epochs=run.epochs, steps=run.steps)
    with patient_interrupt() as interrupted:
        while run.cursor.epoch < run.epochs:
            epoch = run.cursor.epoch
            mean = _run_epoch(model, head, optimizer, run, log, interrupted)
            run.cursor.epoch, run.cursor.step = epoch + 1, 0
            log("epoch", stage=run.cursor.stage, epoch=epoch + 1, of=run.epochs, loss=round(mean, 5))
            run.after_epoch(epoch + 1)
            _save_if(run, epoch + 1 == run.epochs or _due(run))
            _stop_if(interrupted, run)


def _run_epoch(
    model: TextTransformer, head: LevelHead, optimizer: torch.optim.Optimizer, run: LevelRun, log: EventLog,
    interrupted: threading.Event,
) -> float:  # fmt: skip
    model.train()
    total, count, cursor = 0.0, 0, run.cursor
    for step, documents in run.batches(cursor.epoch, cursor.step):
        loss = _step(model, head, optimizer, run, step, documents)
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in stage {cursor.stage}, epoch {cursor.epoch + 1}, step {step + 1}: "
                "lower transformer.rate or resolutions.head_rate and train again; the last checkpoint is kept"
            )
        total, count = total + loss, count + 1
        cursor.step = step + 1
        log("step", log=False, stage=cursor.stage, epoch=cursor.epoch + 1, step=step + 1, loss=total / count)
        if step + 1 < run.steps:
            _save_if(run, _due(run))
            _stop_if(interrupted, run)
    return total / max(count, 1)


def _step(
    model: TextTransformer, head: LevelHead, optimizer: torch.optim.Optimizer, run: LevelRun, step: int,
    documents: IntArray,
) -> float:  # fmt: skip
    """One update; returns the loss, and leaves the parameters alone where it is not finite."""
    settings = run.recipe.resolutions
    torch.manual_seed(step_seed(run, step))  # dropout of this step, whatever ran before
    device = model.device
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=run.half):
        vectors = model(run.tokens[documents])
    at_hand, mask = None, None
    if run.candidates is not None:
        chosen = run.candidates[documents]
        at_hand = np.unique(chosen.indices).astype(np.int64)
        mask = torch.from_numpy(dense_part(chosen, at_hand) > 0).to(device)
    counts = torch.from_numpy(dense_part(run.counts[documents], at_hand)).to(device)
    loss = candidate_loss(
        head.scores(vectors, at_hand), counts, torch.ones_like(counts, dtype=torch.bool) if mask is None else mask,
        kind=settings.loss, weighted=settings.weighted, positive_cost=settings.positive_cost,
        negative_cost=settings.negative_cost,
    )  # fmt: skip
    value = float(loss.detach())
    if not np.isfinite(value):
        return value
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], settings.clip)
    share = run.rate(step)
    for group in optimizer.param_groups:
        group["lr"] = run.recipe.transformer.rate * share
    optimizer.step()
    head.step(settings.head_rate * share)
    return value


def step_seed(run: LevelRun, step: int) -> int:
    """Seed of one step's dropout."""
    return int(np.random.SeedSequence((*run.entropy, run.cursor.epoch, step)).generate_state(1)[0])


def encode(model: TextTransformer, tokens: Tokens, *, half: bool) -> FloatArray:
    """(N, t) unit vectors, in the number format of training."""
    with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=half):
        return model.encode(tokens)


def _due(run: LevelRun) -> bool:
    return time.monotonic() - run.saved_at >= run.recipe.training.checkpoint_seconds


def _save_if(run: LevelRun, wanted: bool) -> None:
    if wanted:
        run.save()
        run.saved_at = time.monotonic()


def _stop_if(interrupted: threading.Event, run: LevelRun) -> None:
    if interrupted.is_set():
        run.save()
        raise KeyboardInterrupt
