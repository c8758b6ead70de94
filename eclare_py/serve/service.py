"""Between the routes and the model: waiting with a deadline, and answers as plain data."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from eclare_py.errors import EclareError
from eclare_py.rank.explain import Explanation, Neighbour
from eclare_py.serve.engine import Engine, LabelCard
from eclare_py.serve.metrics import Metrics
from eclare_py.serve.problems import Refusal, busy, not_ready
from eclare_py.serve.settings import Settings
from eclare_py.serve.worker import Busy, Worker
from eclare_py.types import Ranking

if TYPE_CHECKING:
    from eclare_py.metrics.bin_thresholds import BinThresholds

T = TypeVar("T")
log = logging.getLogger("eclare_py.serve")


class Service:
    """A model in its thread.

    Args:
        engine: The model.
        settings: Limits and names.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine, self.settings = engine, settings
        self.metrics = Metrics(lambda: self.worker.waiting)
        limits = settings.limits
        self.worker = Worker(
            engine.rank, queue=limits.queue, batch=limits.batch, begun=self._begin, ranked=self.metrics.ranked
        )
        self._warmed: Future[None] | None = None

    def start(self) -> None:
        """Start the thread and warm it up."""
        self.worker.start()
        self._warmed = self.worker.call(self.engine.warm)
        self._warmed.add_done_callback(_tell_failure)

    def close(self) -> None:
        """Stop the thread."""
        self.worker.close()

    @property
    def ready(self) -> bool:
        """Whether requests are answered."""
        return self._warmed is not None and self._warmed.done() and self._warmed.exception() is None

    def _begin(self) -> None:
        import numba

        # The loops of small batches are short: more threads wait for each other, and for the one that speaks HTTP.
        numba.set_num_threads(min(self.settings.threads, numba.config.NUMBA_NUM_THREADS))

    def deadline(self) -> float:
        """Until when a request that begins now may take, by the clock of the event loop."""
        return asyncio.get_running_loop().time() + self.settings.limits.timeout

    async def rank(self, texts: list[str], k: int, until: float) -> Ranking:
        """Rank texts in turn with those of other requests."""
        return await self._wait(lambda: self.worker.rank(texts, k), until)

    async def call(self, function: Callable[[], T], until: float) -> T:
        """Run something else in the thread of the model."""
        return await self._wait(lambda: self.worker.call(function), until)

    async def thresholds(self, precision: float, k: int, until: float) -> BinThresholds | None:
        """Least scores for a precision: no turn is waited for where they are kept."""
        try:
            return self.engine.known_thresholds(precision, k)
        except KeyError:
            return await self.call(lambda: self.engine.thresholds(precision, k), until)

    async def _wait(self, submit: Callable[[], Future[T]], until: float) -> T:
        """The result of a job.

        Raises:
            Refusal: 503 before the model is ready or after the deadline, 429 where the queue is full, 422 for what
                the model refuses.
        """
        if not self.ready:
            raise not_ready()
        try:
            future = submit()
        except Busy:
            raise busy("too many texts are waiting; try again soon") from None
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Refusal(503, f"no answer within {self.settings.limits.timeout:g} s; send fewer texts") from None
        except EclareError as error:
            raise Refusal(422, str(error)) from error

    def rows(self, ranking: Ranking, least: float = 0.0) -> list[list[tuple[int, float]]]:
        """A ranking as rows and scores of the labels of each text, padding and what is below a score left out."""
        # Rounded first, so that a score which was given keeps its label when it is asked for as the least.
        scored = np.round(ranking.scores.astype(np.float64), 6).tolist()
        return [
            [(label, score) for label, score in zip(labels, scores, strict=True) if label >= 0 and score >= least]
            for labels, scores in zip(ranking.indices.tolist(), scored, strict=True)
        ]

    def label(self, row: int) -> dict[str, Any]:
        """Names and frequency of a label."""
        labels = self.engine.labels
        return {"label": labels.name(row), "text": labels.texts[row], "frequency": int(self.engine.frequencies[row])}

    def find(self, name: str) -> int:
        """The row of a label.

        Raises:
            Refusal: 404 where there is none.
        """
        row = self.engine.find(name)
        if row is None:
            raise Refusal(404, "there is no label with this id or text")
        return row

    def explanation(self, found: Explanation) -> dict[str, Any]:
        """An explanation as plain data."""
        return {
            **self.label(found.label),
            "score": found.probability,
            "rank": found.rank,
            "note": "" if found.probability is not None else "not among the candidates of this text: never returned",
            "candidates": found.candidates,
            "dense": found.dense,
            "shares": dataclasses.asdict(found.split),
            "evidence": found.evidence,
            "supporters": [self._neighbour(one) for one in found.supporters],
            "neighbours": [self._neighbour(one) for one in found.neighbours],
            "documents": [{"name": name, "value": cosine} for name, cosine in found.documents],
            "terms": [{"name": term, "value": loss} for term, loss in found.terms],
        }

    def _neighbour(self, one: Neighbour) -> dict[str, Any]:
        return {**self.label(one.label), "weight": one.weight, "score": one.probability}

    def card(self, card: LabelCard) -> dict[str, Any]:
        """A label and what is around it as plain data."""
        around = card.around
        edges = zip(around.ends.tolist(), around.weights.tolist(), strict=True)
        listed = [{"ends": ends, "weight": weight} for ends, weight in edges]
        own = {one["ends"][1]: one["weight"] for one in listed if one["ends"][0] == 0}
        others = enumerate(around.labels.tolist()[1:], start=1)
        return {
            **self.label(card.row),
            "around": [{**self.label(row), "weight": own.get(place)} for place, row in others],
            "near": int((around.hops == 1).sum()),
            "edges": listed,
            "left_out": around.left_out,
            "documents": card.documents,
        }


def _tell_failure(warmed: Future[None]) -> None:
    if not warmed.cancelled() and (error := warmed.exception()) is not None:
        log.error("the model cannot answer, /readyz stays at 503: %s: %s", type(error).__name__, error)
