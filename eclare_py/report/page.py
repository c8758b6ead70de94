"""One self-contained HTML page of a report: tables with headings, nested bars, light and dark, no script."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from eclare_py.report.model import ABSENT, Bar, Chart, Example, Prediction, Report, Table, Tile
from eclare_py.report.style import STYLE

MAX_TEXT = 400
_LONG = 45  # letters from which the first column of a table is broken into lines
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def render_page(report: Report) -> str:
    """The whole page; every text of the report is escaped here and nowhere else."""
    bins, *others = report.tables
    facts = "".join(f"<div>{_table(one)}</div>" for one in report.facts if one.rows)
    return frame(
        report.title,
        [
            header(report.title, report.subtitle, report.tiles),
            f"<section>{_chart(report.bars)}</section>" if report.bars else "",
            section(bins) if bins.rows else "",
            _charts(report.charts),
            *(section(one) for one in others if one.rows),
            f"<section>{_examples(report.examples)}</section>" if report.examples else "",
            f"<section class=facts>{facts}</section>",
        ],
    )


def frame(title: str, parts: Iterable[str]) -> str:
    """A whole page around parts that are HTML already."""
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        # Even if an escape were missed, nothing could run or be fetched.
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name=viewport content="width=device-width,initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def header(title: str, subtitle: str, tiles: Iterable[Tile]) -> str:
    """The top of a page."""
    shown = "".join(map(_tile, tiles))
    words = f"<header><h1>{text(title)}</h1><p class=soft>{text(subtitle)}</p></header>"
    return words + (f"\n<dl class=tiles>{shown}</dl>" if shown else "")


def section(table: Table) -> str:
    """A table as a section of its own."""
    return f"<section>{_table(table)}</section>"


def picture(title: str, note: str, svg: str) -> str:
    """A drawing as a section of its own; the SVG is put in as it is, so its texts must be escaped already."""
    drawn = f'<div class=scroll tabindex=0 role=region aria-label="{text(title)}">{svg}</div>'
    words = f"<figcaption>{text(note)}</figcaption>"
    return f"<section><figure class=picture><h2>{text(title)}</h2>{drawn}{words}</figure></section>"


def text(value: str) -> str:
    """Escaped text that any reader shows: control characters become spaces, lone surrogates a mark."""
    return html.escape(_CONTROL.sub(" ", value).encode("utf-8", "replace").decode("utf-8"))


def _charts(charts: Iterable[Chart]) -> str:
    drawn = "".join(
        f"<figure class='chart{' wide' if one.wide else ''}'><h2>{text(one.title)}</h2>"
        f"<div class=scroll>{one.svg}</div><figcaption>{text(one.note)}</figcaption></figure>"
        for one in charts
    )
    return f"<section class=charts>{drawn}</section>" if drawn else ""


def _tile(tile: Tile) -> str:
    interval = f"<dd class=interval>{text(tile.interval)}</dd>" if tile.interval else ""
    figures = f"<dd class=value>{text(tile.value)}</dd>{interval}<dd class=meaning>{text(tile.meaning)}</dd>"
    return f"<div><dt>{text(tile.name)}</dt>{figures}</div>"


def _chart(bars: Sequence[Bar]) -> str:
    """Nested bars, one row a bin. The table below it says the same, so readers of the screen get a summary."""
    rows = "".join(_bar(bar) for bar in bars)
    ticks = "".join(f"<span>{tick}</span>" for tick in (0, 25, 50, 75, 100))
    axis = f"<div class=row aria-hidden=true><div></div><div class='axis plot'>{ticks}</div><div></div></div>"
    return (
        "<figure><h2>What is found, by how often a label was seen in training</h2><figcaption>"
        "<span><i class='key i'></i>among the first 10</span><span><i class='key o'></i>among the first 100</span>"
        "<span>share of the test pairs, in percent</span>"
        f"{'<span><i class=whisker></i>95 % interval</span>' if any(bar.ends for bar in bars) else ''}</figcaption>"
        f"<div class=bars>{rows}{axis}</div></figure>"
    )


def _bar(bar: Bar) -> str:
    drawn = "".join(
        f'<rect class={kind} x=0 y="{y}" width="{max(0.0, min(value, 100.0)):.2f}" height="{24 - 2 * y}"/>'
        for kind, value, y in (("outer", bar.outer, 0), ("inner", bar.inner, 5))
        if value is not None
    )
    if bar.ends is not None:
        low, high = (max(0.0, min(end, 100.0)) for end in bar.ends)
        drawn += f'<rect class=ends x="{low:.2f}" y="11" width="{high - low:.2f}" height="2"/>'
    values = [ABSENT if value is None else f"{value:.1f}" for value in (bar.inner, bar.outer)]
    label = f"{bar.name} train documents: {values[0]} % among the first 10, {values[1]} % among the first 100"
    return (
        f"<div class=row><div class=name><b>{text(bar.name)}</b><span>{text(bar.detail)}</span></div>"
        f'<div class=plot><svg role=img aria-label="{text(label)}" viewBox="0 0 100 24" preserveAspectRatio=none>'
        f"<rect class=ground width=100 height=24 />{drawn}</svg></div>"
        f"<div class=value>{values[0]} <span>/ {values[1]}</span></div></div>"
    )


def _table(table: Table) -> str:
    """A table with a caption; the last column holds words where its heading is empty and there are more than two."""
    wordy = len(table.head) > 2 and not table.head[-1]
    head = "".join(f"<th scope=col>{text(one)}</th>" if one else "<td></td>" for one in table.head)
    body = "".join(
        f"<tr><th scope=row>{text(first)}</th>"
        + "".join(
            f"<td{' class=words' if wordy and i == len(rest) - 1 else ''}>{text(cell)}</td>"
            for i, cell in enumerate(rest)
        )
        + "</tr>"
        for first, *rest in table.rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(table.head) else ""
    note = f"<p class=note>{text(table.note)}</p>" if table.note else ""
    frame = f'<div class=scroll tabindex=0 role=region aria-label="{text(table.title)}">'
    long = any(len(first) > _LONG for first, *_ in table.rows)
    table_tag = "<table class=long>" if long else "<table>"
    return f"{frame}{table_tag}<caption>{text(table.title)}</caption>{head}<tbody>{body}</tbody></table></div>{note}"


def _examples(examples: Sequence[Example]) -> str:
    """Documents to open one by one; the first is open."""
    rows = "".join(_example(one, opened=i == 0) for i, one in enumerate(examples))
    return f"<div class=examples><h2>{len(examples)} documents</h2>{rows}</div>"


def _example(example: Example, *, opened: bool) -> str:
    shown = example.text if len(example.text) <= MAX_TEXT else example.text[: MAX_TEXT - 3] + "..."
    items = "".join(map(_prediction, example.predictions))
    hits = sum(one.hit for one in example.predictions)
    parts = [f"<ol>{items}</ol>"]
    if example.missed:
        missed = ", ".join(f"<bdi>{text(one)}</bdi>" for one in example.missed)
        parts.append(f"<p class=note>Not among them: {missed}</p>")
    if example.why:
        parts.append(f"<p class=note>Why the first: {text(example.why)}</p>")
    count = f"<span class=score>{hits} of {hits + len(example.missed)}</span>"
    summary = f"<summary><bdi>{text(shown)}</bdi>{count}</summary>"
    return f"<details{' open' if opened else ''}>{summary}{''.join(parts)}</details>"


def _prediction(one: Prediction) -> str:
    mark = "<svg aria-hidden=true viewBox='0 0 10 10'><circle cx=5 cy=5 r=4 /></svg>"
    words = f"<span class=hidden> ({'relevant' if one.hit else 'not relevant'})</span>"
    label = f"<span><bdi>{text(one.label)}</bdi>{words}</span><span class=score>{one.score:.3f}</span>"
    return f"<li{' class=hit' if one.hit else ''}>{mark}{label}</li>"
