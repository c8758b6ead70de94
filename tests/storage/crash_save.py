"""Run by test_folder.py in a process of its own: saves, and dies by SIGKILL before the durable step number ARGV[3].

Usage: crash_save.py FOLDER CONTENT STEP [nomanifest]. Prints the number of steps when it lived through all of them.
"""

from __future__ import annotations

import os
import signal
import sys

import numpy as np

from eclare_py.storage import State, atomic_folder, folder, write_state

target, content, deadly = sys.argv[1], sys.argv[2], int(sys.argv[3])
steps = 0


def die(name: str) -> None:
    global steps
    steps += 1
    if steps == deadly:
        os.kill(os.getpid(), signal.SIGKILL)


folder._step = die
with atomic_folder(target, manifest="nomanifest" not in sys.argv) as partial:
    die("body")
    write_state(partial, "part", State({"a": np.full(64, int(content), np.int64)}, {"content": content}))
    (partial / "more").mkdir()
    die("body")
    (partial / "more" / "text.txt").write_text(content * 10)
print(steps)
