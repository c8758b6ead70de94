"""A cluster of four processes on this machine, started once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


class Cluster:
    """Processes that do the same task together."""

    def __init__(self, size):
        settings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        self.members = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.distributed.member", str(rank)], cwd=ROOT, env=settings, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for rank in range(size)
        ]  # fmt: skip

    def start(self, world, task, **settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for member in self.members[:world]:
            member.stdin.write(json.dumps({"world": world, "port": port, "task": task, "settings": settings}) + "\n")
            member.stdin.flush()

    def answers(self, world):
        return [json.loads(member.stdout.readline()) for member in self.members[:world]]

    def run(self, world, task, **settings):
        self.start(world, task, **settings)
        return self.answers(world)

    def close(self):
        for member in self.members:
            member.stdin.close()
        for member in self.members:
            member.wait(timeout=30)


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
