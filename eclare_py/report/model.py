"""A report as plain values: what is shown and in which words, without a word of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "n/a"


@dataclass(frozen=True)
class Prediction:
    """One predicted label of an example: its text, its score, and whether it is relevant."""

    label: str
    score: float
    hit: bool


@dataclass(frozen=True)
class Example:
    """One document with what was predicted for it, best first, the relevant labels that were not, and why the first."""

    text: str
    predictions: Sequence[Prediction]
    missed: Sequence[str] = ()
    why: str = ""


@dataclass(frozen=True)
class Tile:
    """One figure on top of the page."""

    name: str
    value: str
    meaning: str
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """One row of the chart: two nested bars in percent, the inner never longer than the outer; None draws nothing.

    Attributes:
        name: Of the row.
        detail: Words below the name.
        inner: Length.
        outer: Length.
        ends: Interval of `inner`.
    """

    name: str
    detail: str
    inner: float | None
    outer: float | None
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chart:
    """A drawing with words; `wide` ones take a row of their own. The SVG's texts are escaped already."""

    title: str
    note: str
    svg: str
    wide: bool = False


@dataclass(frozen=True)
class Report:
    """Everything the page shows, in its order; all texts are still unescaped."""

    title: str
    subtitle: str
    tiles: tuple[Tile, ...]
    bars: tuple[Bar, ...]
    tables: tuple[Table, ...]
    facts: tuple[Table, ...]
    examples: tuple[Example, ...]
    charts: tuple[Chart, ...] = ()


def pretty(name: str) -> str:
    """A metric's name for people: `tail_R@10` is "tail R@10"."""
    return name.replace("_", " ")


def figure(value: float | None) -> str:
    """A percentage with one decimal more than the data can resolve."""
    return ABSENT if value is None else f"{value:.2f}"


def number(value: Any) -> str:
    """A count with separators, a float with up to 4 significant digits, anything else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
