"""Interrupted trainings: stopped by Ctrl-C or killed outright, then resumed to the very same model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eclare_py.cli.app import app
from eclare_py.cli.work import INTERRUPTED
from eclare_py.model.losses import decoupled_softmax
from eclare_py.recipes import recipes
from eclare_py.train.events import EventLog
from tests.tiny import HOLD, ROOT, arrays_of, python

# Runs `eclare train ...` and sends itself a signal at an event: argv = signal, event, stage, epoch, step, arguments.
STOP_AT = """
import os, signal, sys
from eclare_py.cli.progress import TrainingProgress
number, event, stage, epoch, step = sys.argv[1:6]
wanted = {"stage": stage, "epoch": int(epoch), "step": int(step)} if event == "step" else {"name": stage}
heard = TrainingProgress.__call__
def listen(self, name, values):
    heard(self, name, values)
    if name == event and all(values.get(key) == value for key, value in wanted.items()):
        os.kill(os.getpid(), getattr(signal, number))
TrainingProgress.__call__ = listen
sys.argv = ["eclare", *sys.argv[6:]]
from eclare_py.cli import main
main()
"""


@pytest.fixture(scope="module")
def reference(tiny: Any) -> dict[str, str]:
    """Arrays of the undisturbed run, made in the process of the tests."""
    return arrays_of(tiny.model)


def train(tiny: Any, out: Path, *more: str) -> list[str]:
    return ["train", str(tiny.recipe), "--data", str(tiny.data), "--out", str(out), "--device", "cpu", *more]


def resume(tiny: Any, out: Path, *more: str) -> str:
    result = CliRunner().invoke(app, train(tiny, out, "--resume", *more))
    assert result.exit_code == 0, result.output
    return result.stderr


def test_ctrl_c_leaves_a_checkpoint_and_resuming_gives_the_same_model(
    tiny: Any, reference: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "model"
    stopped = python(
        "-c", STOP_AT, "SIGINT", "step", "ranker", "1", "2", *train(tiny, out), cwd=tmp_path, PYTHONHASHSEED="0"
    )
    assert stopped.returncode == INTERRUPTED, stopped.stderr
    said = stopped.stderr.splitlines()
    assert "Traceback" not in stopped.stderr
    assert said[-2] == f"interrupted; the checkpoint is in {out}.train. Go on with:"
    assert said[-1].split()[:2] == ["eclare", "train"] and said[-1].endswith("--resume")
    assert [path.name for path in tmp_path.iterdir()] == ["model.train"]
    # The advice is followed word by word, by another process with other hashes.
    done = python("-m", "eclare_py.cli", *said[-1].split()[1:], cwd=tmp_path, PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    assert "resumed in stage ranker, epoch 1, after step 2" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert arrays_of(out) == reference


@pytest.mark.parametrize(
    ("place", "spooled", "resumed"),
    [
        (("step", "surrogate", "2", "3"), False, "resumed in stage surrogate, epoch 2, after step 2"),
        (("stage", "index", "0", "0"), True, "resumed in stage ranker, epoch 3, after step 0"),
    ],
)
def test_a_killed_run_is_resumed_to_the_same_model(
    place: tuple[str, ...], spooled: bool, resumed: str, tiny: Any, reference: dict[str, str], tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    out, spool = tmp_path / "model", tmp_path_factory.mktemp("spool")
    more = ("--spool", str(spool)) if spooled else ()
    killed = python("-c", STOP_AT, "SIGKILL", *place, *train(tiny, out, *more), cwd=tmp_path)
    assert killed.returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.lock", "model.train"]
    assert list(spool.iterdir()) == []
    assert resumed in resume(tiny, out, *more)
    assert arrays_of(out) == reference
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert sum(one["event"] == "done" for one in events) == 1


def test_interrupt_before_the_first_checkpoint(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eclare_py.train.fit.prepare", stop)
    result = CliRunner().invoke(app, train(tiny, tmp_path / "model"))
    assert result.exit_code == INTERRUPTED
    assert result.stderr.splitlines()[-1] == "interrupted before the first checkpoint; nothing was written"
    assert list(tmp_path.iterdir()) == []


def interrupted_run(tiny: Any, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that breaks off at the index, with its checkpoint behind it."""

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("eclare_py.estimator.EclareClassifier.save", stop)
        result = CliRunner().invoke(app, train(tiny, out))
    assert result.exit_code == INTERRUPTED
    assert Path(f"{out}.train", "checkpoint").is_dir()


