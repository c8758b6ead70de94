"""`eclare inspect`: what a model or data folder holds, and what training on it will take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eclare_py.cli.console import say, show_json, show_pairs
from eclare_py.cli.data import information
from eclare_py.errors import UsageError
from eclare_py.storage import MANIFEST


def inspect(
    path: Annotated[Path, typer.Argument(help="A model folder or a data folder.", show_default=False)],
    estimate: Annotated[
        bool, typer.Option("--estimate", help="For a data folder: memory and time of training on it.")
    ] = False,
    recipe: Annotated[str, typer.Option(help="The recipe that the estimate is for.")] = "default",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting of the recipe; may be repeated.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Plain JSON instead of tables.")] = False,
) -> None:
    """Show the sizes of a model or a data folder, and estimate a training before it is run.

    \b
    eclare inspect models/debian
    eclare inspect data/debian --estimate
    eclare inspect data/debian --estimate --recipe default --set document.dim=64
    """
    tables = (
        _model(path, estimate) if (path / MANIFEST).exists() else _data(path, recipe if estimate else None, overrides)
    )
    if json:
        show_json(tables)
        return
    for title, values in tables.items():
        show_pairs(title, values)
    if estimate:
        say("An estimate for two processor cores at the pace they have now; other machines and settings differ.")


def _model(path: Path, estimate: bool) -> dict[str, dict[str, Any]]:
    if estimate:
        raise UsageError(f"{path} is a model: --estimate is for data folders, before a training")
    from eclare_py.estimator import EclareClassifier
    from eclare_py.persist import fingerprint
    from eclare_py.storage import part_sizes

    facts = EclareClassifier.load(path).describe()
    sizes = {name: f"{count / 1e6:.2f} MB" for name, count in part_sizes(path).items()}
    total = sum(part_sizes(path).values())
    training = facts["facts"]
    return {
        f"{facts['recipe'].get('name', 'model')} ({path})": {
            "labels": facts["labels"],
            "terms": facts["features"],
            **_parts(facts),
            "fingerprint": fingerprint(path),
        },
        "Training": {name.replace("_", " "): value for name, value in training.items() if not isinstance(value, dict)},
        f"On disk: {total / 1e6:.2f} MB": sizes,
    }


def _parts(facts: dict[str, Any]) -> dict[str, Any]:
    """What the model consists of; which parts there are depends on the method."""
    tree, shown = facts["tree"], _transformer(facts["recipe"])
    if "trees" in tree:
        shown["trees"] = tree["trees"]
    if "dim" in facts:
        shown["dimensions"] = facts["dim"]
    if "graph" in facts:
        shown["label graph"] = f"{facts['graph']['kind']}, {facts['graph']['edges']:,} edges"
    if "support" in facts:
        shown["support graph"] = f"{facts['support']['edges']:,} edges"
    if "clusters" in facts:
        clusters = facts["clusters"]
        shown["gate of the leaves"] = clusters["gate"]
        shown["slots"] = f"{clusters['slots']:,}, up to {clusters['shortlist']:,} labels scored"
    if "dense_columns" in facts:
        shown["columns of sentence vectors"] = facts["dense_columns"]
    levels = f"{tree['levels']} level" + ("" if tree["levels"] == 1 else "s")
    shown["label tree"] = f"{tree['leaves']:,} leaves on {levels}, {tree['beam']:,} searched"
    if "work" in tree:
        shown |= _work(tree["work"])
    return {**shown, "linear weights": facts["weights"]}


def _work(work: dict[str, float]) -> dict[str, str]:
    """What the tree's shape costs, beside what others would and what no shape gets below."""
    return {
        "nodes opened on one walk": f"{work['opened']:.1f}",
        "products of one walk": f"{work['products']:.1f}; balanced tree {work['balanced_products']:.1f}, Huffman code "
        f"{work['huffman_products']:.1f}, at least {work['least_products']:.1f}",
        "entropy of a label": f"{work['label_bits']:.2f} bits",
    }


def _transformer(recipe: dict[str, Any]) -> dict[str, str]:
    """Which transformer a model reads with, and where it lies."""
    if recipe["document"]["kind"] == "bag":
        return {}
    settings = recipe["transformer"]
    tuning = settings.get("tuning", "frozen")
    where = "not part of the model" if tuning == "frozen" else f"tuned ({tuning}), part of the model"
    return {"transformer": f"{settings['model']}, {where}"}


def _data(path: Path, recipe: str | None, overrides: list[str] | None) -> dict[str, dict[str, Any]]:
    from eclare_py.data.dataset import load_dataset
    from eclare_py.data.stats import describe

    folder = load_dataset(path)
    tables = information(describe(folder))
    if recipe is not None:
        from eclare_py.cli.estimate import estimate_training
        from eclare_py.estimator import EclareClassifier

        settings = EclareClassifier.from_recipe(recipe, overrides or ()).settings()
        whole, stages = estimate_training(folder.train, settings)
        tables |= {f"Training with {settings.name}": whole, "Stage by stage": stages}
    return tables
