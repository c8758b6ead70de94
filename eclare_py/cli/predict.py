"""`eclare predict`: texts from a file or stdin, ranked labels out, in chunks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from eclare_py.cli.console import say
from eclare_py.cli.inputs import read_rows
from eclare_py.cli.options import Address, Engine, TailBoost, Workers
from eclare_py.cli.shards import automation, predict_shards
from eclare_py.engines.rows import CHUNK, Row, in_chunks
from eclare_py.engines.shards import is_shards
from eclare_py.errors import UsageError
from eclare_py.storage import atomic_file

if TYPE_CHECKING:
    from eclare_py.engines.answers import Answers, AnswerSettings
    from eclare_py.types import Ranking


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    input: Annotated[
        str, typer.Option("--input", help="File of texts (.gz, .parquet), folder or pattern of such, - for stdin.")
    ] = "-",
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Labels per text.")] = 10,
    output: Annotated[str, typer.Option("--output", help="File (of a folder: folder) to write, - for stdout.")] = "-",
    format: Annotated[
        str, typer.Option("--format", help="jsonl; npz: a scipy CSR (texts x labels) of scores; of shards parquet.")
    ] = "jsonl",
    precision: Annotated[
        float | None,
        typer.Option("--precision", min=0, max=1, show_default=False,
                     help="Keep only what reaches the thresholds for this precision, e.g. 0.9."),
    ] = None,
    min_precision: Annotated[
        float | None,
        typer.Option("--min-precision", min=0, max=1, show_default=False,
                     help="Mark the texts whose first label reaches the threshold for this precision, e.g. 0.9."),
    ] = None,
    tail_boost: TailBoost = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
) -> None:  # fmt: skip
    """Rank the labels of every text.

    A line of the input is a text, or where the first line begins with a brace, a JSON object with "text" (or "title"
    and "content", as in data folders) and an optional "uid"; these are also the columns of parquet. A line of the
    output has the labels of one text, best first, as {"labels": [{"label": id, "text": ..., "score": 0 to 1}, ...]},
    with the uid where one was given. The score is a probability that is lifted for rare labels (--tail-boost, or
    rank.tail_boost of the recipe; with 0 it is the probability itself).

    With --precision only labels stay that reach a threshold: of those that did on documents held out from training,
    this share or a little more was relevant. A text may be left without any. The thresholds depend on how frequent a
    label is, on --top-k and on --tail-boost.

    With --min-precision nothing is left out, but each line says "automate": true where the first label can go out
    without a person looking: of the held-out documents with such a score this share of first labels was relevant. All
    others are for a person.

    A folder or pattern of files (shards) becomes a folder with a file of answers for each. The same call goes on after
    a kill, and later takes the shards that are new. With --engine ray they are shared out to many workers; model and
    folders must have the same paths on all machines.

    \b
    echo "tool to edit audio tags" | eclare predict models/debian --top-k 5
    eclare predict models/debian --input texts.txt --output labels.jsonl
    eclare predict models/debian --input texts.txt --precision 0.9
    eclare predict models/debian --input tst.json.gz --output scores.npz --format npz --top-k 100
    eclare predict models/debian --input texts/ --output labels/
    eclare predict models/debian --input 'texts/*.parquet' --output labels/ --engine ray --address auto
    """
    from eclare_py.engines.answers import Answers, AnswerSettings

    settings = AnswerSettings(top_k, precision, min_precision, tail_boost)
    if is_shards(input):
        return predict_shards(input, model, output, settings, format, engine, address, workers)
    _check_call(output, format, engine, settings)
    answers = Answers.load(model, settings)
    for note in answers.notes:
        say(note)
    _answer_rows(answers, input, output, format)


def _check_call(output: str, format: str, engine: str, settings: AnswerSettings) -> None:
    if engine != "local":
        raise UsageError(f"--engine {engine} is for shards: give a folder or a pattern as --input")
    if format not in ("jsonl", "npz"):
        raise UsageError(f"--format {format} is unknown: choose jsonl or npz")
    if format == "npz" and output == "-":
        raise UsageError("--format npz needs a file: give --output FILE.npz")
    if settings.min_precision is not None and (format == "npz" or settings.precision is not None):
        raise UsageError("--min-precision marks lines of jsonl, and leaves none out: drop --format npz and --precision")


def _answer_rows(answers: Answers, input: str, output: str, format: str) -> None:
    """All rows of one file or of stdin."""
    from eclare_py.engines.answers import as_line

    rows = read_rows(input)
    size = 1 if input == "-" and sys.stdin.isatty() else CHUNK  # a person at the keyboard waits for every answer
    count = marked = 0
    if format == "npz":
        count = _write_npz(answers.rank, rows, answers.classifier.n_labels, Path(output))
    else:
        with _open(output) as stream:
            for chunk in in_chunks(rows, size):
                records = answers.records(chunk)
                stream.writelines(map(as_line, records))
                stream.flush()
                count, marked = count + len(chunk), marked + sum(one.get("automate", False) for one in records)
    if answers.settings.min_precision is not None:
        say(automation(marked, count))
    if output != "-":
        say(f"{count:,} texts ranked; written to {output}")


@contextmanager
def _open(output: str) -> Iterator[IO[Any]]:
    if output == "-":
        yield sys.stdout
    else:
        with atomic_file(output) as handle:
            yield handle


def _write_npz(answer: Callable[[list[Row]], Ranking], rows: Iterator[Row], n_labels: int, path: Path) -> int:
    """All scores as one CSR; the rankings are kept, the texts are not."""
    import scipy.sparse as sp

    parts = [answer(chunk).to_csr(n_labels) for chunk in in_chunks(rows)]
    matrix = sp.vstack(parts, format="csr") if parts else sp.csr_array((0, n_labels), dtype="float32")
    write_npz(path, matrix)
    return int(matrix.shape[0])


def write_npz(path: Path, matrix: Any) -> None:
    """Save a CSR as scipy does, atomically and under the very name that was asked for."""
    import scipy.sparse as sp

    with atomic_file(path, "wb") as handle:
        sp.save_npz(handle, matrix)
