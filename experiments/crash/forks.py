"""Work in a forked child that dies, fails or is killed on demand; the parent has all imports and kernels ready."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from eclare_py.storage import fault

_BROKEN = 70  # exit code of a child with an error that nobody expected


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        signal: That killed it; 0 for none.
        code: Its exit code.
        points: Names of the points it passed, where it was to count them.
        writes: How many of them write.
        said: On stdout and stderr.
        seconds: It lived.
    """

    signal: int
    code: int
    points: tuple[str, ...]
    writes: int
    said: str
    seconds: float


def in_fork(
    work: Callable[[], int], plan: str = "", *, after: float | None = None, file_size: int | None = None
) -> Outcome:
    """Run `work` in a child.

    Args:
        work: What it does; gives the exit code.
        plan: Its fault, in the words of `fault.arm`.
        after: Seconds after which it is killed, wherever it is.
        file_size: Most bytes that a file of it may have, as with a quota.
    """
    sys.stdout.flush()
    reader, writer = os.pipe()  # no file: the child's may be limited
    started = time.perf_counter()
    with tempfile.TemporaryFile() as passed:
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _be_child(work, plan, file_size, writer, passed.fileno())
        os.close(writer)
        if after is not None:
            time.sleep(after)
            os.kill(pid, signal.SIGKILL)  # ended or not, it is there until it is waited for
        with os.fdopen(reader, encoding="utf-8", errors="replace") as pipe:
            said = pipe.read()
        status = os.waitpid(pid, 0)[1]
        seconds = time.perf_counter() - started
        passed.seek(0)
        points, writes = json.loads(passed.read() or "[[], 0]")
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return Outcome(killed, os.waitstatus_to_exitcode(status), tuple(points), writes, said, seconds)


def _be_child(work: Callable[[], int], plan: str, file_size: int | None, said: int, passed: int) -> None:
    code = _BROKEN
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        armed = fault.arm(plan)
        code = work()
        if armed is not None and armed.kind == "count":
            os.write(passed, json.dumps([armed.seen, armed.writes]).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
