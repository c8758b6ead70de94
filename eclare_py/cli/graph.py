"""`eclare graph`: what the label graph of a model is like, as tables, JSON, a page and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eclare_py.cli.console import say, show_table
from eclare_py.errors import DataError, UsageError
from eclare_py.report.graph import graph_page, label_map, neighbour_table, surroundings, tables
from eclare_py.report.pictures.canvas import check_format, check_matplotlib, save_picture
from eclare_py.storage import atomic_file, write_json

if TYPE_CHECKING:
    from eclare_py.estimator import EclareClassifier
    from eclare_py.types import Csr


def graph(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data folder whose test documents the edges are compared with.",
                     show_default=False),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", help="Show what is around this label: its id, text, row, or how one of them begins.",
                     show_default=False),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="File to write: all figures.", show_default=False, dir_okay=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Page to write, with pictures.", show_default=False, dir_okay=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Picture to write (.svg, .png, .pdf): around --label, or the map of all labels.",
                     show_default=False, dir_okay=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of communities, random pairs and pictures.")] = 0,
) -> None:  # fmt: skip
    """Look at the label graph of a model: degrees, components, communities, hubs, and whether its edges make sense.

    Edges are compared with the texts of their labels and, with --data, with the labels that test documents have
    together: the graph was built from train documents only. The map takes up to half a minute.

    \b
    eclare graph models/debian
    eclare graph models/debian --data data/debian --json graph.json --html graph.html
    eclare graph models/debian --label python3-numpy --out numpy.svg
    """
    if html is not None or out is not None:
        check_matplotlib()
    if out is not None:
        check_format(out)
    from eclare_py.estimator import EclareClassifier
    from eclare_py.graph.analysis import analyze
    from eclare_py.graph.communities import find_communities
    from eclare_py.rank.explain import find_label
    from eclare_py.rank.models import method_of
    from eclare_py.rank.pipeline import Pipeline

    classifier = EclareClassifier.load(model)
    pipeline = classifier.pipeline
    if not isinstance(pipeline, Pipeline):
        raise UsageError(
            f"this model is of the method {method_of(pipeline)}: it has no label graph; train the recipe default"
        )
    row = None if label is None else find_label(pipeline.labels, label)
    texts = pipeline.labels.texts
    test_labels = None if data is None else _test_labels(classifier, data)
    communities = find_communities(pipeline.graph, seed=seed)
    found = analyze(
        pipeline.graph, texts, pipeline.features.transform(texts), pipeline.frequencies,
        test_labels=test_labels, communities=communities, seed=seed,
    )  # fmt: skip
    title = f"Label graph of {pipeline.recipe.get('name', model.name)}"
    shown = tables(found) if row is None else [*tables(found), neighbour_table(pipeline, row)]
    for table in shown:
        if table.rows:
            show_table(table)
    if json is not None:
        write_json(json, found.to_mapping(), indent=2)
        say(f"figures written to {json}")
    if html is None and out is None:
        return
    pictures = [label_map(pipeline, communities, seed)] if html is not None or row is None else []
    if row is not None:
        pictures.append(surroundings(pipeline, row, seed))
    if out is not None:
        save_picture(pictures[-1].figure, out, pictures[-1].title)
        say(f"picture written to {out}")
    if html is not None:
        with atomic_file(html) as handle:
            handle.write(graph_page(title, found, shown, pictures))
        say(f"page written to {html}")


def _test_labels(classifier: EclareClassifier, data: Path) -> Csr:
    """(N, L) label matrix of the test documents, over the labels of the model."""
    from eclare_py.data.dataset import load_dataset
    from eclare_py.labels import into_label_space

    folder = load_dataset(data)
    if folder.test is None:
        raise DataError("there is no test split: add tst.json.gz, or leave out --data", path=folder.path)
    return into_label_space(folder.test, classifier.pipeline.labels).labels
