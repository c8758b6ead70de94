"""What waits is ranked together, in bounds, and each gets its own part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from eclare_py.serve.worker import Busy, Worker
from eclare_py.types import Ranking


class Model:
    """Ranks each text as its own number, and holds until it may go on."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[str], int]] = []
        self.entered, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, texts: list[str], k: int) -> Ranking:
        self.batches.append((list(texts), k))
        self.entered.release()
        assert self.go.acquire(timeout=10)
        if "bad" in texts:
            raise ValueError("no")
        ids = np.array([[int(text)] * k for text in texts], dtype=np.int64)
        return Ranking(ids, ids.astype(np.float32))


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def worker(model: Model) -> Iterator[Worker]:
    one = Worker(model, queue=6, batch=4)
    one.start()
    yield one
    for _ in range(20):
        model.go.release()
    one.close()


def held(model: Model, worker: Worker) -> Future[Any]:
    """A job that keeps the thread until the model may go on."""
    first = worker.rank(["0"], 1)
    assert model.entered.acquire(timeout=10)
    return first


def test_jobs_that_wait_are_ranked_together_by_k(model: Model, worker: Worker) -> None:
    first = held(model, worker)
    others = [worker.rank(["1", "2"], 3), worker.rank(["3"], 2), worker.rank(["4"], 3), worker.rank(["5", "6"], 3)]
    for _ in range(4):
        model.go.release()
    rows = [one.result(10).indices[:, 0].tolist() for one in (first, *others)]
    assert rows == [[0], [1, 2], [3], [4], [5, 6]]
    # Of k = 3, the first three texts fit into a batch of 4; the last job waits until the one of k = 2 is done.
    assert model.batches == [(["0"], 1), (["1", "2", "4"], 3), (["3"], 2), (["5", "6"], 3)]


def test_a_full_queue_refuses(model: Model, worker: Worker) -> None:
    held(model, worker)
    kept = worker.rank(["1"] * 5, 1)
    with pytest.raises(Busy):
        worker.rank(["2", "2"], 1)
    last = worker.call(lambda: 7)
    with pytest.raises(Busy):
        worker.call(lambda: 8)
    assert worker.waiting == 6
    for _ in range(2):
        model.go.release()
    assert (len(kept.result(10)), last.result(10)) == (5, 7)


def test_a_job_given_up_is_not_run_and_gives_its_place_back(model: Model, worker: Worker) -> None:
    held(model, worker)
    assert worker.rank(["1"] * 6, 1).cancel()
    kept = worker.rank(["2"] * 6, 1)
    for _ in range(2):
        model.go.release()
    assert len(kept.result(10)) == 6
    assert model.batches == [(["0"], 1), (["2"] * 6, 1)]


def test_an_error_goes_to_those_who_asked_and_the_thread_goes_on(model: Model, worker: Worker) -> None:
    for _ in range(3):
        model.go.release()
    with pytest.raises(ValueError, match="no"):
        worker.rank(["bad"], 1).result(10)
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 / 0).result(10)
    assert worker.rank(["3"], 2).result(10).indices.tolist() == [[3, 3]]
    assert worker.rank([], 2).result(10).indices.shape == (0, 2)


def test_closing_gives_up_what_waits(model: Model) -> None:
    one = Worker(model, queue=6, batch=4)
    one.start()
    first = held(model, one)
    waiting = one.rank(["1"], 1)
    closing = threading.Thread(target=one.close)
    closing.start()
    model.go.release()
    closing.join(10)
    assert first.result(10).indices.tolist() == [[0]] and waiting.cancelled()
    with pytest.raises(Busy):
        one.rank(["2"], 1)
