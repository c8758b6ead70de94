"""Run by test_folder.py in a process of its own: saves, and dies by SIGKILL before the durable step number ARGV[3].

Usage: crash_save.py FOLDER CONTENT STEP [nomanifest]. Prints the number of steps when it lived through all of them.
"""

from __future__ import annotations

import sys

import numpy as np

from eclare_py.storage import State, atomic_folder, write_state
from eclare_py.storage.fault import arm

target, content, deadly = sys.argv[1:4]
plan = arm(f"kill:{deadly}")
assert plan is not None
with atomic_folder(target, manifest="nomanifest" not in sys.argv) as partial:
    write_state(partial, "part", State({"a": np.full(64, int(content), np.int64)}, {"content": content}))
    (partial / "more").mkdir()
    (partial / "more" / "text.txt").write_text(content * 10)
print(len(plan.seen))
