"""The engine ray on a real cluster of two workers, with a worker and a driver killed."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.engines.answers import AnswerSettings
from eclare_py.engines.job import Job, open_job
from eclare_py.engines.local import answer_locally
from eclare_py.engines.ray_data import Cluster, ShardWorker, answer_with_ray
from eclare_py.errors import UsageError
from tests.tiny import ROOT

SHARDS, ROWS = 12, 1000
LIMIT = 300  # seconds after which something hangs: workers take a minute to start on a busy machine
TOKEN = secrets.token_hex(32)  # of the cluster of this test


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    script = Path(__file__).with_name("ray_cluster.py")
    running = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert running.stdin is not None and running.stdout is not None
    yield running.stdout.readline().strip()
    running.stdin.close()
    assert running.wait(timeout=LIMIT) == 0


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@pytest.fixture
def source(tiny: Any, tmp_path: Path) -> Path:
    folder, texts = tmp_path / "in", tiny.folder.test.texts
    folder.mkdir()
    for shard in range(SHARDS):
        lines = [f"{texts[(shard + row) % len(texts)]} {row}\n" for row in range(ROWS + shard)]
        (folder / f"{shard:02}.txt").write_text("".join(lines))
    return folder


def start(model: Path, source: Path, output: Path, address: str) -> subprocess.Popen[str]:
    call = ("predict", model, "--input", source, "--output", output, "--engine", "ray", "--address", address)
    return subprocess.Popen(
        [sys.executable, "-m", "eclare_py.cli", *map(str, call)], stderr=subprocess.PIPE, text=True, env=environment()
    )


def finished(output: Path) -> dict[str, int]:
    """Finished shards and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in output.glob("*.jsonl")}


def wait_for_work(running: subprocess.Popen[str], output: Path) -> int:
    """Until a shard is done and others are being written; the process id of a worker at it."""
    limit = time.monotonic() + LIMIT
    while time.monotonic() < limit and running.poll() is None:
        writing = list(output.glob(".*.part-*"))
        if writing and 0 < len(finished(output)) < SHARDS - 2:
            return int(writing[0].name.split("-")[-2])
        time.sleep(0.002)
    raise AssertionError(f"no work was seen: {running.poll()}")


def answers_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "_job.json"}


def expected(model: Path, source: Path, output: Path) -> dict[str, bytes]:
    with open_job(str(source), model, output, AnswerSettings()) as job:
        assert [done.rows for done in answer_locally(job)] == [ROWS + shard for shard in range(SHARDS)]
    return answers_of(output)


def test_a_killed_worker_loses_and_doubles_nothing(tiny: Any, source: Path, cluster: str, tmp_path: Path) -> None:
    running = start(tiny.model, source, tmp_path / "out", cluster)
    worker = wait_for_work(running, tmp_path / "out")
    os.kill(worker, signal.SIGKILL)
    assert len(finished(tmp_path / "out")) < SHARDS
    _, said = running.communicate(timeout=LIMIT)
    assert running.returncode == 0, said
    assert f"{SHARDS * ROWS + sum(range(SHARDS)):,} texts ranked" in said
    assert answers_of(tmp_path / "out") == expected(tiny.model, source, tmp_path / "local")


def test_a_killed_driver_goes_on_where_it_was(tiny: Any, source: Path, cluster: str, tmp_path: Path) -> None:
    running = start(tiny.model, source, tmp_path / "out", cluster)
    wait_for_work(running, tmp_path / "out")
    running.kill()
    running.communicate()
    before = finished(tmp_path / "out")
    assert 0 < len(before) < SHARDS
    again = start(tiny.model, source, tmp_path / "out", cluster)
    _, said = again.communicate(timeout=LIMIT)
    assert again.returncode == 0 and "shards were answered before" in said, said
    assert before.items() <= finished(tmp_path / "out").items()
    assert answers_of(tmp_path / "out") == expected(tiny.model, source, tmp_path / "local")


def test_a_bad_row_ends_the_call_and_is_named(tiny: Any, cluster: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"text": "good"}\n{"text": 3}\n')
    running = start(tiny.model, tmp_path / "in", tmp_path / "out", cluster)
    _, said = running.communicate(timeout=LIMIT)
    assert running.returncode == 1
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"error: {tmp_path}/in/a.jsonl:2: text is 3: it must be a string"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1", "127.0.0.1:99999"])
def test_no_cluster_is_told_at_once(address: str, tiny: Any, source: Path, tmp_path: Path) -> None:
    with open_job(str(source), tiny.model, tmp_path / "out", AnswerSettings()) as job:
        with pytest.raises(UsageError, match="no Ray cluster answers at"):
            next(answer_with_ray(job, Cluster(address)))


def worker_answer(job: Job) -> dict[str, Any]:
    row = ShardWorker(job, list(job.shards))({"place": np.array([0])})
    return {name: value for name, [value] in row.items()}


def test_a_worker_tells_what_is_wrong_with_its_model(tiny: Any, source: Path, tmp_path: Path) -> None:
    with open_job(str(source), tiny.model, tmp_path / "out", AnswerSettings()) as job:
        object.__setattr__(job, "digest", "0" * 64)
        said = worker_answer(job)
    assert said["kind"] == "ModelError" and "is not the model that this job was started with" in said["error"]


def test_a_shard_that_kills_its_workers_is_given_up(tiny: Any, source: Path, tmp_path: Path) -> None:
    with open_job(str(source), tiny.model, tmp_path / "out", AnswerSettings()) as job:
        for number in range(4):
            (tmp_path / "out" / f".00.jsonl.part-host-{number}-abc").touch()
        assert worker_answer(job)["rows"] == ROWS
        (tmp_path / "out" / ".00.jsonl.part-host-4-abc").touch()
        said = worker_answer(job)
    assert said["error"] == f"{source}/00.txt: 5 workers died over this shard: make it smaller"
