"""`eclare predict`: texts from a file or stdin, ranked labels out, in chunks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from eclare_py import __version__
from eclare_py.cli.console import say
from eclare_py.cli.inputs import Row, read_rows
from eclare_py.cli.options import TailBoost
from eclare_py.cli.ranking_file import CHUNK, Done, chunks, pack, write_rankings
from eclare_py.errors import UsageError

if TYPE_CHECKING:
    from eclare_py.estimator import EclareClassifier
    from eclare_py.types import Ranking


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    input: Annotated[str, typer.Option("--input", help="File of texts (.gz too), or - for stdin.")] = "-",
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Labels per text.")] = 10,
    output: Annotated[str, typer.Option("--output", help="File to write, or - for stdout.")] = "-",
    format: Annotated[
        str, typer.Option("--format", help="jsonl, or npz: a scipy CSR (texts x labels) of scores.")
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
) -> None:  # fmt: skip
    """Rank the labels of every text.

    A line of the input is a text, or where the first line begins with a brace, a JSON object with "text" (or "title"
    and "content", as in data folders) and an optional "uid". A line of the output has the labels of one text, best
    first, as {"labels": [{"label": id, "text": ..., "score": 0 to 1}, ...]}, with the uid where one was given. The
    score is a probability that is lifted for rare labels (--tail-boost, or rank.tail_boost of the recipe; with 0 it is
    the probability itself).

    With --precision only labels stay that reach a threshold: of those that did on documents held out from training,
    this share or a little more was relevant. A text may be left without any. The thresholds depend on how frequent a
    label is, on --top-k and on --tail-boost.

    With --min-precision nothing is left out, but each line says "automate": true where the first label can go out
    without a person looking: of the held-out documents with such a score this share of first labels was relevant. All
    others are for a person.

    A FILE of the output appears when it is whole. A run that was killed goes on with the same call, behind the last
    texts that are safe in FILE.partial.

    \b
    echo "tool to edit audio tags" | eclare predict models/debian --top-k 5
    eclare predict models/debian --input texts.txt --output labels.jsonl
    eclare predict models/debian --input texts.txt --precision 0.9
    eclare predict models/debian --input texts.txt --min-precision 0.9
    eclare predict models/debian --input tst.json.gz --output scores.npz --format npz --top-k 100
    """
    if format not in ("jsonl", "npz"):
        raise UsageError(f"--format {format} is unknown: choose jsonl or npz")
    if format == "npz" and output == "-":
        raise UsageError("--format npz needs a file: give --output FILE.npz")
    if min_precision is not None and (format == "npz" or precision is not None):
        raise UsageError("--min-precision marks lines of jsonl, and leaves none out: drop --format npz and --precision")
    from eclare_py.estimator import EclareClassifier
    from eclare_py.persist import KIND
    from eclare_py.storage import read_manifest

    classifier = EclareClassifier.load(model, tail_boost=tail_boost)
    answer, mark = _answerer(classifier, top_k, precision), _marker(classifier, min_precision)
    encode = _encoder(classifier, answer, mark)
    if output == "-":
        done = _to_stream(sys.stdout.buffer, input, encode)
    elif format == "jsonl" and Path(output).exists() and not Path(output).is_file() and not Path(output).is_dir():
        with open(output, "wb") as stream:  # a pipe or a device is written to, not replaced
            done = _to_stream(stream, input, encode)
    else:
        job = {
            "model": read_manifest(model, KIND)["sha256"], "version": __version__, "format": format, "top_k": top_k,
            "precision": precision, "min_precision": min_precision, "tail_boost": tail_boost,
        }  # fmt: skip
        if format == "npz":
            done = write_rankings(
                Path(output), input, job, lambda chunk: (pack(answer(chunk), top_k), 0), n_labels=classifier.n_labels
            )
        else:
            done = write_rankings(Path(output), input, job, encode)
    if min_precision is not None:
        say(f"{done.marked:,} of {done.rows:,} texts can be automated, {done.rows - done.marked:,} are for a person")
    if output != "-":
        say(f"{done.rows:,} texts ranked; written to {output}")


def _to_stream(stream: IO[bytes], source: str, encode: Callable[[list[Row]], tuple[bytes, int]]) -> Done:
    """Answer as the answers come; a person at the keyboard gets each one at once."""
    done, size = Done(), 1 if source == "-" and sys.stdin.isatty() else CHUNK
    for chunk in chunks(read_rows(source), size):
        lines, marked = encode(chunk)
        stream.write(lines)
        stream.flush()
        done = Done(done.rows + len(chunk), done.marked + marked)
    return done


def _encoder(
    classifier: EclareClassifier,
    answer: Callable[[list[Row]], Ranking],
    mark: Callable[[Ranking], list[bool] | None],
) -> Callable[[list[Row]], tuple[bytes, int]]:
    """Rows to their JSON lines, and how many of them are marked."""

    def encode(chunk: list[Row]) -> tuple[bytes, int]:
        ranking = answer(chunk)
        marks = mark(ranking)
        return "".join(_lines(classifier, chunk, ranking, marks)).encode(), sum(marks or ())

    return encode


def _answerer(classifier: EclareClassifier, top_k: int, precision: float | None) -> Callable[[list[Row]], Ranking]:
    """Rows to their ranking, less what is below the thresholds for a precision."""
    if precision is None:
        return lambda chunk: classifier.predict([row.text for row in chunk], top_k)
    from eclare_py.rank.selection import keep_above

    thresholds, frequencies = classifier.thresholds(precision, top_k), classifier.pipeline.frequencies
    if thresholds is None:
        say(f"no threshold reached a precision of {precision} on the held-out documents: nothing is kept")
    return lambda chunk: keep_above(classifier.predict([row.text for row in chunk], top_k), thresholds, frequencies)


def _marker(classifier: EclareClassifier, precision: float | None) -> Callable[[Ranking], list[bool] | None]:
    """A ranking to the marks of its documents; to None where none are wanted."""
    if precision is None:
        return lambda ranking: None
    from eclare_py.rank.selection import automatable

    thresholds, frequencies = classifier.thresholds(precision, 1), classifier.pipeline.frequencies
    if thresholds is None:
        say(f"no threshold reached a precision of {precision} on the held-out documents: nothing is automated")
    return lambda ranking: automatable(ranking, thresholds, frequencies).tolist()


def _lines(
    classifier: EclareClassifier, chunk: list[Row], ranking: Ranking, marks: list[bool] | None
) -> Iterator[str]:
    """One JSON line for each row."""
    labels = classifier.pipeline.labels
    rows = zip(chunk, ranking.indices.tolist(), ranking.scores.tolist(), strict=True)
    for place, (row, found, scores) in enumerate(rows):
        entries = [
            {"label": labels.name(label), "text": labels.texts[label], "score": round(score, 6)}
            for label, score in zip(found, scores, strict=True)
            if label >= 0
        ]
        line: dict[str, Any] = {"labels": entries} if row.uid is None else {"uid": row.uid, "labels": entries}
        if marks is not None:
            line["automate"] = marks[place]
        yield json.dumps(line) + "\n"
