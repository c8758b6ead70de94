"""One self-contained HTML page of a report: tables with headings, nested bars, light and dark, no script."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from eclare_py.metrics.report_model import ABSENT, Bar, Example, Report, Table, Tile

MAX_TEXT = 400
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

STYLE = """
:root{color-scheme:light dark;--paper:#fcfcfa;--ink:#1c2329;--soft:#5b656e;--line:#dcdfe0;--faint:#f1f3f2;
--main:#0b6b68;--pale:#b5d8d3}
@media (prefers-color-scheme:dark){:root{--paper:#14181b;--ink:#e6e9ea;--soft:#9ba6ad;--line:#30383d;--faint:#1c2226;
--main:#55c4b6;--pale:#24524f}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:58rem;margin:0 auto;padding:3rem 1.5rem 5rem}
h1{font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
h2{font-size:1.05rem;font-weight:650;margin:0 0 .75rem}
section{margin-top:3rem}
p{margin:.35rem 0 0}.soft,.note{color:var(--soft)}.note{font-size:.85rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:1.25rem 1.5rem;margin:2rem 0 0;padding:1.5rem 0;
border:solid var(--line);border-width:1px 0}
.tiles div{display:flex;flex-direction:column}
.tiles dt{font-size:.85rem;color:var(--soft)}
.tiles dd{margin:0}.tiles .value{order:0;font-size:1.9rem;line-height:1.25;font-weight:600;letter-spacing:-.02em}
.tiles .meaning{font-size:.78rem;line-height:1.35;color:var(--soft)}
figure{margin:0}
.bars{display:grid;grid-template-columns:minmax(9.5rem,auto) 1fr auto;gap:.7rem 1rem;align-items:center}
.bars .name b{display:block;font-weight:600}.bars .name span{display:block;font-size:.78rem;line-height:1.3;color:var(--soft)}
.bars .value{text-align:right;white-space:nowrap}.bars .value span{color:var(--soft)}
.bars svg{display:block;width:100%;height:1.5rem}
.axis{display:flex;justify-content:space-between;font-size:.75rem;color:var(--soft)}
.ground{fill:var(--faint)}.outer{fill:var(--pale)}.inner{fill:var(--main)}
figcaption{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;margin-bottom:1.1rem;font-size:.85rem;color:var(--soft)}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.45rem;vertical-align:-.05rem}
.key.i{background:var(--main)}.key.o{background:var(--pale)}
.scroll{overflow-x:auto}.scroll:focus-visible{outline:2px solid var(--main);outline-offset:3px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;font-size:1.05rem;font-weight:650;padding-bottom:.6rem}
th,td{padding:.42rem .75rem;text-align:right;font-weight:400;border-bottom:1px solid var(--line);vertical-align:baseline}
thead th{font-size:.8rem;color:var(--soft);vertical-align:bottom}
tr>:first-child{text-align:left;padding-left:0;white-space:nowrap}tr>:last-child{padding-right:0}
tbody th{font-weight:500}td.words{text-align:left;color:var(--soft);width:99%}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:3rem;align-items:start}
.facts tr>:first-child{white-space:normal;color:var(--soft)}
.examples td{text-align:left;vertical-align:top}.examples tr>:first-child{white-space:normal;width:45%;padding-right:2rem;
overflow-wrap:anywhere}.examples thead th{text-align:left}
ol{list-style:none;margin:0;padding:0}
li{display:grid;grid-template-columns:1rem 1fr auto;gap:.6rem;align-items:baseline;overflow-wrap:anywhere}
li.hit{font-weight:600}li .score{color:var(--soft);font-weight:400;font-size:.82rem}
li svg{width:.7rem;height:.7rem;fill:none;stroke:var(--line);stroke-width:2}li.hit svg{fill:var(--main);stroke:var(--main)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:36rem){main{padding:2rem 1rem 3rem}.bars{grid-template-columns:1fr auto;gap:.2rem 1rem}
.bars .plot{grid-column:1/-1;margin-bottom:.7rem}.bars .name{grid-row:auto}.bars .value{order:0}.bars .gap{display:none}
.facts{gap:2rem}.examples tr>:first-child{width:auto}.examples :is(tr,th,td){display:block;padding-left:0;width:auto}
.examples tbody th{border:0;padding-bottom:0}.examples thead{display:none}}
@media print{main{max-width:none;padding:0}section{break-inside:avoid}}
"""


def render_page(report: Report) -> str:
    """The whole page; every text of the report is escaped here and nowhere else."""
    bins, *others = report.tables
    parts = [
        f"<header><h1>{text(report.title)}</h1><p class=soft>{text(report.subtitle)}</p></header>",
        f"<dl class=tiles>{''.join(map(_tile, report.tiles))}</dl>",
        f"<section>{_chart(report.bars)}</section>" if report.bars else "",
        *(f"<section>{_table(one)}</section>" for one in (bins, *others) if one.rows),
        f"<section>{_examples(report.examples)}</section>" if report.examples else "",
        f"<section class=facts>{''.join(f'<div>{_table(one)}</div>' for one in report.facts if one.rows)}</section>",
    ]
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        # Even if an escape were missed, nothing could run or be fetched.
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name=viewport content="width=device-width,initial-scale=1">\n'
        f"<title>{text(report.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def text(value: str) -> str:
    """Escaped text that any reader shows: control characters become spaces, lone surrogates a mark."""
    return html.escape(_CONTROL.sub(" ", value).encode("utf-8", "replace").decode("utf-8"))


def _tile(tile: Tile) -> str:
    figures = f"<dd class=value>{text(tile.value)}</dd><dd class=meaning>{text(tile.meaning)}</dd>"
    return f"<div><dt>{text(tile.name)}</dt>{figures}</div>"


def _chart(bars: Iterable[Bar]) -> str:
    """Nested bars, one row a bin. The table below it says the same, so readers of the screen get a summary."""
    rows = "".join(_bar(bar) for bar in bars)
    axis = "<div class=gap></div><div class='axis plot'><span>0</span><span>25</span><span>50</span><span>75</span><span>100 %</span></div>"
    return (
        "<figure><h2>What is found, by how often a label was seen in training</h2><figcaption>"
        "<span><i class='key i'></i>among the first 10</span><span><i class='key o'></i>among the first 100</span>"
        "<span>share of the test pairs, in percent</span></figcaption>"
        f"<div class=bars>{rows}{axis}<div class=gap></div></div></figure>"
    )


def _bar(bar: Bar) -> str:
    drawn = "".join(
        f'<rect class={kind} x=0 y="{y}" width="{max(0.0, min(value, 100.0)):.2f}" height="{24 - 2 * y}"/>'
        for kind, value, y in (("outer", bar.outer, 0), ("inner", bar.inner, 5))
        if value is not None
    )
    values = [ABSENT if value is None else f"{value:.1f}" for value in (bar.inner, bar.outer)]
    label = f"{bar.name} train documents: {values[0]} % among the first 10, {values[1]} % among the first 100"
    return (
        f"<div class=name><b>{text(bar.name)}</b><span>{text(bar.detail)}</span></div>"
        f'<div class=plot><svg role=img aria-label="{text(label)}" viewBox="0 0 100 24" preserveAspectRatio=none>'
        f"<rect class=ground width=100 height=24 />{drawn}</svg></div>"
        f"<div class=value>{values[0]} <span>/ {values[1]}</span></div>"
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
    return f"{frame}<table><caption>{text(table.title)}</caption>{head}<tbody>{body}</tbody></table></div>{note}"


def _examples(examples: Iterable[Example]) -> str:
    rows = "".join(_example(one) for one in examples)
    head = "<thead><tr><th scope=col>Document</th><th scope=col>Predicted labels, best first (filled: relevant)</th></tr></thead>"
    return f"<table class=examples><caption>Examples</caption>{head}<tbody>{rows}</tbody></table>"


def _example(example: Example) -> str:
    shown = example.text if len(example.text) <= MAX_TEXT else example.text[: MAX_TEXT - 3] + "..."
    items = "".join(
        f"<li{' class=hit' if one.hit else ''}><svg aria-hidden=true viewBox='0 0 10 10'><circle cx=5 cy=5 r=4 /></svg>"
        f"<span><bdi>{text(one.label)}</bdi><span class=hidden> ({'relevant' if one.hit else 'not relevant'})</span></span>"
        f"<span class=score>{one.score:.3f}</span></li>"
        for one in example.predictions
    )
    missed = ", ".join(f"<bdi>{text(one)}</bdi>" for one in example.missed)
    missed = f"<p class=note>Not among them: {missed}</p>" if missed else ""
    return f"<tr><th scope=row><bdi>{text(shown)}</bdi></th><td><ol>{items}</ol>{missed}</td></tr>"
