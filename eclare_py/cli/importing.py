"""`eclare data import`: tables of your own become a data folder, with a report of what was left out or changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from eclare_py.cli.console import say, show_json, show_table
from eclare_py.data.importing.columns import names_of
from eclare_py.errors import UsageError
from eclare_py.report.model import Table

_SHOWN = 90  # characters of an example
_ENOUGH = 40  # train documents that training asks for at least

LabelFile = Annotated[
    Path | None,
    typer.Option(
        "--label-file",
        help="All labels and their texts: a table, or a SKOS vocabulary (.ttl, .rdf, .nt).",
        show_default=False,
    ),
]
Tests = Annotated[
    list[Path] | None,
    typer.Option("--test", help="Tables for the test split; may be repeated.", show_default=False),
]
TestShare = Annotated[
    float | None,
    typer.Option(
        "--test-share",
        "--test-fraction",
        help="Share of the documents for the test split [0.2].",
        show_default=False,
    ),
]


def import_(
    files: Annotated[
        list[Path], typer.Argument(help=".csv, .tsv, .jsonl, .json or .parquet files.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="The data folder to write.", show_default=False)],
    text: Annotated[
        str, typer.Option("--text", "--text-column", help="Column of the text; of several (a,b) the texts are joined.")
    ] = "text",
    labels: Annotated[str, typer.Option("--labels", "--labels-column", help="Column of the labels.")] = "labels",
    separator: Annotated[str, typer.Option("--sep", "--separator", help="Between two labels in one cell.")] = ";",
    id_: Annotated[str | None, typer.Option("--id", help="Column of document ids.", show_default=False)] = None,
    label_file: LabelFile = None,
    label_id: Annotated[str, typer.Option(help="Column of the label file with the name the rows use.")] = "label",
    label_text: Annotated[str, typer.Option(help="Its column(s) with the label's text.")] = "text",
    language: Annotated[
        str | None, typer.Option(help="Of the texts of a SKOS vocabulary, e.g. en.", show_default=False)
    ] = None,
    alt_labels: Annotated[bool, typer.Option(help="SKOS: alternative labels are part of a label's text.")] = True,
    unknown_labels: Annotated[str, typer.Option(help="Labels that are not in the label file: drop or add.")] = "drop",
    min_count: Annotated[int, typer.Option(help="Leave out labels with fewer documents.")] = 0,
    keep_unlabelled: Annotated[bool, typer.Option("--keep-unlabelled", help="Keep rows without labels.")] = False,
    duplicates: Annotated[str, typer.Option(help="Rows with the same text: merge or keep.")] = "merge",
    test: Tests = None,
    test_share: TestShare = None,
    keep: Annotated[int, typer.Option("--keep-in-train", help="Documents of each label that stay in train.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed chooses other test documents.")] = 0,
    repair: Annotated[bool, typer.Option(help="Mend white space and encodings.")] = True,
    encoding: Annotated[
        str | None, typer.Option(help="Of text files, e.g. cp1252; found out where not given.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row or label to be left out.")] = False,
    max_rejected: Annotated[float, typer.Option(help="Share of rows left out that is an error.")] = 0.5,
    name: Annotated[str | None, typer.Option(help="Name of the data set.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="The report as plain JSON.")] = False,
) -> None:  # fmt: skip
    """Turn tables of your own into a checked data folder.

    What cannot be used is left out, texts are tidied, equal texts merged: all of it is counted by reason in the report,
    which is also OUT/import.json. The test split is chosen so that each label keeps documents in train.

    \b
    products.csv:  title,description,tags
                   Cordless drill,18 V with two batteries,tools|drills
    tickets.jsonl: {"text": "printer does not print", "labels": ["hardware", "printing"]}
    \b
    eclare data import products.csv --text title,description --labels tags --sep "|" --out data/products
    eclare data import tickets.jsonl --label-file labels.csv --out data/tickets
    eclare data import titles.tsv --label-file thesaurus.ttl --language en --out data/titles
    eclare data import train.jsonl --test test.jsonl --out data/tickets
    """
    from eclare_py.data.importing import import_table

    if test and test_share:
        raise UsageError("give --test or --test-share, not both")
    done = import_table(
        files, out, test=test or None, name=name, text=names_of(text), labels=labels, separator=separator, id=id_,
        label_file=label_file, label_id=label_id, label_text=names_of(label_text), language=language,
        alt_labels=alt_labels, unknown_labels=unknown_labels, min_count=min_count, unlabelled=keep_unlabelled,
        duplicates=duplicates, keep=keep, seed=seed, repair=repair, encoding=encoding, strict=strict,
        max_rejected=max_rejected, **({} if test_share is None else {"test_share": test_share}),
    )  # fmt: skip
    if json:
        show_json(dict(done.report))
    else:
        _show(done.report)
    for warning in done.warnings:
        say(str(warning))
    say(f"{done.train:,} train and {done.test:,} test documents, {done.labels:,} labels in {done.folder}")
    if done.train < _ENOUGH:
        say(f"too few train documents to learn from: training asks for {_ENOUGH}, and is better with thousands")
    else:
        _say_next(out, done.test > 0)


def _show(report: Mapping[str, Any]) -> None:
    """The report as two tables."""
    rows, labels = report["rows"], report["labels"]
    counts: dict[str, int] = {
        "rows read": rows["read"],
        "rows left out": rows["rejected"],
        "rows merged into one with the same text": rows["merged"],
        "train documents": report["documents"]["train"],
        "test documents": report["documents"]["test"],
        "labels": labels["written"],
        "labels with one document, which stays in train": labels["with_one_document"],
    }
    if labels["in_label_file"]:
        counts["labels without documents, known by their text"] = labels["without_documents"]
    if labels["edges"]:
        counts["relations between labels"] = labels["edges"]
    if labels["below_min_count"]:
        counts["labels left out"] = labels["below_min_count"]
    shown = tuple((what, f"{count:,}") for what, count in counts.items())
    show_table(Table("Import of " + ", ".join(report["files"]), ("", ""), shown))
    found = [*_lines(report["findings"], ""), *_lines(report["label_file"], "label file: ")]
    if found:
        note = "All examples are in import.json of the data folder."
        show_table(Table("Left out, merged, repaired, or to look at", ("", "count", "for example"), tuple(found), note))


def _lines(findings: Sequence[Mapping[str, Any]], before: str) -> list[tuple[str, str, str]]:
    from eclare_py.data.importing.tally import KINDS

    lines = []
    for one in findings:
        example = one["examples"][0] if one["examples"] else ""
        example = example if len(example) <= _SHOWN else example[: _SHOWN - 3] + "..."
        lines.append((f"{before}{KINDS[one['kind']]}: {one['reason']}", f"{one['count']:,}", example))
    return lines


def _say_next(out: Path, tested: bool) -> None:
    model = Path("models") / out.name
    words = [
        ["eclare", "inspect", str(out), "--estimate"],
        ["eclare", "train", "default", "--data", str(out), "--out", str(model)],
        *([["eclare", "evaluate", str(model), "--data", str(out)]] if tested else []),
    ]
    say("next (the first tells time and memory of the second):")
    for one in words:
        say(f"  {shlex.join(one)}")
