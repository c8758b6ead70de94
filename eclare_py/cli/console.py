"""Where the command line writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from eclare_py.report.model import Table
from eclare_py.storage import render_json

_WIDTH = 110  # where stdout is no terminal

output = Console(width=None if sys.stdout.isatty() else _WIDTH)
errors = Console(stderr=True)


def say(message: str) -> None:
    """A line for people, on stderr, so that stdout stays clean for results."""
    errors.print(message, markup=False, highlight=False, soft_wrap=True)


def show_json(value: Any) -> None:
    """Plain data as JSON on stdout, whatever the width of the terminal."""
    output.file.write(render_json(value, indent=2))


def show_table(table: Table) -> None:
    """A table on stdout, its first column names the rows."""
    drawn = RichTable(
        title=table.title or None,
        caption=table.note or None,
        title_justify="left",
        show_header=any(table.head),
        caption_justify="left",
        min_width=min(cell_len(table.title or ""), output.width),  # else a long title is broken over a narrow table
    )
    columns = range(len(table.head))
    for place in columns:
        figures = place > 0 and all(_is_figure(row[place]) for row in table.rows)
        drawn.add_column(Text(table.head[place]), justify="right" if figures else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    output.print(drawn)


def show_pairs(title: str, pairs: dict[str, Any]) -> None:
    """Names and values as a table of two columns."""
    show_table(Table(title, ("", ""), tuple((name, number(value)) for name, value in pairs.items())))


def number(value: Any) -> str:
    """A count with separators, a float with four digits, anything else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def printable(text: str) -> str:
    """The text without what would move the cursor or break an encoder."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean.encode("utf-8", "replace").decode("utf-8")


def _is_figure(cell: str) -> bool:
    return not cell.strip("0123456789.,%-+ ") or cell in ("n/a", "")
