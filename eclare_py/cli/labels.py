"""`eclare labels`: add, remove, rename and merge labels of a trained model, without training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from eclare_py.cli.console import say
from eclare_py.errors import UsageError

if TYPE_CHECKING:
    from eclare_py.rank.models import Model
    from eclare_py.rank.pipeline import Pipeline

app = typer.Typer(no_args_is_help=True, help="Add, remove, rename and merge labels of a trained model.")

ModelFolder: TypeAlias = Annotated[Path, typer.Argument(help="A model folder.", show_default=False)]
Out: TypeAlias = Annotated[
    Path | None, typer.Option("--out", help="Model folder to write; MODEL stays as it is.", show_default=False)
]
InPlace: TypeAlias = Annotated[bool, typer.Option("--in-place", help="Replace MODEL, all or nothing, instead.")]


@app.command("add")
def add(
    model: ModelFolder,
    labels: Annotated[
        Path,
        typer.Option("--labels", "--texts", show_default=False, dir_okay=False,
                     help="Table (.csv, .tsv, .jsonl, .parquet): text, and label where the model has label ids."),
    ],
    edges: Annotated[
        Path | None,
        typer.Option("--edges", help="Table with columns label, other and weight (0 to 1): labels that go together.",
                     show_default=False, dir_okay=False),
    ] = None,
    out: Out = None,
    in_place: InPlace = False,
) -> None:  # fmt: skip
    """Add labels by what they say; they are found at once.

    The text gives a label its vector, by the encoders as they are. What is otherwise counted from train documents is
    borrowed from the known labels whose documents are most like it, until the model is trained again. Answers for
    known labels change only where a new one takes their place.

    \b
    eclare labels add models/debian --labels new.csv --out models/debian2
    eclare labels add models/debian --labels new.csv --edges edges.csv --in-place
    """

    def change(pipeline: Pipeline) -> tuple[Pipeline, str]:
        from eclare_py.labels import add_labels, read_edges, read_new_labels

        new = read_new_labels(labels, pipeline.labels)
        known = None if edges is None else read_edges(edges, pipeline.labels, new)
        return add_labels(pipeline, new, known), f"{len(new.texts):,} labels added"

    _change(model, out, in_place, "add", change)


@app.command("remove")
def remove(
    model: ModelFolder,
    label: Annotated[
        list[str], typer.Option("--label", help="Id, text or row of a label; may be given again.", show_default=False)
    ],
    out: Out = None,
    in_place: InPlace = False,
) -> None:
    """Remove labels: their names, vectors and classifiers, and the train documents kept for them alone.

    \b
    eclare labels remove models/debian --label libfoo1 --label libfoo2 --out models/debian2
    """

    def change(pipeline: Pipeline) -> tuple[Pipeline, str]:
        import numpy as np

        from eclare_py.labels import remove_labels
        from eclare_py.rank.explain import find_label

        rows = sorted({find_label(pipeline.labels, one) for one in label})
        return remove_labels(pipeline, np.array(rows, dtype=np.int64)), f"{len(rows):,} labels removed"

    _change(model, out, in_place, "remove", change)


@app.command("rename")
def rename(
    model: ModelFolder,
    label: Annotated[
        str | None, typer.Option("--label", help="Id, text or row of the label.", show_default=False)
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Its new id (its text, in a model without ids).", show_default=False)
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="Its new text.", show_default=False)] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="Table with columns label and to, for many.", show_default=False, dir_okay=False),
    ] = None,
    out: Out = None,
    in_place: InPlace = False,
) -> None:
    """Give labels other ids or texts. Answers stay the same but for these names.

    \b
    eclare labels rename models/debian --label libfoo1 --to libfoo2 --text "libfoo2: foo, new series" --in-place
    eclare labels rename models/debian --table renamed.csv --out models/debian2
    """
    if (label is None) == (table is None) or (label is not None and to is None and text is None):
        raise UsageError("say what is renamed: --label with --to or --text, or --table FILE")

    def change(pipeline: Model) -> tuple[Model, str]:
        from eclare_py.labels import read_pairs, rename_labels
        from eclare_py.rank.explain import find_label

        names = {} if table is None else dict(read_pairs(table, ("label", "to"), pipeline.labels))
        if label is not None and to is not None:
            names[find_label(pipeline.labels, label)] = to
        texts = {} if text is None or label is None else {find_label(pipeline.labels, label): text}
        if pipeline.labels.ids is None:
            if names and texts:
                raise UsageError("this model has no label ids: its labels are called by their texts, so give one of "
                                 "--to and --text")
            names, texts = {}, {**names, **texts}
        renamed = rename_labels(pipeline, ids=names, texts=texts)
        return renamed, f"{len({*names, *texts}):,} labels renamed"

    _change(model, out, in_place, "rename", change, of_all=True)


@app.command("merge")
def merge(
    model: ModelFolder,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="A label that becomes part of --into; may be given again.", show_default=False),
    ] = None,
    into: Annotated[str | None, typer.Option("--into", help="The label that stays.", show_default=False)] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="Table with columns label and into, for many.", show_default=False,
                     dir_okay=False),
    ] = None,
    out: Out = None,
    in_place: InPlace = False,
) -> None:  # fmt: skip
    """Merge labels into others, whose names stay; what was learned of them is put together.

    \b
    eclare labels merge models/debian --label libfoo1 --label libfoo2 --into libfoo3 --out models/debian2
    """
    if bool(label) != (into is not None) or (into is None) == (table is None):
        raise UsageError("say what is merged: --label and --into, or --table FILE")

    def change(pipeline: Pipeline) -> tuple[Pipeline, str]:
        from eclare_py.labels import merge_labels, read_pairs
        from eclare_py.rank.explain import find_label

        pairs = [] if table is None else list(read_pairs(table, ("label", "into"), pipeline.labels))
        pairs += [(find_label(pipeline.labels, one), into) for one in label or [] if into is not None]
        found = {source: find_label(pipeline.labels, target) for source, target in pairs}
        return merge_labels(pipeline, found), f"{len(found):,} labels merged into others"

    _change(model, out, in_place, "merge", change)


def _change(
    model: Path, out: Path | None, in_place: bool, verb: str, change: Callable[[Any], tuple[Any, str]], *,
    of_all: bool = False,
) -> None:  # fmt: skip
    """Load, change and save a model; nothing is written before the change is done."""
    if (out is None) != in_place:
        raise UsageError("say where the model goes: --out FOLDER, or --in-place to replace it")
    from eclare_py.labels import check_kind
    from eclare_py.persist import LOG, load_pipeline, save_pipeline
    from eclare_py.storage import check_target

    target = model if out is None else out
    if out is not None and out.resolve() == model.resolve():
        raise UsageError(f"--out {out} is the model itself: say --in-place to replace it")
    check_target(target)
    pipeline = load_pipeline(model)
    if not of_all:
        check_kind(pipeline, verb)
    changed, done = change(pipeline)
    history = [*pipeline.facts.get("label_changes", []), done]
    save_pipeline(replace(changed, facts={**changed.facts, "label_changes": history}), target, log=model / LOG)
    say(f"{done}: {changed.n_labels:,} labels; model written to {target}")
