"""The work on one shard, the same in every engine."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from eclare_py.data.importing.columns import names_of
from eclare_py.engines.answers import Answers
from eclare_py.engines.job import Job, model_digest
from eclare_py.engines.rows import in_chunks, read_rows
from eclare_py.engines.shards import Shard
from eclare_py.engines.writers import shard_writer
from eclare_py.errors import ModelError


@dataclass(frozen=True)
class ShardDone:
    """What a shard came to.

    Attributes:
        rows: Rows read and answered.
        automated: Rows marked as fit for automation.
        notes: See `Answers.notes`.
    """

    rows: int
    automated: int = 0
    notes: tuple[str, ...] = ()


def answer_shard(answers: Answers, shard: Shard, format: str) -> ShardDone:
    """Answer the rows of a shard in their order; memory is that of a chunk.

    Raises:
        DataError: A row at fault; no answers are written then.
    """
    rows = automated = 0
    with shard_writer(shard.target, format) as write:
        for chunk in in_chunks(read_rows(shard.source, names_of(answers.settings.text))):
            records = answers.records(chunk)
            write(records)
            rows += len(records)
            automated += sum(record.get("automate", False) for record in records)
    return ShardDone(rows, automated, tuple(answers.notes))


def load_answers(job: Job) -> Answers:
    """The model of a job.

    Raises:
        ModelError: It is damaged, or not the one that the job was started with.
    """
    if model_digest(job.model) != job.digest:
        raise ModelError(f"{job.model} on {socket.gethostname()} is not the model that this job was started with")
    return Answers.load(job.model, job.settings)
