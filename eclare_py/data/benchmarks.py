"""Cards of the known data sets: statistics, propensity constants, files and where they come from.

`benchmarks.json` beside this file is what an installed package has of the folder `datasets/` of the repository; a test
holds the two equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def cards() -> dict[str, dict[str, Any]]:
    """Every card by name, in the order of the names."""
    text = files("eclare_py.data").joinpath("benchmarks.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def built_card(name: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """What a builder writes into `card.json` of a data folder: name, propensity, licence, and how it was built."""
    known = cards()[name]
    return {"name": name, "propensity": known["propensity"], "licence": known["licence"], **details}


def where_to_get(name: str) -> str:
    """How to get a data set that is not built here: the place, and which files go where."""
    card = cards()[name]
    wanted = ", ".join(card["files"])
    steps = " ".join(card["get"])
    return f"{name} is downloaded, not built: see {card['url']}. {steps} The data folder then holds {wanted}."
