"""Run what a page of the documentation tells one to type, in one process and in the folder it is started from.

    python run_page.py PAGE

Trainings take fewer steps than they would: what is tested is that the commands are right.
"""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from eclare_py.cli.app import app
from eclare_py.train import recipe

# Blocks marked `console` show what needs more than this machine has (a GPU, a model of one's own); they are not run.
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.M | re.S)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
SHORT = ("rank.steps=40", "rank.fusion_batch=512", "training.surrogate_epochs=2", "document.dim=32", "linear.rounds=3")


def shorten() -> None:
    """Lay `SHORT` under the settings of every training."""
    load = recipe.load_recipe

    def short(path: Any, words: Any = ()) -> recipe.Recipe:
        return load(path, [*SHORT, *words])

    recipe.load_recipe = short


def run(page: Path) -> None:
    """Every block, from top to bottom."""
    for number, (language, code) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
        if language == "python":
            script = Path(f"block{number}.py")
            script.write_text(code, encoding="utf-8")
            runpy.run_path(str(script))
            continue
        lines = [line for line in code.replace("\\\n", " ").splitlines() if line.strip()]
        if any(re.search(r"^(?!eclare )|[|<>&]", QUOTED.sub("", line)) for line in lines):
            subprocess.run(["bash", "-e", "-u", "-c", code], check=True)
            continue
        for line in lines:
            app(shlex.split(line, comments=True)[1:], standalone_mode=False)


if __name__ == "__main__":
    shorten()
    run(Path(sys.argv[1]))
