"""Run what a page of the documentation tells one to type, in this process and in the folder it is in.

    python run_page.py WORDS     what `eclare WORDS` does, for the shells of a page

Trainings take fewer steps than they would: what is tested is that the commands are right.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from eclare_py.cli.app import app
from eclare_py.train import recipe

# Blocks marked `console` show what needs more than this machine has (a GPU, a model of one's own); they are not run.
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.M | re.S)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
OWN = re.compile(r"eclare [^|<>&]*")  # a command that needs no shell, once what is quoted is left out
# What lines after it depend on: such a block is one script.
TOGETHER = re.compile(r"<<|&\s*$|^\s|^(?:for|while|if|cd|export|set|source|trap)\b|^\w+=", re.M)
SHORT = ("rank.steps=40", "rank.fusion_batch=512", "training.surrogate_epochs=2", "document.dim=32", "linear.rounds=3")
LIMIT = 600  # seconds for a script


@contextmanager
def short_trainings() -> Iterator[None]:
    """Lay `SHORT` under the settings of every training."""
    load = recipe.load_recipe

    def short(path: Any, words: Any = ()) -> recipe.Recipe:
        return load(path, [*SHORT, *words])

    with mock.patch.object(recipe, "load_recipe", short):
        yield


@contextmanager
def stand_in(folder: Path) -> Iterator[None]:
    """Let shells find an `eclare` whose trainings are short, too."""
    folder.mkdir()
    command = folder / "eclare"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    with mock.patch.dict(os.environ, PATH=f"{folder.resolve()}{os.pathsep}{os.environ['PATH']}"):
        yield


def run(page: Path) -> None:
    """Every block, from top to bottom."""
    groups: list[int] = []
    with short_trainings(), stand_in(Path("bin")):
        try:
            for number, (language, code) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
                if language == "python":
                    script = Path(f"block{number}.py")
                    script.write_text(code, encoding="utf-8")
                    runpy.run_path(str(script))
                else:
                    _type(code.replace("\\\n", " "), groups)
        finally:
            for group in groups:  # a server that a script has left behind
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGTERM)


def _type(code: str, groups: list[int]) -> None:
    """The lines of a block; `groups` receives the process groups of shells."""
    for part in [code] if TOGETHER.search(QUOTED.sub("", code)) else code.splitlines():
        if OWN.fullmatch(QUOTED.sub("", part)):
            app(shlex.split(part, comments=True)[1:], standalone_mode=False)
            continue
        shell = subprocess.Popen(["bash", "-e", "-u", "-c", part], start_new_session=True)
        groups.append(shell.pid)
        if shell.wait(timeout=LIMIT):
            raise subprocess.CalledProcessError(shell.returncode, part)


if __name__ == "__main__":
    with short_trainings():
        sys.exit(app(sys.argv[1:]))
