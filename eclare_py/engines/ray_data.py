"""The Ray engine: a Ray Data pipeline of shard names over a pool of actors, each with the model loaded once.

Ray's own readers and writers are not used. They cut files into blocks that have no name, so that a second call could
not tell which are done; here a shard is one item of the pipeline and one file of answers. What Ray does: it places the
actors, hands out the shards, starts an actor again that was killed and gives its shards out again.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numba
from threadpoolctl import threadpool_limits

from eclare_py import errors
from eclare_py.engines.job import Job
from eclare_py.engines.shards import Shard
from eclare_py.engines.work import ShardDone, answer_shard, load_answers
from eclare_py.engines.writers import partials
from eclare_py.errors import EclareError, UsageError

_PATIENCE = 10.0  # seconds for a cluster to take a connection
_DEATHS = 5  # of workers over the same shard: it is most likely the shard that kills them


@dataclass(frozen=True)
class Cluster:
    """Where the workers are.

    Attributes:
        address: Of a running cluster as Ray writes it ("auto", "host:6379", "ray://host:10001"); None starts one on
            this machine for as long as the call takes.
        workers: Copies of the model; None takes one for every processor.
    """

    address: str | None = None
    workers: int | None = None


def answer_with_ray(job: Job, cluster: Cluster) -> Iterator[ShardDone]:
    """Do what is pending of a job. Model, shards and answers must have the same path on all machines.

    A Ray cluster runs what its members send each other: connect to one that you trust as you do this machine.

    Raises:
        DataError: A row at fault; what was finished before stays.
        ModelError: A worker has no model, or another one.
        UsageError: No Ray, no cluster, or no processor in it.
    """
    pending = job.pending()
    if not pending:
        return
    with _environment(cluster):
        ray = _connect(cluster)
        try:
            yield from _answer(ray, job, pending, cluster.workers)
        finally:
            ray.shutdown()


@contextmanager
def _environment(cluster: Cluster) -> Iterator[None]:
    """What Ray takes from the environment, for as long as the call takes.

    Ray's ports are open to other machines. A cluster of our own therefore gets a token that only its processes know;
    for a running one it is the caller who sets what that cluster asks for.
    """
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)} if cluster.address is None else {}
    before = dict(os.environ)
    os.environ.update({name: value for name, value in quiet.items() if name not in before} | token)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _connect(cluster: Cluster) -> Any:
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise UsageError("the engine ray needs Ray Data: pip install 'eclare_py[ray]'") from error
    if cluster.address is not None:
        _reach(cluster.address)
    own: dict[str, Any] = {"num_cpus": cluster.workers, "include_dashboard": False} if cluster.address is None else {}
    try:
        ray.init(address=cluster.address or "local", log_to_driver=False, logging_level="ERROR", **own)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
        where = "here" if cluster.address is None else f"at {cluster.address}"
        raise UsageError(f"no Ray cluster answers {where}: {str(error).strip().splitlines()[0]}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _reach(address: str) -> None:
    """Refuse at once what Ray would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # "auto" and the like
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster answers at {address}: {error}") from error


def _answer(ray: Any, job: Job, pending: list[Shard], workers: int | None) -> Iterator[ShardDone]:
    processors = int(ray.cluster_resources().get("CPU", 0))
    if processors < 1:
        raise UsageError("the cluster has no processor to give")
    size = min(workers or processors, processors, len(pending))
    pending = sorted(pending, key=lambda shard: -shard.source.stat().st_size)  # long ones first: all end together
    items = [{"place": place} for place in range(len(pending))]
    done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
        ShardWorker,
        batch_size=1,
        batch_format="numpy",
        fn_constructor_args=(job, pending),
        compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
    )
    for row in done.iter_rows():
        if row["error"]:
            raise getattr(errors, row["kind"])(row["error"])
        yield ShardDone(int(row["rows"]), int(row["automated"]), tuple(row["notes"].splitlines()))


class ShardWorker:
    """An actor of the pool. What is wrong with model or data comes back as a row, as Ray would take it for a crash."""

    def __init__(self, job: Job, shards: list[Shard]) -> None:
        self._job, self._shards = job, shards
        self._fault: EclareError | None = None
        numba.set_num_threads(1)  # the pool has as many workers as processors
        threadpool_limits(1)
        try:
            self._answers = load_answers(job)
        except EclareError as error:
            self._fault = error

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Answer one shard; one that was finished by a worker which died before it could say so is done again."""
        [place] = batch["place"].tolist()
        done, fault = ShardDone(0), self._fault
        if fault is None:
            try:
                done = self._answer(self._shards[place])
            except (EclareError, OSError) as error:
                fault = error if isinstance(error, EclareError) else EclareError(str(error))
        kind = "" if fault is None else type(fault).__name__
        row = {**asdict(done), "notes": "\n".join(done.notes), "kind": kind, "error": str(fault or "")}
        return {name: [value] for name, value in row.items()}

    def _answer(self, shard: Shard) -> ShardDone:
        # Ray tries without end. Each writer that was killed has left its temporary, which is how they are counted.
        if (deaths := len(partials(shard.target))) >= _DEATHS:
            raise EclareError(f"{shard.source}: {deaths} workers died over this shard: make it smaller")
        return answer_shard(self._answers, shard, self._job.format)
