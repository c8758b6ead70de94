"""The frame around the steps of a method of its own: seeded epochs, events, checkpoints, Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eclare_py.errors import TrainingError
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.loop import patient_interrupt
from eclare_py.types import IntArray


def _nothing() -> None:
    return None


@dataclass
class Epochs:
    """Epochs over the train documents in random order; the same seed, stage, epoch and step do the same anywhere.

    Attributes:
        stage: Name of the stage.
        count: Epochs to train.
        documents: (n,) rows of those trained on, or N for all of N.
        batch_size: Documents per step.
        seed: Of the recipe.
        cursor: Where the stage stands; moved by the loop.
        log: Told of every step and epoch.
        step: One update by some documents: (B,) rows, ascending, and the number of the step. Returns the loss, and
            leaves all parameters alone where it is not finite.
        save: Writes a checkpoint.
        begin: Called before the steps of an epoch, also when it is gone on with.
        after: Called after each epoch, the cursor at the start of the next.
        lower: The settings to lower where the loss is not finite, for people.
        checkpoint_seconds: Least time between two checkpoints.
        save_end: Write a checkpoint at the end of the stage, however near the last one is.
        title: Of the stage, for people; None: its name.
    """

    stage: str
    count: int
    documents: IntArray | int
    batch_size: int
    seed: int
    cursor: Cursor
    log: EventLog
    step: Callable[[IntArray, int], float]
    save: Callable[[], None]
    lower: str
    checkpoint_seconds: float
    begin: Callable[[], object] = _nothing
    after: Callable[[], object] = _nothing
    save_end: bool = False
    title: str | None = None
    saved_at: float = field(default_factory=time.monotonic)

    @property
    def n_documents(self) -> int:
        """Documents of an epoch."""
        return self.documents if isinstance(self.documents, int) else len(self.documents)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.n_documents // self.batch_size)

    @property
    def entropy(self) -> tuple[int, ...]:
        """What seeds this stage, and no other."""
        return (self.seed, *self.stage.encode())

    @property
    def progress(self) -> float:
        """Share of all steps that are done."""
        return (self.cursor.epoch + self.cursor.step / self.steps) / self.count

    def random(self, step: int) -> np.random.Generator:
        """Chance of one step of the epoch under way, whatever ran before."""
        return np.random.default_rng((*self.entropy, self.cursor.epoch, step))

    def torch_seed(self, step: int) -> int:
        """The same for torch, for dropout."""
        return int(np.random.SeedSequence((*self.entropy, self.cursor.epoch, step)).generate_state(1)[0])

    def batches(self) -> Iterator[tuple[int, IntArray]]:
        """Steps of the epoch under way from the cursor on, with their documents, of equal number up to one."""
        order = np.random.default_rng((*self.entropy, self.cursor.epoch)).permutation(self.documents)
        for step in range(self.cursor.step, self.steps):
            first, last = (self.n_documents * bound // self.steps for bound in (step, step + 1))
            yield step, np.sort(order[first:last])

    def run(self) -> None:
        """Train from the cursor to the end.

        Ctrl-C takes effect after the step under way: a checkpoint is written, then KeyboardInterrupt goes on.

        Raises:
            TrainingError: The loss is not finite; the last checkpoint was made before that step.
            KeyboardInterrupt: Ctrl-C, with a checkpoint behind it.
        """
        title: dict[str, Any] = {} if self.title is None else {"title": self.title}
        self.log("stage", name=self.stage, **title, epochs=self.count, steps=self.steps)
        with patient_interrupt() as interrupted:
            while self.cursor.epoch < self.count:
                mean = self._run_epoch(interrupted)
                self.cursor.epoch, self.cursor.step = self.cursor.epoch + 1, 0
                self.log("epoch", stage=self.stage, epoch=self.cursor.epoch, of=self.count, loss=round(mean, 5))
                self.after()
                self._pause(interrupted, self.save_end and self.cursor.epoch == self.count)

    def _run_epoch(self, interrupted: threading.Event) -> float:
        cursor, total, done = self.cursor, 0.0, 0
        self.begin()
        for step, documents in self.batches():
            loss = self.step(documents, step)
            if not np.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} in stage {self.stage}, epoch {cursor.epoch + 1}, step {step + 1}: lower "
                    f"{self.lower} and train again; the last checkpoint is kept"
                )
            total, done = total + loss, done + 1
            cursor.step = step + 1
            self.log("step", log=False, stage=self.stage, epoch=cursor.epoch + 1, step=step + 1, loss=total / done)
            if step + 1 < self.steps:
                self._pause(interrupted)
        return total / max(done, 1)

    def _pause(self, interrupted: threading.Event, save: bool = False) -> None:
        """Save where it is time, or wanted; leave, with a checkpoint, where Ctrl-C was pressed."""
        if save or interrupted.is_set() or time.monotonic() - self.saved_at >= self.checkpoint_seconds:
            self.save()
            self.saved_at = time.monotonic()
        if interrupted.is_set():
            raise KeyboardInterrupt
