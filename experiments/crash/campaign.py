"""Kill, look, restart, compare: at many points of a verb."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crash.forks import Outcome, in_fork
from crash.verbs import Verb
from eclare_py.errors import EclareError

ABSENT, OLD, NEW, BROKEN = "absent", "old", "new", "broken"
_MARKS = (".tmp-", ".old-", ".lock", ".partial")
_GOING_ON = ("resumed in stage", "going on behind", "1 done before")
_SECOND = 60  # the restart of every third kill is killed too, at one of its first points


@dataclass(frozen=True)
class Trial:
    """One disturbance.

    Attributes:
        verb: Of what.
        kind: "point", "time", "full" (disk) or "quota".
        at: Number of the point, seconds, or bytes.
        before: The name of the point, where there is one.
        happened: The process was killed, or told of the full disk as it should: one line that names the output.
        found: The output after it: absent, old, new, or broken.
        allowed: It may be so.
        equal: The restart ended in the output of an undisturbed run.
        litter: What stayed beside it.
        went_on: The restart said that it goes on, rather than begins anew.
        said: By the restart that failed, or by the process with the full disk that said the wrong thing.
    """

    verb: str
    kind: str
    at: float
    before: str
    happened: bool
    found: str
    allowed: bool
    equal: bool
    litter: tuple[str, ...]
    went_on: bool
    said: str

    @property
    def good(self) -> bool:
        """Nothing was lost and nothing half was seen."""
        return self.happened and self.allowed and self.equal and not self.litter


class Campaign:
    """All trials of a verb; `root` is where it works.

    Attributes:
        points: What an undisturbed run passes, with an earlier output to replace and without.
        writes: How many of the latter points write.
    """

    def __init__(self, verb: Verb, root: Path, seed: int = 0) -> None:
        self.verb, self.root = verb, root
        self.random = random.Random(seed)
        self.points: dict[bool, tuple[str, ...]] = {}
        for old in (True, False):
            undisturbed = self._fresh("undisturbed", old=old)
            counted = in_fork(lambda at=undisturbed: verb.run(at), "count")
            if counted.code:
                raise SystemExit(f"{verb.name} fails without a fault: {counted.said}")
            self.points[old] = counted.points
        self.writes = counted.writes
        self.seconds = counted.seconds
        self.digests = {verb.digest(verb.old): OLD, verb.digest(undisturbed / verb.output): NEW}
        self.names = sorted(os.listdir(undisturbed))

    def kills(self, count: int) -> Iterator[Trial]:
        """Kills at points of all kinds, each kind spread evenly over the run."""
        half = count // 2
        for number, at in enumerate(chosen(self.points[True], half) + chosen(self.points[False], count - half)):
            yield self._kill(number, f"kill:{at}", None, at, old=number < half)

    def random_kills(self, count: int) -> Iterator[Trial]:
        """Kills at random moments, mostly between two points."""
        for number in range(count):
            seconds = self.random.uniform(0, self.seconds)
            yield self._kill(number, "", seconds, round(seconds, 4), old=number % 2 == 0)

    def full_disks(self, count: int) -> Iterator[Trial]:
        """Runs that find the disk full, at writes spread evenly over the run."""
        for number, write in enumerate(spread(count, self.writes)):
            at = self._fresh("full", old=number % 2 == 0)
            yield self._refuse(at, "full", write, in_fork(lambda at=at: self.verb.run(at), f"enospc:{write}"))

    def quotas(self, sizes: tuple[int, ...]) -> Iterator[Trial]:
        """Runs whose files may only have so many bytes."""
        for size in sizes:
            at = self._fresh("quota", old=True)
            yield self._refuse(at, "quota", size, in_fork(lambda at=at: self.verb.run(at), file_size=size))

    def _kill(self, number: int, plan: str, after: float | None, at: float, *, old: bool) -> Trial:
        """One kill, of a run that may have an earlier output to lose."""
        folder = self._fresh("killed", old=old)
        killed = in_fork(lambda: self.verb.run(folder), plan, after=after)
        happened = killed.signal == signal.SIGKILL or (after is not None and not killed.code)
        found = self._look(folder)
        if number % 3 == 2:
            in_fork(lambda: self.verb.run(folder), f"kill:{self.random.randint(1, _SECOND)}")
            second = self._look(folder)
            found = second if second == BROKEN else found
        before = self.points[old][int(at) - 1] if after is None else ""
        return self._end(folder, "time" if after is not None else "point", at, before, happened, found, old, "")

    def _refuse(self, folder: Path, kind: str, at: float, outcome: Outcome) -> Trial:
        """A run that ended, or not, as the disk was full."""
        lines = [line for line in outcome.said.splitlines() if line.startswith(("error: ", "failed: "))]
        told = bool(lines) and all(str(folder) in line for line in lines) and "Traceback" not in outcome.said
        happened = told and outcome.code in (1, 2) or kind == "quota" and outcome.code == 0
        old = (folder / self.verb.output).exists()
        found = self._look(folder)
        return self._end(folder, kind, at, "", happened, found, old, "" if happened else outcome.said[-2000:])

    def _end(
        self, folder: Path, kind: str, at: float, before: str, happened: bool, found: str, old: bool, said: str
    ) -> Trial:
        """Restart without a fault, and compare."""
        again = in_fork(lambda: self.verb.run(folder))
        equal = again.code == 0 and self._look(folder) == NEW
        left = {path.name for path in folder.rglob("*") if any(mark in path.name for mark in _MARKS)}
        litter = tuple(sorted(left | (set(os.listdir(folder)) - set(self.names))))
        went_on = any(words in again.said for words in _GOING_ON)
        allowed = found in ((OLD, NEW) if old else (ABSENT, NEW))
        return Trial(
            self.verb.name, kind, at, before, happened, found, allowed, equal, litter,
            went_on, said or ("" if equal else again.said[-2000:]),
        )  # fmt: skip

    def _look(self, folder: Path) -> str:
        """What a reader finds who comes now."""
        output = folder / self.verb.output
        try:
            self.verb.load(output)  # it brings an output back that was killed in the instant of its swap
        except EclareError:
            return ABSENT if not output.exists() else BROKEN
        return self.digests.get(self.verb.digest(output), BROKEN)

    def _fresh(self, name: str, *, old: bool) -> Path:
        folder = self.root / self.verb.name / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if old:
            self.verb.put_old(folder)
        return folder


def chosen(points: Sequence[str], count: int) -> list[int]:
    """Numbers of `count` points: as many of each name as there is room for, so that rows leave some to renames."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(points, start=1):
        places[name].append(number)
    found: list[int] = []
    for most in range(1, len(points) + 1):
        found = sorted(same[one - 1] for same in places.values() for one in spread(most, len(same)))
        if len(found) >= min(count, len(points)):
            break
    return [found[one - 1] for one in spread(count, len(found))]


def spread(count: int, total: int) -> list[int]:
    """At most `count` different numbers of 1..total, evenly, both ends among them."""
    if count >= total:
        return list(range(1, total + 1))
    return [1 + round(step * (total - 1) / max(count - 1, 1)) for step in range(count)]


def summary(trials: list[Trial]) -> dict[str, int]:
    """Counts of what was found."""
    found = Counter(trial.found for trial in trials)
    return {
        "trials": len(trials), **{name: found[name] for name in (ABSENT, OLD, NEW, BROKEN)},
        "went_on": sum(trial.went_on for trial in trials), "equal": sum(trial.equal for trial in trials),
        "litter": sum(bool(trial.litter) for trial in trials),
        "good": sum(trial.good for trial in trials),
    }  # fmt: skip
