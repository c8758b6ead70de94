"""`eclare explain`: why a label got its score."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eclare_py.cli.console import say, show_json, show_table
from eclare_py.errors import UsageError
from eclare_py.report.model import Table

if TYPE_CHECKING:
    from eclare_py.rank.explain import Explanation, Neighbour


def explain(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    text: Annotated[str, typer.Option("--text", help="The text.", show_default=False)],
    label: Annotated[
        str | None, typer.Option("--label", help="Id, text or row of a label [the best one].", show_default=False)
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Entries of each list.")] = 5,
    json: Annotated[bool, typer.Option("--json", help="Plain JSON instead of tables.")] = False,
) -> None:
    """Split the score of a label into its sources, and show the evidence around it.

    The dense score is the cosine of text and label vector, plus the label's bias where the recipe has one (prior). Its
    shares (label text, label graph, free vector, prototype of its documents, prior) add up to it exactly; what the
    recipe leaves out is 0. The fusion makes the probability of it and of all that "What the fusion saw" lists;
    tail_boost lifts rare labels.

    \b
    eclare explain models/debian --text "tool to edit audio tags"
    eclare explain models/debian --text "tool to edit audio tags" --label libtag1v5 --json
    """
    from eclare_py.estimator import EclareClassifier

    classifier = EclareClassifier.load(model)
    if label is None:
        best = int(classifier.predict([text], 1).indices[0, 0])
        if best < 0:
            raise UsageError("no label was found for this text: name one with --label")
        found = classifier.explain(text, best, top=top)
    else:
        found = classifier.explain(text, label, top=top)
    if json:
        show_json({**dataclasses.asdict(found), "split_total": found.split.total})
        return
    for table in tables(found):
        if table.rows:
            show_table(table)
    if found.probability is None:
        say(f"{found.name} is not among the {found.candidates} candidates of this text: it is not returned at all")


def tables(found: Explanation) -> list[Table]:
    """An explanation as tables."""
    parts = found.split
    place = "not a candidate" if found.rank is None else f"{found.rank} of {found.candidates} candidates"
    answer = (
        ("probability", _figure(found.probability)),
        ("rank", place),
        ("label says", found.label_text),
        ("train documents", f"{found.frequency:,}"),
    )
    shares = (
        ("label text", f"{parts.text:+.4f}"),
        ("label graph", f"{parts.graph:+.4f}"),
        ("free vector", f"{parts.free:+.4f}"),
        ("prototype", f"{parts.documents:+.4f}"),
        ("prior", f"{parts.prior:+.4f}"),
        ("dense score", f"{found.dense:+.4f}"),
    )
    evidence = tuple((name.replace("_", " "), f"{value:.4f}") for name, value in found.evidence.items())
    documents = tuple((name, f"{cosine:.4f}") for name, cosine in found.documents)
    terms = tuple((term, f"{loss:+.4f}") for term, loss in found.terms)
    return [
        Table(found.name, ("", ""), answer),
        Table("Where the dense score comes from", ("", "share"), shares),
        Table("Words of the text", ("", "score lost without it"), terms),
        Table("Predicted labels it is seen with", ("", "weight", "probability"), _rows(found.supporters)),
        Table("Neighbours in the label graph", ("", "weight", "probability"), _rows(found.neighbours)),
        Table("Nearest of its train documents", ("", "cosine"), documents),
        Table("What the fusion saw", ("", "value"), evidence),
    ]


def _rows(neighbours: list[Neighbour]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.text, f"{one.weight:.4g}", _figure(one.probability)) for one in neighbours)


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"
