"""The style sheet of the report page: one accent colour, light and dark, narrow screens, print."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--paper:#fcfcfa;--ink:#1c2329;--soft:#5b656e;--line:#dcdfe0;--faint:#f1f3f2;
--main:#0b6b68;--pale:#b5d8d3}
@media (prefers-color-scheme:dark){:root{--paper:#14181b;--ink:#e6e9ea;--soft:#9ba6ad;--line:#30383d;
--faint:#1c2226;--main:#55c4b6;--pale:#24524f}
}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:58rem;margin:0 auto;padding:3rem 1.5rem 5rem}
h1{font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;margin:0;overflow-wrap:anywhere}
h2{font-size:1.05rem;font-weight:650;margin:0 0 .75rem}
section{margin-top:3rem}
p{margin:.35rem 0 0}
.soft,.note{color:var(--soft)}
.note{font-size:.85rem}
.tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:1.25rem 1.5rem;margin:2rem 0 0;
padding:1.5rem 0;border:solid var(--line);border-width:1px 0}
.tiles div{display:flex;flex-direction:column}
.tiles dt{font-size:.85rem;color:var(--soft)}
.tiles dd{margin:0}
.tiles .value{order:0;font-size:1.9rem;line-height:1.25;font-weight:600;letter-spacing:-.02em}
.tiles .interval{font-size:.78rem;color:var(--soft)}
.tiles .meaning{font-size:.78rem;line-height:1.35;color:var(--soft)}
figure{margin:0}
.bars{display:grid;grid-template-columns:auto 1fr auto;gap:.7rem 1rem;align-items:center}
.row{display:contents}
.bars .name b{display:block;font-weight:600}
.bars .name span{display:block;font-size:.78rem;line-height:1.3;color:var(--soft)}
.bars .value{text-align:right;white-space:nowrap}
.bars .value span{color:var(--soft)}
.bars svg{display:block;width:100%;height:1.5rem}
.axis{display:flex;justify-content:space-between;font-size:.75rem;color:var(--soft)}
.axis span{width:0;display:flex;justify-content:center}
.ground{fill:var(--faint)}
.outer{fill:var(--pale)}
.inner{fill:var(--main)}
.ends{fill:var(--ink)}
figcaption{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;margin-bottom:1.1rem;font-size:.85rem;color:var(--soft)}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.45rem;vertical-align:-.05rem}
.whisker{display:inline-block;width:1rem;height:2px;margin-right:.45rem;vertical-align:.25rem;background:var(--ink)}
.key.i{background:var(--main)}
.key.o{background:var(--pale)}
.scroll{overflow-x:auto}
.picture figcaption{margin:.6rem 0 0}
.picture svg{display:block;width:100%;min-width:44rem;height:auto}
.scroll:focus-visible{outline:2px solid var(--main);outline-offset:3px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;font-size:1.05rem;font-weight:650;padding-bottom:.6rem}
th,td{padding:.42rem .75rem;text-align:right;font-weight:400;border-bottom:1px solid var(--line);
vertical-align:baseline}
thead th{font-size:.8rem;color:var(--soft);vertical-align:bottom}
tr>:first-child{text-align:left;padding-left:0;white-space:nowrap}
tr>:last-child{padding-right:0}
tbody th{font-weight:500}
.long tr>:first-child{white-space:normal;min-width:14rem}
.long td.words{min-width:16rem;width:45%}
td.words{text-align:left;color:var(--soft);width:99%}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:3rem;align-items:start}
.facts tr>:first-child{white-space:normal;color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:2.5rem 3rem}
.chart{min-width:0}
.chart.wide{grid-column:1/-1}
.chart svg{display:block;width:100%;height:auto;max-width:34rem}
.chart.wide svg{max-width:none;min-width:38rem}
.chart figcaption{margin:.5rem 0 0}
details{border-bottom:1px solid var(--line);padding:.55rem 0}
summary{cursor:pointer;display:grid;grid-template-columns:.6rem 1fr auto;gap:.6rem;overflow-wrap:anywhere}
summary::-webkit-details-marker{display:none}
summary::before{content:"\\25b8";color:var(--soft)}
details[open] summary::before{content:"\\25be"}
details[open] summary{font-weight:600;margin-bottom:.5rem}
summary .score{color:var(--soft);font-weight:400;font-size:.85rem;white-space:nowrap}
details ol{padding-left:1.2rem}
details .note{padding-left:1.2rem}
ol{list-style:none;margin:0;padding:0}
li{display:grid;grid-template-columns:1rem 1fr auto;gap:.6rem;align-items:baseline;overflow-wrap:anywhere}
li.hit{font-weight:600}
li .score{color:var(--soft);font-weight:400;font-size:.82rem}
li svg{width:.7rem;height:.7rem;fill:none;stroke:var(--line);stroke-width:2}
li.hit svg{fill:var(--main);stroke:var(--main)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:52rem){.tiles{grid-template-columns:repeat(3,1fr)}
}
@media (max-width:36rem){main{padding:2rem 1rem 3rem}
.tiles{grid-template-columns:repeat(2,1fr)}
.bars{display:block}
.row{display:grid;grid-template-columns:1fr auto;gap:.2rem 1rem;margin-bottom:.8rem}
.plot{order:1;grid-column:1/-1}
.facts{gap:2rem}
}
@media print{main{max-width:none;padding:0}
section,.chart,details{break-inside:avoid}
.picture svg,.chart.wide svg{min-width:0}
}
"""
