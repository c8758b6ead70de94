"""A cluster of four processes on this machine, started once."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 300  # seconds after which processes that do not answer are given up


class Cluster:
    """Processes that do the same task together."""

    def __init__(self, size):
        settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        tasks, answers = ([os.pipe() for _ in range(size)] for _ in range(2))
        theirs = [(one[0], other[1]) for one, other in zip(tasks, answers, strict=True)]
        words = [f"{one},{other}" for one, other in theirs]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.distributed.member", *words], cwd=ROOT, env=settings,
            pass_fds=sum(theirs, ()), start_new_session=True,
        )  # fmt: skip
        for one in sum(theirs, ()):
            os.close(one)
        self.tasks = [os.fdopen(one[1], "w") for one in tasks]
        self.told = [os.fdopen(one[0]) for one in answers]

    def start(self, world, task, **settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        line = json.dumps({"world": world, "port": port, "task": task, "settings": settings})
        for member in self.tasks[:world]:
            member.write(line + "\n")
            member.flush()

    def answers(self, world):
        found = []
        for member in self.told[:world]:
            assert select.select([member], [], [], LIMIT)[0], "the processes wait for each other"
            found.append(json.loads(member.readline()))
        return found

    def run(self, world, task, **settings):
        self.start(world, task, **settings)
        return self.answers(world)

    def close(self):
        for one in (*self.tasks, *self.told):
            one.close()
        try:
            self.process.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture(scope="package")
def cluster():
    made = Cluster(4)
    yield made
    made.close()


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
