"""`eclare data`: build, import, group, validate, info."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eclare_py.cli.console import errors, output, say, show_json, show_pairs
from eclare_py.cli.importing import import_
from eclare_py.errors import UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build, import, check and describe data folders.")

Folder = Annotated[Path, typer.Argument(help="A data folder.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="The data folder to write.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Plain JSON instead of tables.")]


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="debian-related or synthetic.", show_default=False)],
    out: Out,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE, may be repeated; a wrong name lists those there are.", show_default=False
        ),
    ] = None,
    or_synthetic: Annotated[
        bool, typer.Option("--or-synthetic", help="Where debian-related finds no apt index, build synthetic instead.")
    ] = False,
) -> None:
    """Build a data set on this machine.

    \b
    eclare data build debian-related --out data/debian
    eclare data build debian-related --out data/small --set labels=300 --set documents=1200
    eclare data build synthetic --out data/synthetic --set labels=10000 --set seed=1
    """
    from eclare_py.data import registry

    chosen = registry.build_or_synthetic if or_synthetic else registry.build
    folder = chosen(name, out, _settings(settings or []))
    from eclare_py.data.dataset import load_dataset

    data = load_dataset(folder)
    test = 0 if data.test is None else data.test.n_documents
    say(f"{data.name}: {data.train.n_documents:,} train and {test:,} test documents, {data.train.n_labels:,} labels "
        f"in {folder}")  # fmt: skip


app.command("import")(import_)


@app.command()
def group(
    folder: Folder,
    out: Out,
    size: Annotated[int, typer.Option(help="Members of a group; the last ones may be smaller.")] = 4,
    by: Annotated[str, typer.Option(help="random: any documents; similar: documents of like texts.")] = "random",
    seed: Annotated[int, typer.Option(help="Of the groups.")] = 0,
) -> None:
    """Forget which train document carries which label: keep the labels of groups alone, to try training on such data.

    The test split keeps its labels. The folder written holds none of the train documents' own labels.

    \b
    eclare data group data/debian --size 4 --by random --out data/debian-groups
    eclare train default --data data/debian-groups --out models/debian
    """
    from eclare_py.data.aggregated import aggregate
    from eclare_py.data.dataset import load_dataset
    from eclare_py.data.lf_writer import write_lf

    if out.resolve() == folder.resolve():
        raise UsageError(f"--out {out} is the folder itself, whose labels would be lost: name another")
    data = load_dataset(folder)
    from eclare_py.train.imputation.grouping import form_groups  # only now, as it compiles

    groups = form_groups(data.train, size=size, by=by, seed=seed)
    card = {
        "name": f"{data.name}, groups of {size}",
        "propensity": {"A": data.propensity_a, "B": data.propensity_b},
        "groups": {"size": size, "by": by, "seed": seed, "of": data.name},
    }
    write_lf(out, aggregate(data.train, groups), data.test, card=card)
    say(f"{data.train.n_documents:,} train documents in {int(groups.max()) + 1:,} groups in {out}")


@app.command()
def validate(
    folder: Folder,
    json: AsJson = False,
    ignore_warnings: Annotated[
        bool, typer.Option("--ignore-warnings", help="Exit code 0 where there are warnings only.")
    ] = False,
) -> None:
    """List every problem of a data folder with file and line; exit code 1 if there is any.

    Errors stop loading. Warnings do not: repeated texts, documents without labels, a test text that is in train.

    \b
    eclare data validate data/tickets
    """
    from eclare_py.data.validate import validate_folder

    problems = validate_folder(folder)
    found = {kind: sum(problem.severity == kind for problem in problems) for kind in ("error", "warning")}
    if json:
        show_json({"folder": str(folder), **found, "problems": [problem.to_json() for problem in problems]})
    else:
        for problem in problems:
            output.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        said = f"{found['error']} errors, {found['warning']} warnings" if problems else "no problem found"
        errors.print(f"{folder}: {said}", markup=False, highlight=False, soft_wrap=True)
    if found["error"] or (found["warning"] and not ignore_warnings):
        raise typer.Exit(1)


@app.command()
def info(folder: Folder, json: AsJson = False) -> None:
    """Describe a data folder: sizes, label frequencies, text lengths.

    \b
    eclare data info data/debian --json
    """
    from eclare_py.data.stats import describe

    facts = describe(folder)
    if json:
        show_json(facts)
        return
    for title, values in information(facts).items():
        show_pairs(title, values)


def information(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The statistics of a data folder as tables of names and values."""
    labels = facts["labels"]
    tables: dict[str, dict[str, Any]] = {
        f"{facts['name']} ({facts['path']})": {
            "labels": labels["count"],
            "train documents per label, median": labels["documents_per_label"]["median"],
            "train documents per label, mean": labels["documents_per_label"]["mean"],
            "train documents per label, most": labels["documents_per_label"]["max"],
            "rare labels (1 to 5 train documents)": f"{labels['tail']['count']:,} ({labels['tail']['share']:.1%})",
            "labels without train document": f"{labels['unseen']['count']:,} ({labels['unseen']['share']:.1%})",
            "characters per label text, median": labels["median_text_length"],
        }
    }
    if labels["relations"]:
        next(iter(tables.values()))["relations between labels"] = labels["relations"]
    for part in ("train", "test"):
        if facts[part] is not None:
            split = facts[part]
            tables[part] = {
                "documents": split["documents"],
                **_of_groups(split),
                "pairs of document and label": split["pairs"],
                "pairs with a rare label": f"{split['tail_pair_share']:.1%}",
                "labels per document, mean": split["labels_per_document"]["mean"],
                "documents without labels": split["documents_without_labels"],
                "characters per text, median": split["median_text_length"],
                "filter pairs": split["filter_pairs"],
            }
    return tables


def _of_groups(split: dict[str, Any]) -> dict[str, Any]:
    """Lines that only aggregated labels have."""
    if "groups" not in split:
        return {}
    return {
        "labels are of groups": split["groups"],
        "documents per group, mean": split["documents_per_group"]["mean"],
        "labels per group, mean": split["labels_per_group"]["mean"],
    }


def _settings(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for word, (name, equals, _) in zip(words, pairs, strict=True):
        if not equals or not name.strip():
            raise UsageError(f"--set {word!r} is not of the form name=value")
    return {name.strip(): value for name, _, value in pairs}
