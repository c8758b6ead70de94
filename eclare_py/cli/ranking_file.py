"""Rankings of many texts as a file, chunk by chunk; a killed run is gone on with behind its last chunk that is safe."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from eclare_py.cli.console import say
from eclare_py.cli.inputs import is_stream, read_rows
from eclare_py.data.importing.columns import names_of
from eclare_py.engines.rows import CHUNK, Row, in_chunks
from eclare_py.storage import atomic_file, growing_file
from eclare_py.types import PADDING, Csr, Ranking

if TYPE_CHECKING:
    from eclare_py.storage import GrowingFile

SECONDS = 1.0  # between two moments at which what was ranked is made safe
_CELL = np.dtype([("label", "<i4"), ("score", "<f4")])  # of a ranking on its way into a npz file


@dataclass(frozen=True)
class Done:
    """How far a file is: texts ranked, those of them that are marked, and a checksum of the texts."""

    rows: int = 0
    marked: int = 0
    texts: str = ""


def write_rankings(
    path: Path, source: str, job: dict[str, Any], encode: Callable[[list[Row]], tuple[bytes, int]], *,
    n_labels: int | None = None,
) -> Done:  # fmt: skip
    """Rank all texts of a source into a file, which appears when it is whole.

    Chunks are of the same texts however often a run was killed, so the file is the same byte by byte.

    Args:
        path: The file.
        source: A file of texts, or "-" for stdin, which cannot be read twice: such a run begins anew after a kill.
        job: What else the answers depend on, as plain data: of another job nothing is gone on with. `text` names the
            columns of the text, `k` is the width of what `pack` was given.
        encode: Texts to the bytes of their answers and the number of those that are marked.
        n_labels: L, where the bytes are those of `pack`: the file is then a scipy CSR of (texts, L).

    Returns:
        What was written, by this run and those before it.
    """
    job = {**job, "input": source if source == "-" else os.path.abspath(source), "chunk": CHUNK}
    convert = None if n_labels is None else partial(_unpack, path=path, k=job["k"], n_labels=n_labels)
    every = math.inf if is_stream(source) else SECONDS
    columns = names_of(job["text"])
    with growing_file(path, job, every=every, convert=convert) as growing:
        try:
            rows, done, digest = _begin(growing, source, columns)
            for chunk in in_chunks(rows, CHUNK):
                piece, marked = encode(chunk)
                _read(digest, chunk)
                done = Done(done.rows + len(chunk), done.marked + marked, digest.hexdigest())
                growing.add(piece, asdict(done))
        except BaseException:
            if growing.notes:
                say(f"{growing.notes['rows']:,} texts are ranked and kept in {growing.partial}: the same call goes on")
            raise
    return done


def _begin(growing: GrowingFile, source: str, columns: list[str]) -> tuple[Iterator[Row], Done, Any]:
    """The rows to rank, what is done of them, and the checksum so far."""
    done, rows, digest = Done(**growing.notes), read_rows(source, columns), hashlib.sha256()
    seen = 0
    for chunk in in_chunks(islice(rows, done.rows), CHUNK):
        _read(digest, chunk)
        seen += len(chunk)
    if done.rows and (seen, digest.hexdigest()) != (done.rows, done.texts):
        growing.restart()
        done, rows, digest = Done(), read_rows(source, columns), hashlib.sha256()
    if growing.dropped:
        say(f"an interrupted run into {growing.target} was of other texts, settings or models: ranking starts anew")
    elif done.rows:
        say(f"{done.rows:,} texts were ranked before; going on behind them")
    return rows, done, digest


def _read(digest: Any, rows: list[Row]) -> None:
    for row in rows:
        digest.update(repr((row.uid, row.text)).encode())


def pack(ranking: Ranking, k: int) -> bytes:
    """A (B, k) ranking as k cells a row; where it is narrower, it is padded."""
    cells = np.empty((len(ranking), k), dtype=_CELL)
    cells["label"], cells["score"] = PADDING, -np.inf
    width = ranking.indices.shape[1]
    cells["label"][:, :width], cells["score"][:, :width] = ranking.indices, ranking.scores
    return cells.tobytes()


def _unpack(packed: Path, *, path: Path, k: int, n_labels: int) -> None:
    """Packed rankings as a npz file."""
    cells: npt.NDArray[Any] = np.fromfile(packed, dtype=_CELL).reshape(-1, k)
    write_npz(path, Ranking(cells["label"].astype(np.int64), cells["score"].astype(np.float32)).to_csr(n_labels))


def write_npz(path: Path, matrix: Csr) -> None:
    """Save a CSR as scipy does, atomically and under the very name that was asked for."""
    import scipy.sparse as sp

    with atomic_file(path, "wb") as handle:
        sp.save_npz(handle, matrix)
