"""The data sets that can be built by name, and what to say about those that cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclare_py.data.apt import AptIndexError
from eclare_py.data.benchmarks import cards, where_to_get
from eclare_py.data.debian import DebianSettings, build_debian
from eclare_py.data.settings import describe_settings, did_you_mean, parse_settings
from eclare_py.data.synthetic import SyntheticSettings, build_synthetic
from eclare_py.errors import UsageError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Builder:
    """A data set made on this machine: its settings and the function that writes the folder."""

    settings: type[Any]
    run: Callable[[Path, Any], None]


BUILDERS: Mapping[str, Builder] = {
    "debian-related": Builder(DebianSettings, build_debian),
    "synthetic": Builder(SyntheticSettings, build_synthetic),
}
# What `synthetic` is given where it stands in for the whole of debian-related: about the same size.
STAND_IN = {"labels": "38000", "documents": "57000"}


def build(name: str, out: str | Path, settings: Mapping[str, str] | None = None) -> Path:
    """Build the data set `name` as a data folder at `out`.

    Args:
        name: A key of `BUILDERS`.
        out: The folder; an earlier data folder there is replaced.
        settings: Settings as text, such as {"labels": "300", "seed": "0"}; `setting_help` lists them.

    Returns:
        `out` as a path.

    Raises:
        UsageError: An unknown name or setting, a bad value, or a public benchmark (the message says where to get it).
        AptIndexError: `debian-related` without a fitting apt index.
    """
    builder = _find(name)
    parsed = parse_settings(builder.settings, settings or {}, name=name)
    folder = Path(out)
    builder.run(folder, parsed)
    return folder


def build_or_synthetic(name: str, out: str | Path, settings: Mapping[str, str] | None = None) -> Path:
    """As `build`, but where `debian-related` has no apt index to be built of, `synthetic` of like size takes its place.

    The card inside the folder says which one it is.
    """
    try:
        return build(name, out, settings)
    except AptIndexError as error:
        given = {key: value for key, value in (settings or {}).items() if key in ("labels", "documents", "seed")}
        stand_in = {**({} if {"labels", "documents"} & given.keys() else STAND_IN), **given}
        _log.warning("%s; this time it is built", error)
        return build("synthetic", out, stand_in)


def setting_help(name: str) -> list[str]:
    """The settings of a data set that is built, one line each."""
    return describe_settings(_find(name).settings)


def _find(name: str) -> Builder:
    if name in BUILDERS:
        return BUILDERS[name]
    if name in cards():
        raise UsageError(where_to_get(name))
    known = [*BUILDERS, *(other for other in cards() if other not in BUILDERS)]
    by_lower = {other.lower(): other for other in known}
    guess = did_you_mean(name.lower(), by_lower)
    for lower, other in by_lower.items():
        guess = guess.replace(repr(lower), repr(other))
    raise UsageError(f"unknown data set {name!r}{guess}; built here: {', '.join(BUILDERS)}")
