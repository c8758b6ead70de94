"""From results to files: NAME.json with every mean and spread, NAME.svg, and NAME.md for a person to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eclare_py.storage import atomic_file, write_json
from runner.results import COSTS, Results, Spread

_PLACES = 4


def write_summary(results: Results, folder: Path) -> list[Path]:
    """Write the three files; nothing where no cell is done.

    Args:
        results: Of one experiment.
        folder: Where to.
    """
    if not results.cells:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    name = results.experiment.name
    paths = [folder / f"{name}{ending}" for ending in (".json", ".md", ".svg")]
    write_json(paths[0], as_mapping(results), indent=1)
    with atomic_file(paths[1]) as handle:
        handle.write(as_markdown(results))
    results.experiment.draw(results, paths[2])
    return paths


def as_mapping(results: Results) -> dict[str, Any]:
    """Every figure: mean and standard deviation over seeds, and the gain over the base, paired by seed."""
    rows = []
    for data in results.data:
        for variant in results.variants(data):
            cells = list(results.cells[data, variant].values())
            names = list(cells[0]["metrics"])
            costs = list(dict.fromkeys([*COSTS, *cells[0]["cost"]]))
            bins = [one["name"] for one in results.bins(data)]
            rows.append(
                {
                    "data": data,
                    "variant": variant,
                    "seeds": results.seeds(data, variant),
                    "train_documents": cells[0]["facts"]["train_documents"],
                    "train_pairs": cells[0]["facts"]["train_pairs"],
                    "metrics": {one: _plain(results.spread(data, variant, one)) for one in names},
                    "gain": {one: _plain(results.gain(data, variant, one)) for one in names},
                    "bins": {
                        one: {
                            metric: _plain(results.spread(data, variant, f"{metric}[{one}]"))
                            for metric in ("R@10", "R@100")
                        }
                        for one in bins
                    },
                    "cost": {one: _plain(results.spread(data, variant, one)) for one in costs},
                }
            )
    experiment = results.experiment
    return {"experiment": experiment.name, "question": experiment.question, "base": experiment.base, "rows": rows}


def as_markdown(results: Results) -> str:
    """Question, tables, and the gains that are larger than their spread."""
    experiment = results.experiment
    lines = [f"## {experiment.question}", ""]
    if experiment.notes:
        lines += [experiment.notes, ""]
    lines += [f"![{experiment.question}]({experiment.name}.svg)", ""]
    for data in results.data:
        lines += [f"`{data}`, test split, percent, mean ± standard deviation over seeds:", "", table(results, data), ""]
        if experiment.more is not None:
            lines += [*experiment.more(results, data), ""]
        lines += [f"Against *{experiment.base}*, paired by seed:", "", *_gains(results, data), ""]
    return "\n".join(lines).rstrip() + "\n"


def table(results: Results, data: str) -> str:
    """A Markdown table of one data set."""
    shown = (*results.experiment.shown, "train_cpu_s", "cpu_ms_a_document")
    heads = (*results.experiment.shown, "train, CPU s", "CPU ms a document")
    lines = ["| variant | seeds | " + " | ".join(heads) + " |", "|---" * (len(heads) + 2) + "|"]
    for variant in results.variants(data):
        found = [results.spread(data, variant, name) for name in shown]
        cells = ["–" if one is None else one.text() for one in found]
        lines.append(f"| {variant} | {len(results.seeds(data, variant))} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _gains(results: Results, data: str) -> list[str]:
    """A line a variant. Beyond twice the spread is only called so with three seeds or more; it is no test."""
    lines = []
    for variant in results.variants(data):
        if variant == results.experiment.base:
            continue
        found = {name: results.gain(data, variant, name) for name in results.experiment.shown}
        known = {name: one for name, one in found.items() if one is not None}
        clear = {name: one for name, one in known.items() if one.seeds > 2 and abs(one.mean) > 2 * (one.sd or 0.0)}
        noise = [name for name in known if name not in clear]
        base = results.experiment.base_of(variant)
        other = "" if base == results.experiment.base else f", against *{base}*"
        parts = [f"{name} {one.text(sign=True)}" for name, one in (clear or known).items()]
        if clear and noise:
            parts.append(f"within twice the spread: {', '.join(noise)}")
        elif known:
            parts.append("nothing beyond twice the spread" if _enough(known) else "too few seeds to tell from noise")
        lines.append(f"- {variant}{other}: {'; '.join(parts) if parts else 'no seed in common'}.")
    return lines


def _enough(known: dict[str, Spread]) -> bool:
    return all(one.seeds > 2 for one in known.values())


def _plain(spread: Spread | None) -> list[float | None] | None:
    """[mean, standard deviation]."""
    if spread is None:
        return None
    return [round(spread.mean, _PLACES), None if spread.sd is None else round(spread.sd, _PLACES)]
