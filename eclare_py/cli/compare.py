"""`eclare compare`: which figures of two or more groups of results differ, and which differences are noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eclare_py.cli.console import output, printable, say, show_table
from eclare_py.errors import UsageError
from eclare_py.storage import write_json

if TYPE_CHECKING:
    from eclare_py.metrics.comparison import Study


def compare(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Result files of `eclare evaluate --json`.", show_default=False)
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="NAME=GLOB: these files are one group; may be repeated.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="What other results are grouped by: settings, name or file.")] = (
        "settings"
    ),
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Figures to compare, as 'R@10*'; may be repeated [all].", show_default=False),
    ] = None,
    matched: Annotated[
        bool, typer.Option("--matched", help="Groups are the same models at other settings: pair them by seed.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="File for all numbers.", show_default=False, dir_okay=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Page to write.", show_default=False, dir_okay=False)
    ] = None,
) -> None:
    """Say which figures of several results differ, and which differences are noise.

    Results of one recipe that differ by their seed are one group; every other group is compared to the first. A
    difference counts where it is beyond what other test documents and other seeds would give, corrected for the number
    of figures (Holm). With one result a group nothing is known of seeds: train three or more.

    \b
    eclare compare base-0.json base-1.json base-2.json graph-0.json graph-1.json graph-2.json
    eclare compare --group base='base-*.json' --group graph='graph-*.json' --html comparison.html
    eclare compare a.json b.json --by file --only 'R@10*' --only 'PSP@?'
    """
    from eclare_py.metrics.comparison import compare as compare_runs
    from eclare_py.metrics.runs import caveats, find_groups, group_runs, match_runs, read_runs
    from eclare_py.report import comparison as report

    named = find_groups(group or [])
    taken = [path for paths in named.values() for path in paths]
    others = [path for path in results or [] if path.resolve() not in {one.resolve() for one in taken}]
    if len(taken) + len(others) < 2:
        given = "no result is given" if not taken and not others else "one result alone cannot be compared"
        raise UsageError(f"{given}: name two or more result files of `eclare evaluate --json`")
    runs = iter(read_runs([*taken, *others]))
    groups = {name: [next(runs) for _ in paths] for name, paths in named.items()}
    for name, members in group_runs(list(runs), by=by).items():
        groups[name if name not in groups else f"{name} ({members[0].path.with_suffix('')})"] = members
    if matched:
        groups = match_runs(groups)
    scores = {name: [one.scores for one in members] for name, members in groups.items()}
    study = compare_runs(scores, only=only or [], matched=matched)
    notes = [*caveats(groups), *filter(None, [study.left_out])]
    _show(study)
    for note in notes:
        say(note)
    files = {name: [str(one.path) for one in members] for name, members in groups.items()}
    if json is not None:
        words = [{"base": one.base, "other": one.other, **report.in_words(one)} for one in study.comparisons]
        write_json(json, {"summary": words, "notes": notes, "groups": files, **study.to_mapping()}, indent=2)
        say(f"comparison written to {json}")
    if html is not None:
        report.write_page(report.build_page(study, files, notes), html)
        say(f"page written to {html}")


def _show(study: Study) -> None:
    """Tables first, verdicts last, where they are still on the screen."""
    from eclare_py.report import comparison as report

    tables = [report.difference_table(one, study.settings["level"]) for one in study.comparisons]
    for table in (*(tables or [report.figures_table(study)]), report.seeds_table(study)):
        if table.rows:
            show_table(table)
    for one in study.comparisons:
        words = report.in_words(one).items()
        lines = [f"{one.other} against {one.base}", *(f"  {verdict}: {line}" for verdict, line in words)]
        output.print("\n".join(map(printable, lines)), markup=False, highlight=False, soft_wrap=True)
