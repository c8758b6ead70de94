"""Settings of the data builders: `name=value` words from a command line, turned into a checked frozen dataclass."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from eclare_py.errors import UsageError

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class _Range:
    low: float = -math.inf
    high: float = math.inf

    def check(self, value: float, text: str, where: str) -> None:
        if not self.low <= value <= self.high:
            raise UsageError(f"{where}: {text} is outside {self.low:g} .. {self.high:g}")


def setting(default: Any, about: str, *, low: float = -math.inf, high: float = math.inf) -> Any:
    """A dataclass field with a line of help and, for numbers, the range allowed."""
    return field(default=default, metadata={"about": about, "range": _Range(low, high)})


def parse_settings(kind: type[Settings], settings: Mapping[str, str], *, name: str) -> Settings:
    """Build `kind` from text settings; whole numbers may be written 1_000_000 or 1e6.

    Args:
        kind: A dataclass whose fields are made by `setting`, of type str, int, float or one of these `| None`.
        settings: What the user wrote.
        name: The data set, for messages.

    Raises:
        UsageError: An unknown name (with the nearest known one), a value of the wrong type or out of range.
    """
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    for key in settings:
        if key not in known:
            raise UsageError(f"{name} has no setting {key!r}{did_you_mean(key, known)}; it has {', '.join(known)}")
    return kind(**{key: _parse(text, hints[key], known[key], f"{name}: {key}") for key, text in settings.items()})


def describe_settings(kind: type) -> list[str]:
    """One line of help a setting: `name=default  what it is`."""
    return [
        f"{one.name}={'' if one.default in (None, MISSING) else one.default}  {one.metadata.get('about', '')}"
        for one in fields(kind)
    ]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`", did you mean 'x'?"`, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def _parse(text: str, hint: Any, target: Field[Any], where: str) -> Any:
    choices = [part for part in get_args(hint) if part is not type(None)] if isinstance(hint, UnionType) else [hint]
    parsers: dict[type, Callable[[str], Any]] = {int: _whole, float: float, str: str}
    parser = parsers[choices[0]]
    try:
        value = parser(str(text).strip())
    except ValueError:
        wanted = {int: "a whole number", float: "a number"}[choices[0]]
        raise UsageError(f"{where}={text!r} is not {wanted}") from None
    if isinstance(value, int | float):
        target.metadata["range"].check(value, str(text), where)
    elif not value:
        raise UsageError(f"{where} is empty: leave it out to use the default")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():  # also infinity and NaN
            raise ValueError(text) from None
        return int(number)
