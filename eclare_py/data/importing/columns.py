"""Finding the wanted columns of a table, and saying which one was meant where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from eclare_py.data.problems import show
from eclare_py.data.settings import did_you_mean


def names_of(words: str) -> list[str]:
    """Names that stand between commas."""
    return [word.strip() for word in words.split(",") if word.strip()]


def missing_column(wanted: Sequence[str], there: Sequence[str]) -> str | None:
    """What is wrong with the columns of a table; None where each wanted one is there once."""
    for name in wanted:
        if list(there).count(name) > 1:
            return f"column {name!r} stands twice in {listed(there)}: rename one"
    absent = [f"no column {name!r}{nearest(name, there)}" for name in wanted if name not in there]
    if absent:
        return f"{'; '.join(absent)} (there are: {listed(there)})"
    return None


def nearest(name: str, known: Sequence[str]) -> str:
    """`", did you mean 'Title'?"`, also where upper and lower case differ; nothing where no known name is near."""
    by_case = {str(other).casefold(): str(other) for other in known}
    exact = by_case.get(name.casefold())
    if exact is not None:
        return f", did you mean {exact!r}?"
    guess = did_you_mean(name.casefold(), by_case)
    for folded, other in by_case.items():
        guess = guess.replace(repr(folded), repr(other))
    return guess


def listed(names: Sequence[str]) -> str:
    """Names for a message."""
    shown = ", ".join(str(name) for name in names[:20]) or "none"
    return show(shown)[1:-1] if len(shown) > 200 else shown + (", ..." if len(names) > 20 else "")
