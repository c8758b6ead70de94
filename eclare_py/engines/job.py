"""A folder of answers that is filled shard by shard, by one call or by several after each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eclare_py.engines.answers import AnswerSettings
from eclare_py.engines.shards import Shard, find_shards
from eclare_py.engines.writers import FORMATS, remove_partials
from eclare_py.errors import ModelError, UsageError
from eclare_py.storage import MANIFEST, exclusive, read_json, write_json

NAME = "_job.json"  # programs that read folders of shards pass over names that begin so


@dataclass(frozen=True)
class Job:
    """What is to be done to every shard, as plain data that can be sent to another machine.

    Attributes:
        model: The model folder, absolute.
        digest: SHA-256 of its manifest: workers make sure that they have the same model.
        settings: What is asked of every row.
        format: "jsonl" or "parquet".
        shards: All shards, by name.
    """

    model: Path
    digest: str
    settings: AnswerSettings
    format: str
    shards: tuple[Shard, ...]

    def pending(self) -> list[Shard]:
        """The shards whose answers are still to be made."""
        return [shard for shard in self.shards if not shard.finished()]


@contextmanager
def open_job(source: str, model: Path, output: Path, settings: AnswerSettings, format: str = "jsonl") -> Iterator[Job]:
    """Start a job, or go on with it, and keep others from its folder meanwhile.

    The folder says in `_job.json` what its answers are of, so that those of two models or settings are never mixed.

    Args:
        source: A folder of shards, or a pattern.
        model: The model folder.
        output: The folder of the answers, new or of the same job.
        settings: What is asked of every row.
        format: "jsonl" or "parquet".

    Raises:
        DataError: No shards.
        ModelError: No model.
        UsageError: The folder is in use, has other things in it, or answers of another job.
    """
    if format not in FORMATS:
        raise UsageError(f"format {format} is unknown: choose {' or '.join(FORMATS)}")
    digest = model_digest(model)
    shards = find_shards(source, output, format)
    shards = [Shard(one.source.resolve(), one.target.resolve()) for one in shards]
    output.mkdir(parents=True, exist_ok=True)
    with exclusive(output):
        _check_folder(output, {"model": digest, "format": format, **asdict(settings)})
        remove_partials(output)
        yield Job(model.resolve(), digest, settings, format, tuple(shards))
        remove_partials(output)


def model_digest(model: Path) -> str:
    """SHA-256 of the manifest of a model folder, which itself has those of all files.

    Raises:
        ModelError: There is none.
    """
    try:
        return hashlib.sha256((model / MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{model} is no model folder ({error.strerror or error})") from error


def _check_folder(output: Path, wanted: dict[str, Any]) -> None:
    """Refuse a folder with something else in it; mark a new one."""
    path = output / NAME
    if not path.exists():
        strangers = [one.name for one in output.iterdir() if not one.name.startswith(".")]
        if strangers:
            raise UsageError(f"{output} is not empty ({strangers[0]}), and no job that could go on: give a new folder")
        write_json(path, wanted)
        return
    there = read_json(path)
    there = {"text": ""} | there if isinstance(there, dict) else {}  # folders of earlier versions do not say
    different = sorted(key for key in wanted if there.get(key) != wanted[key])
    if different:
        raise UsageError(f"{output} holds answers with another {', '.join(different)}: give a new folder")