def test_resume_checks_what_it_goes_on_with(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "model"
    interrupted_run(tiny, out, monkeypatch)
    other = CliRunner().invoke(app, train(tiny, out, "--resume", "--set", "document.dim=32"))
    assert other.exit_code == 1
    assert "document.dim=16, the recipe says 32" in other.stderr
    assert not out.exists()
    damaged = Path(f"{out}.train", "checkpoint", "training.json")
    good = damaged.read_bytes()
    damaged.write_bytes(good[:-1])
    broken = CliRunner().invoke(app, train(tiny, out, "--resume"))
    assert broken.exit_code == 1 and "training.json" in broken.stderr
    damaged.write_bytes(good)
    anew = CliRunner().invoke(app, train(tiny, out, "--no-resume"))
    assert anew.exit_code == 0 and "training starts anew" in anew.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_same_call_goes_on_by_itself_and_another_one_does_not(
    tiny: Any, reference: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    interrupted_run(tiny, out, monkeypatch)
    # What a killed save leaves in the working folder is no stranger there, and does not stay.
    for name in ("checkpoint.tmp-999999999", "imputation.tmp-999999999", "checkpoint.lock", "call.json.tmp-999999999"):
        Path(f"{out}.train", name).touch()
    same = CliRunner().invoke(app, train(tiny, out))
    assert same.exit_code == 0 and f"going on with the interrupted run in {out}.train" in same.stderr
    assert "resumed in stage ranker" in same.stderr and arrays_of(out) == reference
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    interrupted_run(tiny, out, monkeypatch)
    (tmp_path / "model.train.tmp-999999999").mkdir()  # of a run that was killed while it cleaned up
    manifest = Path(f"{out}.train", "checkpoint", "manifest.json")
    before = manifest.read_bytes()
    other = CliRunner().invoke(app, train(tiny, out, "--set", "seed=1"))
    assert other.exit_code == 2 and "an interrupted run of another call (seed was 0, now it is 1)" in other.stderr
    assert "--resume" in other.stderr and "--no-resume" in other.stderr
    assert manifest.read_bytes() == before  # nothing is given up unasked
    other = CliRunner().invoke(app, train(tiny, out, "--set", "seed=1", "--no-resume"))
    assert other.exit_code == 0 and "training starts anew" in other.stderr and "resumed" not in other.stderr
    assert arrays_of(out) != reference and [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_run_without_a_checkpoint_is_no_obstacle(tiny: Any, reference: dict[str, str], tmp_path: Path) -> None:
    work = tmp_path / "model.train"
    for content in ('{"recipe": {}}', "{"):  # of another call, or killed while it was written
        work.mkdir()
        (work / "call.json").write_text(content)
        (work / "checkpoint.lock").touch()
        done = CliRunner().invoke(app, train(tiny, tmp_path / "model"))
        assert done.exit_code == 0 and "training starts anew" in done.stderr
    assert arrays_of(tmp_path / "model") == reference


@pytest.mark.parametrize("key", ["data", "version"])
def test_another_call_is_told_by_what_differs(
    key: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    interrupted_run(tiny, out, monkeypatch)
    path = Path(f"{out}.train", "call.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: "0.0"}))
    refused = CliRunner().invoke(app, train(tiny, out))
    assert refused.exit_code == 2
    assert {"data": "(other data)", "version": "(version was '0.0', now it is '"}[key] in refused.stderr
    assert "resumed in stage ranker" in resume(tiny, out)  # insisted on: the checkpoint itself fits


def test_two_trainings_of_one_model_are_refused(tiny: Any, tmp_path: Path) -> None:
    out = tmp_path / "model"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline()
        refused = CliRunner().invoke(app, train(tiny, out))
        assert refused.exit_code == 2 and f"being written by process {holder.pid}" in refused.stderr
    finally:
        holder.communicate(b"")
    assert list(tmp_path.iterdir()) == []


def test_half_a_line_in_the_log_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "a"}\n{"eve')
    with EventLog(path) as log:
        log("b")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_resume_without_a_checkpoint_is_refused(tiny: Any, tmp_path: Path) -> None:
    for there in (False, True):
        if there:
            (tmp_path / "model.train").mkdir()
            (tmp_path / "model.train" / "call.json").write_text("{}")
        result = CliRunner().invoke(app, train(tiny, tmp_path / "model", "--resume"))
        assert result.exit_code == 2
        assert f"no checkpoint in {tmp_path}/model.train to go on from: leave out --resume" in result.stderr
    assert not (tmp_path / "model").exists()


def test_a_restart_by_torchrun_goes_on_with_what_it_finds(
    tiny: Any, reference: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first start, which began anew, was lost before or after its first checkpoint."""
    out = tmp_path / "model"
    interrupted_run(tiny, out, monkeypatch)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    again = CliRunner().invoke(app, train(tiny, out, "--no-resume"))
    assert again.exit_code == 0 and "resumed in stage ranker" in again.stderr
    shutil.rmtree(out)
    assert CliRunner().invoke(app, train(tiny, out)).exit_code == 0
    assert arrays_of(out) == reference


def test_help_names_every_recipe() -> None:
    said = CliRunner().invoke(app, ["train", "--help"]).output
    assert len(recipes()) > 9 and not [name for name in recipes() if name not in said]


def test_files_of_others_beside_the_model_are_left_alone(tiny: Any, tmp_path: Path) -> None:
    work = tmp_path / "model.train"
    work.mkdir()
    (work / "thesis.txt").write_text("mine")
    result = CliRunner().invoke(app, train(tiny, tmp_path / "model"))
    assert result.exit_code == 2 and "thesis.txt" in result.stderr
    assert (work / "thesis.txt").read_text() == "mine"


def test_a_file_where_the_run_has_its_folder_is_named(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "model.train").write_text("a log of my own\n")
    result = CliRunner().invoke(app, train(tiny, tmp_path / "model"))
    assert result.exit_code == 2 and "model.train is a file: move it away" in " ".join(result.stderr.split())
    assert (tmp_path / "model.train").read_text() == "a log of my own\n"


def test_a_loss_that_is_not_finite_stops_with_a_reason(
    tiny: Any, reference: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, steps = tmp_path / "model", []
    shutil.copytree(tiny.model, out)

    def poisoned(*values: Any) -> Any:
        steps.append(1)
        return decoupled_softmax(*values) * (float("nan") if len(steps) == 5 else 1)

    with monkeypatch.context() as patch:
        patch.setattr("eclare_py.train.objective.decoupled_softmax", poisoned)
        result = CliRunner().invoke(app, train(tiny, out))
    assert (result.exit_code, len(steps)) == (1, 5)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("error: the loss became") and "training.table_rate" in last
    assert arrays_of(out) == arrays_of(tiny.model)  # the old model is what it was
    work = Path(f"{out}.train")
    events = [json.loads(line) for line in (work / "events.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "stopped" and "the loss became" in events[-1]["reason"]
    assert "after step 4" in resume(tiny, out)  # the last good checkpoint was kept
    assert arrays_of(out) == reference


def test_another_seed_gives_another_model(tiny: Any, reference: dict[str, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, train(tiny, tmp_path / "model", "--set", "seed=1"))
    assert result.exit_code == 0
    other = arrays_of(tmp_path / "model")
    assert other.keys() == reference.keys()
    assert other["encoder.safetensors"] != reference["encoder.safetensors"]
