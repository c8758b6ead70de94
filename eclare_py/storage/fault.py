"""Faults on demand, for the crash tests: a process dies, fails or finds the disk full at the Nth of its steps.

Whatever must survive a kill calls `point` at every step that matters: before a write, a flush, a rename, a deletion, at
each row of a data folder and each event of a training. That costs a look at one variable, and does nothing, unless a
fault was asked for when the process began or by `arm`:

    ECLARE_FAULT=kill:7     SIGKILL to itself at the 7th point
    ECLARE_FAULT=raise:7    InjectedFault at the 7th point
    ECLARE_FAULT=enospc:7   "No space left on device" at the 7th point that writes, and at all that follow
    ECLARE_FAULT=count      nothing happens; `arm` returns a plan that has seen all points

Nothing but a test has a use for it.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass, field

VARIABLE = "ECLARE_FAULT"
KINDS = ("kill", "raise", "enospc", "count")


class InjectedFault(RuntimeError):
    """What `raise:N` raises."""


@dataclass
class Plan:
    """A fault to come.

    Attributes:
        kind: One of `KINDS`.
        at: At which point, counted from 1.
        seen: Names of the points passed, this one included; for "enospc" those that write.
        writes: How many points that write were passed.
    """

    kind: str
    at: int = 0
    seen: list[str] = field(default_factory=list)
    writes: int = 0

    @classmethod
    def parse(cls, text: str) -> Plan | None:
        """A plan in words, such as "kill:7"; None for no words.

        Raises:
            ValueError: Something else.
        """
        kind, _, number = text.partition(":")
        if not text:
            return None
        if kind not in KINDS or not (number.isdecimal() or (kind == "count" and not number)):
            raise ValueError(f"{VARIABLE}={text!r} is no fault: write kill:N, raise:N, enospc:N or count")
        return cls(kind, int(number or 0))

    def pass_by(self, name: str, writes: bool) -> None:
        """One more point; the fault, where it is due."""
        self.writes += writes
        if self.kind == "enospc" and not writes:
            return
        self.seen.append(name)
        if self.kind == "enospc" and len(self.seen) >= self.at:  # a full disk stays full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if len(self.seen) != self.at:
            return
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "raise":
            raise InjectedFault(f"fault at point {self.at}, {name}")


_plan = Plan.parse(os.environ.get(VARIABLE, ""))


def point(name: str, *, writes: bool = False) -> None:
    """A step at which a process may die.

    Args:
        name: What comes next, for people who read which kill was not survived.
        writes: It puts bytes on the disk, so a full one would be noticed here.
    """
    if _plan is not None:
        _plan.pass_by(name, writes)


def arm(text: str) -> Plan | None:
    """Plan a fault of this process from here on, its points counted anew; "" for none.

    Raises:
        ValueError: No such fault.
    """
    global _plan
    _plan = Plan.parse(text)
    return _plan
