"""Many mutations of some folders, judged one by one and counted."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fuzz.damage import Mutation
from fuzz.judge import REFUSED, Verdict, judge


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
            names = {path.name for path in folder.rglob("*")}
            told = mutation(folder, random)
            names |= {path.name for path in folder.rglob("*")}
            begun = time.perf_counter()
            verdict = judge(lambda folder=folder, attempt=target.attempt: attempt(folder))
            verdict = _named(verdict, folder, names)
            seconds = time.perf_counter() - begun
            case = Case(number, target.name, mutation.__name__.strip("_"), told, verdict, seconds)
            self.cases.append(case)
            yield case
        shutil.rmtree(work / "copy", ignore_errors=True)

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
            "by_target": {t.name: dict(Counter(c.verdict.outcome for c in self.cases if c.target == t.name))
                          for t in self.targets},
            "slowest_seconds": round(max((case.seconds for case in self.cases), default=0.0), 2),
            "most_grown_mib": round(max((case.verdict.grown for case in self.cases), default=0) / 2**20, 1),
            "wrong": [asdict(case) for case in self.cases if not case.fine],
        }  # fmt: skip


def _named(verdict: Verdict, folder: Path, names: set[str]) -> Verdict:
    """A refusal that names none of the files is none."""
    if verdict.outcome != REFUSED:
        return verdict
    detail = verdict.detail
    named = str(folder) in detail and any(name in detail for name in names)
    return verdict if named else Verdict("names no file", detail, verdict.grown)
