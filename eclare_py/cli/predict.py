"""`eclare predict`: texts from a file or stdin, ranked labels out, in chunks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from eclare_py import __version__
from eclare_py.cli.console import say
from eclare_py.cli.inputs import as_they_come, is_stream, read_rows
from eclare_py.cli.options import Address, Columns, Engine, TailBoost, Workers
from eclare_py.cli.ranking_file import Done, pack, write_rankings
from eclare_py.cli.shards import automation, predict_shards
from eclare_py.data.importing.columns import names_of
from eclare_py.engines.rows import CHUNK, Row, in_chunks
from eclare_py.engines.shards import is_shards
from eclare_py.errors import UsageError

if TYPE_CHECKING:
    from eclare_py.engines.answers import Answers, AnswerSettings

# The streams of this program by other names: a file that they lead to is written on, not replaced.
_STANDARD = ("/dev/stdin", "/dev/stdout", "/dev/fd/0", "/dev/fd/1")


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    input: Annotated[
        str, typer.Option("--input", help="Texts: file (.gz, .csv, .parquet), folder or pattern of such, - for stdin.")
    ] = "-",
    text: Columns = "",
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Labels per text.")] = 10,
    output: Annotated[str, typer.Option("--output", help="File (of a folder: folder) to write, - for stdout.")] = "-",
    format: Annotated[
        str | None,
        typer.Option("--format", show_default=False,
                     help="jsonl; npz: a scipy CSR (texts x labels) of scores; of shards parquet [by the name].")
    ] = None,
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
    and "content", as in data folders) and an optional "uid"; these are also the columns of parquet, and text and uid
    those of CSV and TSV. --text names others. A line of the output has the labels of one text, best first, as
    {"labels": [{"label": id, "text": ..., "score": 0 to 1}, ...]}, with the uid where one was given. The score is a
    probability that is lifted for rare labels (--tail-boost, or rank.tail_boost of the recipe; with 0 it is the
    probability itself).

    With --precision only labels stay that reach a threshold: of those that did on documents held out from training,
    this share or a little more was relevant. A text may be left without any. The thresholds depend on how frequent a
    label is, on --top-k and on --tail-boost.

    With --min-precision nothing is left out, but each line says "automate": true where the first label can go out
    without a person looking: of the held-out documents with such a score this share of first labels was relevant. All
    others are for a person.

    A FILE of the output appears when it is whole. A run that was killed goes on with the same call, behind the last
    texts that are safe in FILE.partial.

    A folder or pattern of files (shards) becomes a folder with a file of answers for each. The same call goes on after
    a kill, and later takes the shards that are new. With --engine ray they are shared out to many workers; model and
    folders must have the same paths on all machines.

    \b
    echo "tool to edit audio tags" | eclare predict models/debian --top-k 5
    eclare predict models/debian --input texts.txt --output labels.jsonl
    eclare predict models/debian --input products.csv --text title,description --output labels.jsonl
    eclare predict models/debian --input texts.txt --precision 0.9
    eclare predict models/debian --input tst.json.gz --output scores.npz --format npz --top-k 100
    eclare predict models/debian --input texts/ --output labels/
    eclare predict models/debian --input 'texts/*.parquet' --output labels/ --engine ray --address auto
    """
    from eclare_py.engines.answers import Answers, AnswerSettings

    settings = AnswerSettings(top_k, precision, min_precision, tail_boost, text)
    input, output = ("-" if one in _STANDARD else one for one in (input, output))
    if is_shards(input):
        return predict_shards(input, model, output, settings, format or "jsonl", engine, address, workers)
    format = format or ("npz" if output.endswith(".npz") else "jsonl")
    _check_call(input, output, format, engine, settings)
    answers = Answers.load(model, settings)
    for note in answers.notes:
        say(note)
    done = _answer(answers, model, input, output, format)
    if min_precision is not None:
        say(automation(done.marked, done.rows))
    if output != "-":
        say(f"{done.rows:,} texts ranked; written to {output}")


def _check_call(input: str, output: str, format: str, engine: str, settings: AnswerSettings) -> None:
    if Path(input).is_file() and Path(output).is_file() and Path(output).samefile(input):
        raise UsageError(f"--output {output} is the input itself: the answers would replace the texts")
    if engine != "local":
        raise UsageError(f"--engine {engine} is for shards: give a folder or a pattern as --input")
    if format not in ("jsonl", "npz"):
        raise UsageError(f"--format {format} is unknown: choose jsonl or npz")
    if format == "npz" and output == "-":
        raise UsageError("--format npz needs a file: give --output FILE.npz")
    if settings.min_precision is not None and (format == "npz" or settings.precision is not None):
        raise UsageError("--min-precision marks lines of jsonl, and leaves none out: drop --format npz and --precision")


def _answer(answers: Answers, model: Path, input: str, output: str, format: str) -> Done:
    """Answer all rows of one file or of stdin."""
    from eclare_py.engines.answers import as_line
    from eclare_py.persist import KIND
    from eclare_py.storage import read_manifest

    def lines(chunk: list[Row]) -> tuple[bytes, int]:
        records = answers.records(chunk)
        return "".join(map(as_line, records)).encode(), sum(one.get("automate", False) for one in records)

    columns = names_of(answers.settings.text)
    if output == "-":
        return _to_stream(sys.stdout.buffer, input, columns, lines)
    if format == "jsonl" and Path(output).exists() and not Path(output).is_file() and not Path(output).is_dir():
        with open(output, "wb") as stream:  # a pipe or a device is written to, not replaced
            return _to_stream(stream, input, columns, lines)
    k = min(answers.settings.top_k, answers.classifier.n_labels)
    job = {
        "model": read_manifest(model, KIND)["sha256"], "version": __version__, "format": format, "k": k,
        **asdict(answers.settings),
    }  # fmt: skip
    if format == "jsonl":
        return write_rankings(Path(output), input, job, lines)
    return write_rankings(
        Path(output), input, job, lambda chunk: (pack(answers.rank(chunk), k), 0),
        n_labels=answers.classifier.n_labels,
    )  # fmt: skip


def _to_stream(
    stream: IO[bytes], source: str, columns: list[str], encode: Callable[[list[Row]], tuple[bytes, int]]
) -> Done:
    """Answer as the texts come; of a stream each at once where no others are there."""
    done, rows = Done(), read_rows(source, columns)
    for chunk in as_they_come(rows, CHUNK) if is_stream(source) else in_chunks(rows, CHUNK):
        lines, marked = encode(chunk)
        stream.write(lines)
        stream.flush()
        done = Done(done.rows + len(chunk), done.marked + marked)
    return done
