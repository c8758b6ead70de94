"""`eclare predict` of many files: the engines, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eclare_py.cli.console import say
from eclare_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eclare_py.engines.answers import AnswerSettings
    from eclare_py.engines.job import Job
    from eclare_py.engines.work import ShardDone

ENGINES = ("local", "ray")
_TOLD = 20  # lines of progress, about


def predict_shards(
    source: str,
    model: Path,
    output: str,
    settings: AnswerSettings,
    format: str,
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
) -> None:
    """Answer all shards of a folder or pattern that are not answered yet, and say how it goes.

    Raises:
        UsageError: Options that do not go together.
    """
    if engine not in ENGINES:
        raise UsageError(f"--engine {engine} is unknown: choose {' or '.join(ENGINES)}")
    if engine == "local" and (address is not None or workers is not None):
        raise UsageError("--address and --workers are of a Ray cluster: add --engine ray")
    if output == "-":
        raise UsageError("the answers of shards need a folder: give --output FOLDER")
    if settings.min_precision is not None and settings.precision is not None:
        raise UsageError("--min-precision marks answers and leaves none out: drop --precision")
    from eclare_py.engines.job import open_job

    with open_job(source, model, Path(output), settings, format) as job:
        finished = len(job.shards) - len(job.pending())
        if finished:
            say(f"{finished:,} of {len(job.shards):,} shards were answered before")
        rows, automated = _follow(_engine(job, engine, address, workers), finished, len(job.shards))
    if settings.min_precision is not None:
        say(automation(automated, rows))
    say(f"{rows:,} texts ranked; {len(job.shards):,} shards are answered in {output}")


def automation(marked: int, count: int) -> str:
    """What --min-precision came to."""
    return f"{marked:,} of {count:,} texts can be automated, {count - marked:,} are for a person"


def _engine(job: Job, engine: str, address: str | None, workers: int | None) -> Iterator[ShardDone]:
    if engine == "local":
        from eclare_py.engines.local import answer_locally

        return answer_locally(job)
    from eclare_py.engines.ray_data import Cluster, answer_with_ray

    return answer_with_ray(job, Cluster(address, workers))


def _follow(done: Iterator[ShardDone], finished: int, total: int) -> tuple[int, int]:
    """Run an engine to its end; rows and automated rows of this call."""
    rows = automated = 0
    notes: set[str] = set()
    step = max(1, total // _TOLD)
    for number, one in enumerate(done, start=finished + 1):
        rows, automated = rows + one.rows, automated + one.automated
        for note in sorted(set(one.notes) - notes):
            say(note)
        notes.update(one.notes)
        if number % step == 0 or number == total:
            say(f"shard {number:,} of {total:,}: {rows:,} texts")
    return rows, automated
