"""Many mutations of some folders, judged one by one and counted."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fuzz.damage import Mutation
from fuzz.judge import REFUSED, Verdict, judge

# A file of the mutated folder, or its own name behind the folder's.
_FILE = re.compile(r"/copy/.|/copy\b.*\b\w+\.(json|txt|safetensors)|\.safetensors of the model")


@dataclass(frozen=True)
class Target:
    """A good folder, what may be done to it, and what is tried with it then.

    Attributes:
        name: What tables call it.
        folder: The good folder; it is copied.
        mutations: Drawn from with equal chances.
        attempt: Loads and uses a folder; raises what the library raises.
    """

    name: str
    folder: Path
    mutations: tuple[Mutation, ...]
    attempt: Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """A mutation and what became of it."""

    number: int
    target: str
    mutation: str
    told: str
    verdict: Verdict
    seconds: float

    def __str__(self) -> str:
        return f"{self.number}, {self.target}, {self.mutation} ({self.told})"

    @property
    def fine(self) -> bool:
        """Whether the library may answer so."""
        return self.verdict.fine


@dataclass
class Campaign:
    """Mutations number 0, 1, .. of one seed; each is the same whichever are run besides it."""

    targets: list[Target]
    seed: int
    cases: list[Case] = field(default_factory=list)

    def run(self, numbers: range, work: Path) -> Iterator[Case]:
        """Judge these mutations, in a folder for the copies."""
        for number in numbers:
            target = self.targets[number % len(self.targets)]
            random = Random(self.seed * 1_000_003 + number)
            mutation = random.choice(target.mutations)
            folder = work / "copy"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(target.folder, folder)
            told = mutation(folder, random)
            begun = time.perf_counter()
            verdict = judge(partial(target.attempt, folder))
            verdict = _named(verdict, folder)
            seconds = time.perf_counter() - begun
            case = Case(number, target.name, mutation.__name__.strip("_"), told, verdict, seconds)
            self.cases.append(case)
            yield case

    def table(self) -> str:
        """Counts by target and mutation, as Markdown."""
        counts = Counter((case.target, case.mutation, case.verdict.outcome) for case in self.cases)
        outcomes = sorted({outcome for _, _, outcome in counts})
        rows = ["| target | mutation | " + " | ".join(outcomes) + " |", "|---|---" + "|---:" * len(outcomes) + "|"]
        for target, mutation in sorted({(case.target, case.mutation) for case in self.cases}):
            shown = " | ".join(str(counts[target, mutation, outcome]) for outcome in outcomes)
            rows.append(f"| {target} | {mutation} | {shown} |")
        return "\n".join(rows)

    def figures(self) -> dict[str, Any]:
        """All of it as plain data; cases that went wrong in full."""
        return {
            "seed": self.seed,
            "count": len(self.cases),
            "outcomes": dict(Counter(case.verdict.outcome for case in self.cases)),
            "by_target": {target.name: self._of(target.name) for target in self.targets},
            "slowest_seconds": round(max((case.seconds for case in self.cases), default=0.0), 2),
            "wrong": [asdict(case) for case in self.cases if not case.fine],
        }  # fmt: skip


    def _of(self, name: str) -> dict[str, Any]:
        """Figures of one target."""
        own = [case for case in self.cases if case.target == name]
        figures: dict[str, Any] = dict(Counter(case.verdict.outcome for case in own))
        if own:
            largest, slowest = max(own, key=lambda case: case.verdict.grown), max(own, key=lambda case: case.seconds)
            figures["largest"] = f"{largest.verdict.grown / 2**20:.1f} MiB more: {largest}"
            figures["slowest"] = f"{slowest.seconds:.1f} s: {slowest}"
        return figures


def _named(verdict: Verdict, folder: Path) -> Verdict:
    """A refusal that names no file is none."""
    if verdict.outcome != REFUSED or _FILE.search(verdict.detail[verdict.detail.find(str(folder)) :]):
        return verdict
    return Verdict("names no file", verdict.detail, verdict.grown)
