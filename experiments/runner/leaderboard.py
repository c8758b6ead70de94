"""The leaderboard: every setting that was run, of all experiments together, as Markdown and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from eclare_py.storage import atomic_file
from runner.results import Spread
from runner.store import Store

COLUMNS = ("P@1", "P@5", "nDCG@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10", "coverage@10")
COSTS = {"train_cpu_s": "train, CPU s", "cpu_ms_a_document": "CPU ms a document"}
SORT = "PSP@5"
NOTE = (
    "Test split, in percent, mean ± standard deviation over seeds. Frequencies and propensities are those of the whole "
    "train split, whatever a variant was trained on. A name in brackets is the experiment."
)
_CSS = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ddd; --best: #dcefe2; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #16181c; --line: #3a3d44; --best: #1f4030; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
       max-width: 80rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 14rem; position: sticky; left: 0;
                                 background: var(--paper); }
td.best { background: var(--best); }
small { opacity: .7; }
"""


@dataclass
class Line:
    """One setting on one data set.

    Attributes:
        names: What experiments call it.
        cells: Seed -> result.
    """

    names: list[str] = field(default_factory=list)
    cells: dict[int, dict[str, Any]] = field(default_factory=dict)

    def spread(self, name: str) -> Spread | None:
        """A metric or cost over seeds."""
        part = "cost" if name in COSTS else "metrics"
        return Spread.of(cell[part].get(name) for cell in self.cells.values())


def write_leaderboard(store: Store, *, sort: str = SORT) -> list[Path]:
    """Write leaderboard.md and leaderboard.html beside the results."""
    boards = collect(store, sort)
    paths = [store.folder / "leaderboard.md", store.folder / "leaderboard.html"]
    for path, text in zip(paths, (as_markdown(boards), as_html(boards)), strict=True):
        with atomic_file(path) as handle:
            handle.write(text)
    return paths


def collect(store: Store, sort: str = SORT) -> dict[str, list[Line]]:
    """Lines by data set, best first; one setting is one line under all its names."""
    found: dict[str, dict[str, Line]] = {}
    for experiment in store.experiments():
        for entry in store.plan(experiment):
            if not store.done(entry["key"]):
                continue
            line = found.setdefault(entry["data"], {}).setdefault(entry["setting"], Line())
            name = f"{entry['variant']} ({experiment.replace('_', ' ')})"
            if name not in line.names:
                line.names.append(name)
            line.cells[entry["seed"]] = store.result(entry["key"])
    return {data: sorted(lines.values(), key=lambda line: -_mean(line, sort)) for data, lines in found.items()}


def as_markdown(boards: dict[str, list[Line]]) -> str:
    """The page as Markdown."""
    heads = ["variant", "seeds", *COLUMNS, *COSTS.values()]
    text = ["# Leaderboard", "", NOTE, ""]
    for data, lines in boards.items():
        text += [f"## {data}", "", "| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        text += ["| " + " | ".join([", ".join(line.names), *_cells(line)]) + " |" for line in lines]
        text.append("")
    return "\n".join(text)


def as_html(boards: dict[str, list[Line]]) -> str:
    """The page as HTML: one file, no script, no network; the best of each column is marked."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Leaderboard</title>',
        f"<style>{_CSS}</style><h1>Leaderboard</h1><p>{escape(NOTE)}</p>",
    ]
    for data, lines in boards.items():
        best = {name: max(_mean(line, name) for line in lines) for name in COLUMNS}
        head = "".join(f"<th>{escape(name)}</th>" for name in ["variant", "seeds", *COLUMNS, *COSTS.values()])
        parts.append(f'<h2>{escape(data)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>')
        for line in lines:
            cells = [_name(line.names)]
            for name, text in zip(["seeds", *COLUMNS, *COSTS], _cells(line), strict=True):
                mark = ' class="best"' if _mean(line, name) == best.get(name) != float("-inf") else ""
                cells.append(f"<td{mark}>{escape(text)}</td>")
            parts.append(f"<tr>{''.join(cells)}</tr>")
        parts.append("</tbody></table></div>")
    return "\n".join(parts) + "\n"


def _name(names: Sequence[str]) -> str:
    first, *others = names
    more = f"<br><small>{escape(', '.join(others))}</small>" if others else ""
    return f"<td>{escape(first)}{more}</td>"


def _cells(line: Line) -> list[str]:
    found = [line.spread(name) for name in (*COLUMNS, *COSTS)]
    return [str(len(line.cells)), *("–" if one is None else one.text() for one in found)]


def _mean(line: Line, name: str) -> float:
    spread = line.spread(name)
    return float("-inf") if spread is None else spread.mean
