from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eclare_py.engines.answers import AnswerSettings
from eclare_py.engines.job import NAME, open_job
from eclare_py.engines.work import load_answers
from eclare_py.errors import ModelError, UsageError
from tests.tiny import HOLD, ROOT

SETTINGS = AnswerSettings(top_k=3)


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "in" / name).write_text("words\n")
    return str(tmp_path / "in")


def test_a_job_goes_on_where_it_was(tiny: Any, source: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with open_job(source, tiny.model, output, SETTINGS) as job:
        assert [one.source.name for one in job.pending()] == ["a.txt", "b.txt"]
        job.shards[0].target.write_text("answers")
        (output / ".b.jsonl.part-host-1-abc").write_text("half of them")
    with open_job(source, tiny.model, output, SETTINGS) as job:
        assert [one.source.name for one in job.pending()] == ["b.txt"]
        assert sorted(path.name for path in output.iterdir()) == [NAME, "a.jsonl"]


def test_answers_of_two_jobs_are_not_mixed(tiny: Any, source: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with open_job(source, tiny.model, output, SETTINGS):
        pass
    with pytest.raises(UsageError, match="holds answers with another top_k: give a new folder"):
        with open_job(source, tiny.model, output, AnswerSettings(top_k=4)):
            pass
    there = json.loads((output / NAME).read_text())
    (output / NAME).write_text(json.dumps({**there, "model": "0" * 64}))
    with pytest.raises(UsageError, match="another format, model"):
        with open_job(source, tiny.model, output, SETTINGS, "parquet"):
            pass


def test_a_folder_with_something_else_is_refused(tiny: Any, source: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match=r"out is not empty \(thesis.txt\)"):
        with open_job(source, tiny.model, tmp_path / "out", SETTINGS):
            pass
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_two_calls_on_one_folder_are_kept_apart(tiny: Any, source: str, tmp_path: Path) -> None:
    call = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None and other.stdout.readline()
        with pytest.raises(UsageError, match=f"out is being written by process {other.pid}"):
            with open_job(source, tiny.model, tmp_path / "out", SETTINGS):
                pass
        other.communicate()
    with open_job(source, tiny.model, tmp_path / "out", SETTINGS) as job:
        assert len(job.pending()) == 2


def test_no_model_and_another_model(tiny: Any, source: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere is no model folder"):
        with open_job(source, tmp_path / "nowhere", tmp_path / "out", SETTINGS):
            pass
    assert not (tmp_path / "out").exists()
    with open_job(source, tiny.model, tmp_path / "out", SETTINGS) as job:
        object.__setattr__(job, "digest", "0" * 64)
        with pytest.raises(ModelError, match="is not the model that this job was started with"):
            load_answers(job)
