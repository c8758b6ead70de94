"""Counters of the server in Prometheus' text format (exposition format 0.0.4)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Counter:
    """A number that grows, one for each combination of label values."""

    def __init__(self, name: str, help: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.help, self.labels = name, help, labels
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        self._lock = threading.Lock()

    def add(self, *values: str, by: float = 1.0) -> None:
        """Grow."""
        with self._lock:
            self._values[values] = self._values.get(values, 0.0) + by

    def lines(self) -> Iterator[str]:
        """As text."""
        yield from _head(self.name, self.help, "counter")
        with self._lock:
            values = sorted(self._values.items())
        for names, value in values:
            yield f"{self.name}{_labels(self.labels, names)} {value:g}"


class Gauge:
    """A number read when it is asked for."""

    def __init__(self, name: str, help: str, read: Callable[[], float]) -> None:
        self.name, self.help, self._read = name, help, read

    def lines(self) -> Iterator[str]:
        """As text."""
        yield from _head(self.name, self.help, "gauge")
        yield f"{self.name} {self._read():g}"


class Histogram:
    """Counts of values by upper bound, one histogram for each combination of label values."""

    def __init__(self, name: str, help: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()) -> None:
        self.name, self.help, self.bounds, self.labels = name, help, bounds, labels
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *values: str) -> None:
        """Count a value."""
        with self._lock:
            counts = self._counts.setdefault(values, [0] * (len(self.bounds) + 1))
            counts[bisect_left(self.bounds, value)] += 1
            self._sums[values] = self._sums.get(values, 0.0) + value

    def lines(self) -> Iterator[str]:
        """As text."""
        yield from _head(self.name, self.help, "histogram")
        with self._lock:
            rows = [(names, list(counts), self._sums[names]) for names, counts in sorted(self._counts.items())]
        for names, counts, total in rows:
            below = 0
            for bound, count in zip((*(f"{one:g}" for one in self.bounds), "+Inf"), counts, strict=True):
                below += count
                yield f"{self.name}_bucket{_labels((*self.labels, 'le'), (*names, bound))} {below}"
            yield f"{self.name}_sum{_labels(self.labels, names)} {total:g}"
            yield f"{self.name}_count{_labels(self.labels, names)} {below}"


class Metrics:
    """All of the server. Routes are told by their pattern, so that clients cannot make up series.

    Args:
        waiting: Texts in the queue.
    """

    def __init__(self, waiting: Callable[[], float]) -> None:
        self.requests = Counter("eclare_requests_total", "Requests answered.", ("route", "status"))
        self.seconds = Histogram("eclare_request_seconds", "Time to the answer.", SECONDS, ("route",))
        self.batches = Histogram("eclare_batch_texts", "Texts ranked together.", SIZES)
        self.texts = Counter("eclare_texts_total", "Texts ranked.")
        self._waiting = Gauge("eclare_queue_texts", "Texts that wait for the model.", waiting)

    def ranked(self, size: int) -> None:
        """Count a batch."""
        self.batches.observe(size)
        self.texts.add(by=size)

    def render(self) -> str:
        """All lines."""
        parts = (self.requests, self.seconds, self.batches, self.texts, self._waiting)
        return "".join(f"{line}\n" for part in parts for line in part.lines())


def _head(name: str, help: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
