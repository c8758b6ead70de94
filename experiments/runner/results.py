"""What came out of an experiment: figures by data set, variant and seed; means, spreads, gains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from eclare_py.data import DataFolder
from runner.plan import Experiment
from runner.store import Store

COSTS = ("train_cpu_s", "train_s", "assemble_cpu_s", "cpu_ms_a_document", "documents_a_s", "ms_one_document")


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds (None for a single one)."""

    mean: float
    sd: float | None
    seeds: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Of the values that are there; None where there are none."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(mean(known), stdev(known) if len(known) > 1 else None, len(known))

    def text(self, *, sign: bool = False) -> str:
        """As tables show it."""
        shown = f"{self.mean:+.2f}" if sign else f"{self.mean:.2f}"
        return shown if self.sd is None else f"{shown} ± {self.sd:.2f}"


@dataclass(frozen=True)
class Results:
    """The finished cells of an experiment.

    Attributes:
        experiment: The experiment.
        cells: (data set, variant) -> seed -> result of the cell, as `execute` wrote it.
    """

    experiment: Experiment
    cells: dict[tuple[str, str], dict[int, dict[str, Any]]]

    @classmethod
    def read(cls, store: Store, experiment: Experiment, folders: Mapping[str, DataFolder]) -> Results:
        """All finished cells, those of earlier calls too.

        Args:
            store: Where.
            experiment: Which.
            folders: Data sets at hand; only of these more is measured, where the experiment does.
        """
        found: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
        for entry in store.plan(experiment.name):
            if not store.done(entry["key"]):
                continue
            result = store.result(entry["key"])
            if experiment.measure is not None and entry["data"] in folders:
                ranking = store.ranking(entry["key"])
                result["metrics"] |= experiment.measure(ranking, folders[entry["data"]], entry["seed"])
            found.setdefault((entry["data"], entry["variant"]), {})[entry["seed"]] = result
        return cls(experiment, found)

    @property
    def data(self) -> list[str]:
        """Names of the data sets."""
        return list(dict.fromkeys(data for data, _ in self.cells))

    def variants(self, data: str) -> list[str]:
        """Variants with a finished cell, in the order of the declaration."""
        return [one.name for one in self.experiment.variants if (data, one.name) in self.cells]

    def seeds(self, data: str, variant: str) -> list[int]:
        """Seeds that are there."""
        return sorted(self.cells.get((data, variant), {}))

    def values(self, data: str, variant: str, name: str) -> dict[int, float | None]:
        """A metric or cost by seed; None where it is not known."""
        cells = self.cells.get((data, variant), {})
        return {seed: _figure(cell, name) for seed, cell in sorted(cells.items())}

    def spread(self, data: str, variant: str, name: str) -> Spread | None:
        """A metric or cost over seeds."""
        return Spread.of(self.values(data, variant, name).values())

    def gain(self, data: str, variant: str, name: str, base: str | None = None) -> Spread | None:
        """How far a variant is above the base, by seeds that both have: what both owe to the seed cancels out."""
        own, other = (self.values(data, one, name) for one in (variant, base or self.experiment.base_of(variant)))
        return Spread.of(_minus(own[seed], other[seed]) for seed in own.keys() & other.keys())

    def bins(self, data: str) -> list[dict[str, Any]]:
        """The frequency bins with test pairs: name and number of pairs. The test split decides, so all cells agree."""
        for (own, _), cells in self.cells.items():
            for cell in cells.values():
                if own == data:
                    return [one for one in cell["bins"] if one["pairs"]]
        return []


def _figure(cell: dict[str, Any], name: str) -> float | None:
    """A cost, a metric, or METRIC[BIN]."""
    if name in COSTS or name in cell["cost"]:
        return cell["cost"].get(name)
    metric, bracket, rest = name.partition("[")
    if not bracket:
        return cell["metrics"].get(name)
    wanted = rest.removesuffix("]")
    return next((one["metrics"].get(metric) for one in cell["bins"] if one["name"] == wanted), None)


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
