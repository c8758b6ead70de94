import os
import signal

import numpy as np
import pytest
import torch

from eclare_py.errors import TrainingError
from eclare_py.model.network import EclareNetwork, LabelSide
from eclare_py.train import loop, objective
from eclare_py.train.batches import BatchSource
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.loop import StageRun, run_stage
from eclare_py.train.optimizer import Rates
from eclare_py.train.prepare import prepare


class Stage:
    """One surrogate stage on the tiny data, with a snapshot of all parameters after every step."""

    def __init__(self, dataset, recipe, *, checkpoint_seconds=1e9, on_step=None, epochs=2):
        data = prepare(dataset, recipe, folder=None)
        side = LabelSide(data.label_inputs, data.graph, data.frequencies)
        self.network = EclareNetwork(side, recipe.document, recipe.label)
        self.optimizer = torch.optim.Adam(self.network.dense_parameters(), 1e-3)
        self.cursor, self.saved, self.snapshots, self.epochs = Cursor("surrogate"), [], [], []
        self.on_step = on_step
        source = BatchSource(data.train.labels, data.train.filter_pairs, batch_size=16, seed=0, stage="surrogate")
        self.stage = StageRun(
            "surrogate", epochs, Rates(0.05, 0.01, 1e-3), source, data.inputs, self.cursor,
            save=lambda: self.saved.append((self.cursor.epoch, self.cursor.step)), after_epoch=self.epochs.append,
            checkpoint_seconds=checkpoint_seconds,
        )  # fmt: skip

    def hear(self, event, values):
        if event == "step":
            self.snapshots.append({name: value.clone() for name, value in self.network.state_dict().items()})
            if self.on_step is not None:
                self.on_step(len(self.snapshots))

    def run(self):
        run_stage(self.network, self.optimizer, self.stage, EventLog(None, self.hear))


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_a_stage_runs_all_epochs_and_learns(dataset, recipe_of):
    stage = Stage(dataset, recipe_of())
    stage.run()
    assert stage.epochs == [1, 2] and len(stage.snapshots) == 2 * stage.stage.source.steps == 8
    assert (stage.cursor.epoch, stage.cursor.step) == (2, 0) and not stage.saved
    first, last = stage.snapshots[0], stage.snapshots[-1]
    assert not torch.equal(first["bag.weight"], last["bag.weight"])
    assert not torch.equal(first["log_scale"], last["log_scale"])
    assert torch.all(last["label_encoder.free.weight"] == 0) and torch.all(last["label_encoder.bias"] == 0)


def test_nan_stops_at_once_with_a_reason_and_leaves_the_parameters(dataset, recipe_of, monkeypatch):
    stage, original = Stage(dataset, recipe_of(), checkpoint_seconds=0), objective.decoupled_softmax

    def poisoned(*args):
        return original(*args) * (float("nan") if len(stage.snapshots) == 5 else 1.0)

    monkeypatch.setattr(objective, "decoupled_softmax", poisoned)
    with pytest.raises(TrainingError, match="loss became nan in stage surrogate, epoch 2, step 2"):
        stage.run()
    assert len(stage.snapshots) == 5 and same(stage.network.state_dict(), stage.snapshots[-1])
    assert not any(bag.notes for bag in stage.network.bags())
    assert stage.saved[-1] == (1, 1)


def test_ctrl_c_waits_for_the_step_and_leaves_a_checkpoint(dataset, recipe_of):
    before = signal.getsignal(signal.SIGINT)
    stage = Stage(
        dataset, recipe_of(), on_step=lambda count: os.kill(os.getpid(), signal.SIGINT) if count == 6 else None
    )
    with pytest.raises(KeyboardInterrupt):
        stage.run()
    assert len(stage.snapshots) == 6 and stage.saved == [(1, 2)]
    assert same(stage.network.state_dict(), stage.snapshots[-1])
    assert signal.getsignal(signal.SIGINT) is before


def test_checkpoints_come_as_often_as_asked(dataset, recipe_of):
    stage = Stage(dataset, recipe_of(), checkpoint_seconds=0)
    stage.run()
    assert stage.saved == [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]


def test_going_on_from_a_cursor_equals_the_straight_run(dataset, recipe_of):
    straight, resumed = Stage(dataset, recipe_of()), Stage(dataset, recipe_of())
    straight.run()
    # The step that was done is repeated on the second network, then its stage goes on from the cursor.
    _, batch = next(iter(resumed.stage.source.epoch(0)))
    loop._step(resumed.network, resumed.optimizer, resumed.stage, 0, batch)
    torch.manual_seed(12345)
    resumed.cursor.step = 1
    resumed.network.train()
    resumed.run()
    assert same(straight.network.state_dict(), resumed.network.state_dict())


def test_dropout_of_a_step_does_not_depend_on_what_ran_before(dataset, recipe_of):
    losses = []
    for noise in (0, 1):
        stage = Stage(dataset, recipe_of())
        stage.network.train()
        torch.manual_seed(noise)
        np.random.default_rng(noise)
        _, batch = next(iter(stage.stage.source.epoch(0)))
        losses.append(loop._step(stage.network, stage.optimizer, stage.stage, 0, batch))
    assert losses[0] == losses[1]
