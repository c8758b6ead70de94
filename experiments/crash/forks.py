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
        said: On stdout and stderr.
        seconds: It lived.
    """

    signal: int
    code: int
    points: tuple[str, ...]
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
    reader, writer = os.pipe()
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _be_child(work, plan, file_size, said.fileno(), writer)
        os.close(writer)
        if after is not None:
            time.sleep(after)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with os.fdopen(reader) as pipe:
            points = pipe.read()
        status = os.waitpid(pid, 0)[1]
        seconds = time.perf_counter() - started
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return Outcome(
        os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, os.waitstatus_to_exitcode(status),
        tuple(json.loads(points or "[]")), text, seconds,
    )  # fmt: skip


def _be_child(work: Callable[[], int], plan: str, file_size: int | None, said: int, writer: int) -> None:
    code = _BROKEN
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
        armed = fault.arm(plan)
        code = work()
        if armed is not None and armed.kind == "count":
            os.write(writer, json.dumps(armed.seen).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
