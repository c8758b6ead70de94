"""Kills at points all over a build, a training, a save and a prediction; two processes at one output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eclare_py.storage import read_json
from tests.integration.command import eclare, error_of
from tests.tiny import HOLD, ROOT, python

SCRIPTS = ROOT / "experiments"
sys.path.insert(0, str(SCRIPTS))  # the scripts are no package

from crash.campaign import chosen, spread  # noqa: E402

POINTS, FULL = 12, 2


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the script found; it works in a process of its own, as it forks."""
    folder = tmp_path_factory.mktemp("kills")
    words = ["--points", str(POINTS), "--full", str(FULL), "--verbs", "build", "train", "save", "predict"]
    done = python(str(SCRIPTS / "kill_points.py"), *words, "--trials", str(folder / "found.json"), cwd=folder)
    assert done.returncode in (0, 1), done.stderr[-3000:]
    found: list[dict[str, Any]] = read_json(folder / "found.json")
    return found


@pytest.mark.parametrize("verb", ["build", "train", "save", "predict"])
def test_a_kill_at_any_point_loses_nothing(verb: str, campaign: list[dict[str, Any]]) -> None:
    trials = [one for one in campaign if one["verb"] == verb and one["kind"] == "point"]
    assert len(trials) == POINTS and all(one["happened"] for one in trials)
    assert not [one for one in trials if one["found"] == "broken" or not one["allowed"]]
    assert not [one for one in trials if not one["equal"]]
    assert not [one for one in trials if one["litter"]]
    assert {one["found"] for one in trials} == {"absent", "old", "new"}
    if verb in ("train", "predict"):  # the others are over in seconds and begin anew
        assert sum(one["went_on"] for one in trials) >= POINTS // 2


@pytest.mark.parametrize("verb", ["build", "train", "save", "predict"])
def test_a_full_disk_keeps_the_old_output_and_is_told_by_name(verb: str, campaign: list[dict[str, Any]]) -> None:
    trials = [one for one in campaign if one["verb"] == verb and one["kind"] in ("full", "quota")]
    assert len(trials) == 2 * FULL
    assert not [one for one in trials if not one["happened"]]  # code 1 or 2, a line that names a file, no traceback
    assert not [one for one in trials if not one["allowed"] or not one["equal"] or one["litter"]]
    assert any(one["found"] == "old" for one in trials)


def test_points_of_all_kinds_are_chosen() -> None:
    points = ["open", *["row"] * 40, "sync", "move", "move"]
    assert chosen(points, 4) == [1, 2, 42, 43]
    assert chosen(points, 5) == [1, 2, 41, 43, 44]  # six with two of each name, less one in the middle
    assert chosen(points, 99) == list(range(1, 45))
    assert spread(3, 9) == [1, 5, 9] and spread(0, 9) == [] and spread(1, 9) == [1] and spread(9, 2) == [1, 2]


@pytest.mark.parametrize("verb", ["predict", "build", "import", "group"])
def test_two_processes_at_one_output_are_refused(verb: str, tiny: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out"
    source.write_text('{"text": "a b", "labels": ["x"]}\n{"text": "c d", "labels": ["x"]}\n')
    words = {
        "predict": ["predict", tiny.model, "--input", source, "--output", out],
        "build": ["data", "build", "synthetic", "--out", out, "--set", "labels=20", "--set", "documents=60"],
        "import": ["data", "import", source, "--out", out],
        "group": ["data", "group", tiny.data, "--out", out],
    }[verb]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline()
        said = error_of(eclare(*words, code=2))
        assert said == f"{out} is being written by process {holder.pid}: wait for it, or choose another place"
    finally:
        holder.kill()
        holder.communicate()
    assert not out.exists() and (tmp_path / "out.lock").exists()
    eclare(*words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out"]
