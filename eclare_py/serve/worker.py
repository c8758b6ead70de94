"""The one thread that the model runs in: texts that wait are ranked together, behind a bounded queue."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eclare_py.types import Ranking

T = TypeVar("T")


class Busy(Exception):
    """The queue is full."""


@dataclass(eq=False)
class _Job:
    """Texts to rank (`call` is None), or something else to do."""

    texts: Sequence[str]
    k: int
    call: Callable[[], Any] | None
    future: Future[Any] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Places taken in the queue."""
        return max(len(self.texts), 1)


class Worker:
    """Runs jobs one after the other; ranking jobs of the same k that wait are ranked as one batch.

    One thread, as a batch costs less than its texts apart.

    Args:
        rank: (texts, k) -> Ranking.
        queue: Texts that may wait at most.
        batch: Texts ranked at once at most; a job that is larger is ranked alone.
        begun: Called first in the thread, before any job.
        ranked: Told the size of every batch.
    """

    def __init__(
        self,
        rank: Callable[[list[str], int], Ranking],
        *,
        queue: int,
        batch: int,
        begun: Callable[[], None] = lambda: None,
        ranked: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._rank, self._queue, self._batch = rank, queue, batch
        self._begun, self._ranked = begun, ranked
        self._jobs: deque[_Job] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="eclare-model", daemon=True)

    @property
    def waiting(self) -> int:
        """Texts in the queue."""
        return self._waiting

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def rank(self, texts: Sequence[str], k: int) -> Future[Ranking]:
        """Rank texts with others that wait.

        Raises:
            Busy: The queue has no room for them.
        """
        return self._add(_Job(texts, k, None))

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Run something else in the thread of the model.

        Raises:
            Busy: The queue is full.
        """
        return self._add(_Job((), 0, function))

    def close(self) -> None:
        """Give up what waits, finish what runs."""
        with self._changed:
            self._closed = True
            for job in self._jobs:
                job.future.cancel()
            self._jobs.clear()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _add(self, job: _Job) -> Future[Any]:
        with self._changed:
            # Given-up jobs give back their places; looked for only when it matters.
            if self._waiting + job.size > self._queue:
                self._jobs = deque(one for one in self._jobs if not one.future.cancelled())
                self._waiting = sum(one.size for one in self._jobs)
            if self._closed or self._waiting + job.size > self._queue:
                raise Busy
            self._jobs.append(job)
            self._waiting += job.size
            self._changed.notify()
        return job.future

    def _run(self) -> None:
        self._begun()
        while (jobs := self._take()) is not None:
            begun = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if not begun:
                continue
            try:
                results = self._do(begun)
            except Exception as error:  # whatever it is belongs to those who asked, and the thread goes on
                for job in begun:
                    job.future.set_exception(error)
                continue
            for job, result in zip(begun, results, strict=True):
                job.future.set_result(result)

    def _take(self) -> list[_Job] | None:
        """The oldest job with all that may be ranked with it, in order; waits for one; None when closed."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            if not self._jobs:
                return None
            first = self._jobs.popleft()
            taken, size, others = [first], first.size, deque[_Job]()
            if first.call is None:
                for job in self._jobs:
                    fits = job.call is None and job.k == first.k and size + job.size <= self._batch
                    (taken if fits else others).append(job)
                    size += job.size if fits else 0
                self._jobs = others
            self._waiting = sum(job.size for job in self._jobs)
            return taken

    def _do(self, jobs: list[_Job]) -> list[Any]:
        if jobs[0].call is not None:
            return [jobs[0].call()]
        texts = [text for job in jobs for text in job.texts]
        self._ranked(len(texts))
        found = self._rank(texts, jobs[0].k) if texts else Ranking.empty(0, jobs[0].k)
        results, start = [], 0
        for job in jobs:
            stop = start + len(job.texts)
            results.append(Ranking(found.indices[start:stop], found.scores[start:stop]))
            start = stop
        return results
