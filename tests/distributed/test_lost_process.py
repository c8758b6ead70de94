"""A process is killed in mid-training: torchrun starts all anew, and the model is what it would have been."""

from __future__ import annotations

import json

import pytest

from tests.tiny import arrays_of, build_folder, python, write_recipe

# `eclare ...`, in which process 1 kills itself at its seventh step, unless it was started anew.
KILL_ONCE = """
import os, signal, sys
from eclare_py.cli import main
from eclare_py.train.shared.crew import Crew
total, steps = Crew.total, []
def count(self, loss):
    steps.append(1)
    if os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and len(steps) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return total(self, loss)
Crew.total = count
main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lost")
    build_folder(folder / "data")
    write_recipe(folder)
    (folder / "kill_once.py").write_text(KILL_ONCE)
    return folder


def test_a_killed_process_and_a_restart_give_the_same_model(cluster, place):
    files = {"recipe": str(place / "tiny.yaml"), "data": str(place / "data"), "out": str(place / "calm")}
    answers = cluster.run(2, "model", **files)
    assert answers == [{"has_model": True}, {"has_model": False}]
    done = python(
        "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1", "--standalone",
        "kill_once.py", "train", "tiny.yaml", "--data", "data", "--out", "lost", "--device", "cpu", cwd=place,
        OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "resumed in stage surrogate, epoch 2, after step 1" in done.stderr
    assert done.stderr.count("model written to lost") == 1
    assert arrays_of(place / "lost") == arrays_of(place / "calm")
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == ["calm", "data", "lost"]
    events = [json.loads(line)["event"] for line in (place / "lost" / "events.jsonl").read_text().splitlines()]
    assert events.count("start") == 2 and events.count("done") == 1
