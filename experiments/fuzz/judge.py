"""One attempt in a forked process: what became of it, however it ended.

A fork of a process that has imported and compiled everything starts in milliseconds, so that thousands take minutes.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from eclare_py.errors import EclareError

SECONDS = 10  # of the processor: other programs may keep it busy
PATIENCE = 3  # times as many on the clock, for what waits and does nothing
HEADROOM = 512 << 20  # address space that an attempt may take beyond what its parent has
ANSWERED, REFUSED = "answered", "refused"
PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended.

    Attributes:
        outcome: "answered", "refused" (an error of ours), or what must not be: "escaped" (another exception), "memory",
            "signal", "hang".
        detail: The message, or the exception and where it came from.
        grown: Bytes of memory that the attempt added to its process at its peak.
    """

    outcome: str
    detail: str = ""
    grown: int = 0

    @property
    def fine(self) -> bool:
        """Whether a program may end like this."""
        return self.outcome in (ANSWERED, REFUSED)


def judge(attempt: Callable[[], None], *, seconds: int = SECONDS, headroom: int = HEADROOM) -> Verdict:
    """Run an attempt in a fork with limits on time and memory."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(attempt, writing, seconds, headroom)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGALRM, signal.SIGPROF):
            return Verdict("hang", f"no end after {seconds} s of the processor, or {PATIENCE * seconds} on the clock")
        return Verdict("signal", signal.Signals(number).name)
    return Verdict(**json.loads(told)) if told else Verdict("escaped", f"exit {os.WEXITSTATUS(status)}")


def _run(attempt: Callable[[], None], writing: int, seconds: int, headroom: int) -> None:
    """The whole life of the child: it never returns."""
    try:
        faulthandler.disable()
        for number in (signal.SIGALRM, signal.SIGPROF):  # the kernel ends it, also within compiled code
            signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.alarm(PATIENCE * seconds)
        before, size = _memory()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (size + headroom, size + headroom))
        verdict = _outcome(attempt)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        told = asdict(Verdict(verdict.outcome, verdict.detail[:2000], max(0, peak - before)))
        os.write(writing, json.dumps(told).encode())
    finally:
        os._exit(0)


def _outcome(attempt: Callable[[], None]) -> Verdict:
    try:
        attempt()
    except EclareError as error:
        return Verdict(REFUSED, str(error))
    except MemoryError as error:
        return Verdict("memory", _place(error))
    except BaseException as error:
        return Verdict("escaped", _place(error))
    return Verdict(ANSWERED)


def _place(error: BaseException) -> str:
    """The exception with the last lines of ours that it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "eclare_py" in frame.filename]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))
    return f"{type(error).__name__} at {where}: {str(error)[:160]}"


def _memory() -> tuple[int, int]:
    """Resident bytes and address space of this process."""
    size, resident = Path("/proc/self/statm").read_text().split()[:2]
    return int(resident) * PAGE, int(size) * PAGE
