"""The local engine: one model in this process, shard after shard."""

from __future__ import annotations

from collections.abc import Iterator

from eclare_py.engines.job import Job
from eclare_py.engines.work import ShardDone, answer_shard, load_answers


def answer_locally(job: Job) -> Iterator[ShardDone]:
    """Do what is pending of a job.

    Raises:
        DataError: A row at fault; what was finished before stays.
        ModelError: The model is damaged.
    """
    pending = job.pending()
    if not pending:
        return
    answers = load_answers(job)
    for shard in pending:
        yield answer_shard(answers, shard, job.format)
