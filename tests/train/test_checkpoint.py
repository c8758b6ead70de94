import json

import numpy as np
import pytest
import torch

from eclare_py.errors import ModelError, TrainingError
from eclare_py.train import checkpoint
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.train.events import EventLog


def point_of(negatives=True):
    generator = torch.Generator().manual_seed(0)
    return Checkpoint(
        Cursor("ranker", 1, 7),
        {"seed": 3, "training": {"rate": 0.1, "sizes": [1, 2]}, "limit": None},
        "abc",
        {"weight": torch.randn(3, 5, generator=generator), "scale": torch.tensor(2.5)},
        {"0/step": torch.tensor(4.0), "0/exp_avg": torch.randn(5, generator=generator)},
        np.array([[1, -1], [0, 4]]) if negatives else None,
        {"stage": "ranker", "epoch": 1, "recall_at_50": 1 / 3},
        {"weight": torch.randn(3, 5, generator=generator)},
    )


@pytest.mark.parametrize("negatives", [True, False])
def test_round_trip_is_bitwise(tmp_path, negatives):
    point, folder = point_of(negatives), tmp_path / "checkpoint"
    assert checkpoint.load(folder) is None
    checkpoint.save(folder, point)
    again = checkpoint.load(folder)
    assert (again.cursor, again.recipe, again.data, again.best) == (point.cursor, point.recipe, point.data, point.best)
    for name in ("network", "optimizer", "best_network"):
        ours, theirs = getattr(point, name), getattr(again, name)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) and ours[key].shape == theirs[key].shape for key in ours)
    if negatives:
        np.testing.assert_array_equal(again.negatives, point.negatives)
    else:
        assert again.negatives is None


def test_saving_again_replaces_and_a_half_done_swap_is_brought_back(tmp_path):
    point, folder = point_of(), tmp_path / "checkpoint"
    checkpoint.save(folder, point)
    point.cursor.step = 8
    checkpoint.save(folder, point)
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]
    folder.rename(tmp_path / "checkpoint.old-123")  # killed between the two renames of a swap
    assert checkpoint.load(folder).cursor.step == 8


def test_a_damaged_checkpoint_is_refused(tmp_path):
    folder = tmp_path / "checkpoint"
    checkpoint.save(folder, point_of())
    file = folder / "training.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="training.safetensors"):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 4}, "seed=3"),
        ({"training": {"rate": 0.2, "sizes": [1, 2]}}, "training.rate=0.1"),
        ({"x": 1}, "x=None"),
    ],
)
def test_another_recipe_is_refused_by_name(change, named):
    point = point_of()
    checkpoint.check_same(point, dict(point.recipe), "abc")
    with pytest.raises(TrainingError, match=named):
        checkpoint.check_same(point, {**point.recipe, **change}, "abc")


def test_other_documents_are_refused():
    point = point_of()
    with pytest.raises(TrainingError, match="other train documents"):
        checkpoint.check_same(point, point.recipe, "abd")


def test_events_are_json_lines_and_reach_the_listener(tmp_path):
    heard, path = [], tmp_path / "logs" / "events.jsonl"
    with pytest.raises(RuntimeError), EventLog(path, lambda event, values: heard.append((event, values))) as log:
        log("stage", name="surrogate")
        log("step", log=False, loss=0.5)
        raise RuntimeError("out of luck")
    with EventLog(path) as log:
        log("done", text="Käse")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["stage", "stopped", "done"]
    assert lines[1]["reason"] == "RuntimeError: out of luck" and all(line["seconds"] >= 0 for line in lines)
    assert [event for event, _ in heard] == ["stage", "step", "stopped"] and heard[1][1] == {"loss": 0.5}
