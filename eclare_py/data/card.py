"""The optional card.json of a data folder: its name and the constants of its propensity model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclare_py.data.dataset import DEFAULT_PROPENSITY_A, DEFAULT_PROPENSITY_B
from eclare_py.data.lines import check_regular
from eclare_py.data.problems import Place, Report, show

CARD = "card.json"


@dataclass(frozen=True)
class Card:
    """What a data folder says about itself; see `DataFolder`."""

    name: str
    propensity_a: float = DEFAULT_PROPENSITY_A
    propensity_b: float = DEFAULT_PROPENSITY_B


def read_card(folder: Path, report: Report) -> Card:
    """Read card.json: {"name": ..., "propensity": {"A": .., "B": ..}}, all keys optional, others left alone."""
    place, default = Place(folder / CARD, report), Card(folder.resolve().name)
    try:
        check_regular(place.path)
        card = json.loads(place.path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return default
    except json.JSONDecodeError as error:
        place.line = error.lineno
        place.fault(f"invalid JSON at column {error.colno} ({error.msg}): write one object")
        return default
    except (OSError, ValueError, RecursionError) as error:
        place.fault(f"cannot be read ({error}): write one JSON object in UTF-8")
        return default
    if not isinstance(card, dict):
        place.fault(f'{show(card)} is not a JSON object: write {{"name": ...}}')
        return default
    name = card.get("name", default.name)
    if not isinstance(name, str) or not name.strip():
        place.fault(f"name is {show(name)}: it must be a string with at least one character")
        name = default.name
    propensity = card.get("propensity", {})
    if not isinstance(propensity, dict):
        place.fault(f'propensity is {show(propensity)}: write {{"A": 0.55, "B": 1.5}}')
        propensity = {}
    a = _constant(propensity, "A", DEFAULT_PROPENSITY_A, place)
    return Card(name, a, _constant(propensity, "B", DEFAULT_PROPENSITY_B, place))


def _constant(propensity: dict[str, Any], key: str, default: float, place: Place) -> float:
    value = propensity.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1000:
        place.fault(f"propensity {key} is {show(value)}: it must be a number above 0, e.g. {default}")
        return default
    return float(value)
