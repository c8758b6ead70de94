"""Which files are the shards of a job, and where the answers of each go."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eclare_py.data.importing.tables import DELIMITERS, JSON, PARQUET
from eclare_py.errors import DataError, UsageError

_LINES = (*JSON, ".txt", *DELIMITERS)
_READABLE = f"{', '.join(_LINES)} (each maybe .gz) or .parquet"


@dataclass(frozen=True)
class Shard:
    """A file of rows and the file of their answers."""

    source: Path
    target: Path

    def finished(self) -> bool:
        """Whether the answers are there and not older than the rows."""
        try:
            return self.target.stat().st_mtime_ns >= self.source.stat().st_mtime_ns
        except FileNotFoundError:
            return False


def is_shards(source: str) -> bool:
    """Whether an input means many files: a folder, or a pattern that is no file itself."""
    path = Path(source)
    return path.is_dir() or (glob.has_magic(source) and not path.exists())


def find_shards(source: str, output: Path, format: str) -> list[Shard]:
    """The shards of a folder or pattern, by name.

    Folders in it are entered and their names kept; names that begin with a dot or an underscore are left out, as other
    programs do.

    Args:
        source: A folder, or a pattern such as `in/*.parquet` or `in/**/*.jsonl.gz`.
        output: The folder of the answers.
        format: The suffix of the answers.

    Raises:
        DataError: There are none.
        UsageError: A file that cannot be read, two with one name for their answers, or answers amid the rows.
    """
    root = _root(source)
    found = root.rglob("*") if Path(source).is_dir() else map(Path, glob.glob(source, recursive=True))
    sources = sorted(_visible(found, root))
    if not sources:
        raise DataError("no file is there to be read", path=source)
    if output.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"--output {output} is inside of the input {root}: the answers would be read as rows")
    shards: dict[Path, Shard] = {}
    for path in sources:
        target = output / path.relative_to(root).with_name(f"{_stem(path)}.{format}")
        if target in shards:
            raise UsageError(f"{path} and {shards[target].source} would have the same answers {target}: rename one")
        shards[target] = Shard(path, target)
    return list(shards.values())


def _root(source: str) -> Path:
    """The folder that the names of shards are relative to: of a pattern all before its first part with magic."""
    path = Path(source)
    if path.is_dir():
        return path
    fixed: list[str] = []
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _visible(found: Iterable[Path], root: Path) -> set[Path]:
    return {
        path
        for path in found
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
    }


def _stem(path: Path) -> str:
    """The name without what says the format.

    Raises:
        UsageError: Nothing that can be read.
    """
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    suffix = plain.suffix.lower()
    if suffix not in _LINES and (suffix not in PARQUET or path.suffix == ".gz"):
        raise UsageError(f"{path} is no shard that can be read: name it {_READABLE}, or choose shards by a pattern")
    return plain.stem
