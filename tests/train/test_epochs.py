"""The frame of a training loop: every document once, the same after a stop, checkpoints, Ctrl-C, losses that end it."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest

from eclare_py.errors import TrainingError
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.epochs import Epochs
from eclare_py.train.events import EventLog

N, SIZE = 11, 3


class Run:
    """A stage that notes what it was asked to do."""

    def __init__(self, cursor: Cursor | None = None, *, seconds: float = 1e9, poison: int = -1) -> None:
        self.cursor, self.seen, self.saved, self.events = cursor or Cursor("toy"), [], [], []
        self.poison = poison
        self.frame = Epochs(
            "toy", 2, N, SIZE, 5, self.cursor, EventLog(None, self.hear), step=self.step, save=self.save,
            lower="toy.rate", checkpoint_seconds=seconds, begin=lambda: self.events.append("begin"),
            after=lambda: self.events.append("after"),
        )  # fmt: skip

    def step(self, documents: np.ndarray, step: int) -> float:
        chance = self.frame.random(step).random(), self.frame.torch_seed(step)
        self.seen.append((self.cursor.epoch, step, documents.tolist(), *chance))
        return float("nan") if len(self.seen) == self.poison else 2.0

    def save(self) -> None:
        self.saved.append((self.cursor.epoch, self.cursor.step))

    def hear(self, event: str, values: dict[str, Any]) -> None:
        if event != "step":
            self.events.append((event, values.get("loss", values.get("steps"))))


def test_an_epoch_has_every_document_once_in_equal_batches() -> None:
    run = Run()
    run.frame.run()
    for epoch in (0, 1):
        batches = [documents for of, _, documents, *_ in run.seen if of == epoch]
        assert sorted(sum(batches, [])) == list(range(N)) and {len(batch) for batch in batches} == {2, 3}
        assert all(batch == sorted(batch) for batch in batches)
    assert [one[2] for one in run.seen[:4]] != [one[2] for one in run.seen[4:]]
    assert len({one[3] for one in run.seen}) == len({one[4] for one in run.seen}) == 8
    assert run.events == [("stage", 4), "begin", ("epoch", 2.0), "after", "begin", ("epoch", 2.0), "after"]
    assert (run.cursor.epoch, run.cursor.step) == (2, 0) and not run.saved


def test_from_a_cursor_it_goes_on_with_the_same_steps() -> None:
    whole, rest = Run(), Run(Cursor("toy", 1, 2))
    whole.frame.run(), rest.frame.run()
    assert rest.seen == whole.seen[6:]
    assert Run(Cursor("toy", 1, 2)).frame.progress == 0.75


def test_checkpoints_come_as_often_as_asked() -> None:
    run = Run(seconds=0)
    run.frame.run()
    assert run.saved == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]


def test_the_end_is_a_checkpoint_where_wanted() -> None:
    run = Run()
    run.frame.save_end = True
    run.frame.run()
    assert run.saved == [(2, 0)]


def test_some_documents_take_the_places_of_all() -> None:
    all_of_them, some = Run(), Run()
    some.frame.documents = 10 * np.arange(N)
    all_of_them.frame.run(), some.frame.run()
    assert [one[2] for one in some.seen] == [[10 * row for row in one[2]] for one in all_of_them.seen]


def test_a_loss_that_is_no_number_ends_it() -> None:
    run = Run(seconds=0, poison=6)
    with pytest.raises(TrainingError, match=r"loss became nan in stage toy, epoch 2, step 2: lower toy\.rate"):
        run.frame.run()
    assert run.saved[-1] == (1, 1)


def test_ctrl_c_waits_for_the_step_and_leaves_a_checkpoint() -> None:
    run, step = Run(), Run.step

    def pressed(documents: np.ndarray, number: int) -> float:
        if len(run.seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return step(run, documents, number)

    run.frame.step = pressed
    with pytest.raises(KeyboardInterrupt):
        run.frame.run()
    assert len(run.seen) == 6 and run.saved == [(1, 2)]
