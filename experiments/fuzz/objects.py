"""JSON with one thing wrong, in a place chosen at random."""

from __future__ import annotations

import json
from random import Random
from typing import Any

HUGE = "9" * 400
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 127, 1000, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63),
    10**12, 0.5, -0.5, 1e-300, 1e308, -1e308, "", "0", "x", "x" * 100_000, "\ud800", "../../../etc/passwd", "a\0b", [],
    [0], {}, {"": 0}, [[]], int(HUGE),
)  # fmt: skip
NOT_JSON = ("NaN", "-Infinity", "1e999", "[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900,
            "1.5.2", "'x'", "0" * 5000, "9" * 5000, '"\\ud800"', "\x00")  # fmt: skip
_MARK = "mark-7c1f"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in nested lists and objects; of a long list only its ends."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)) if len(value) < 6 else (0, 1, len(value) - 1):
            found += places(value[index], (*path, index))
    return found


def holder_of(value: Any, path: tuple[Any, ...]) -> Any:
    """The list or object that a place is in."""
    for step in path[:-1]:
        value = value[step]
    return value


def damaged(text: str, random: Random) -> tuple[str, str]:
    """A JSON text with one thing wrong, and what that is."""
    value = json.loads(text)
    spots = places(value)
    if not spots:
        return random.choice(("[]", "null", "0", '""', '{"a": 1}', *NOT_JSON)), "whole"
    path = random.choice(spots)
    holder, key = holder_of(value, path), path[-1]
    name = ".".join(map(str, path))
    what = random.choice(("value", "value", "value", "value", "delete", "rename", "repeat", "grow", "raw", "whole"))
    if what == "value":
        holder[key] = random.choice(VALUES)
        return json.dumps(value), f"{name} = {json.dumps(holder[key])[:30]}"
    if what == "delete":
        del holder[key]
    elif what == "rename" and isinstance(holder, dict):
        holder[random.choice(("x", key + "_", "__class__", ""))] = holder.pop(key)
    elif what == "grow":
        holder[key] = holder[key] * 2 if isinstance(holder[key], (list, str)) else [holder[key]]
    elif what == "whole":
        return random.choice(("[]", "null", "0", '""', "{}", f"[{text}]", text + text)), "whole"
    else:
        holder[key] = _MARK
        raw = random.choice(NOT_JSON) if what == "raw" else f'0, "{key}": {random.choice(("1", "[]", "null"))}'
        return json.dumps(value).replace(f'"{_MARK}"', raw), f"{name} {what} {raw[:20]}"
    return json.dumps(value), f"{name} {what}"
