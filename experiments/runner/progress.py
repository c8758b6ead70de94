"""Progress: bars in a terminal, a line a cell anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from eclare_py.report.model import figure

TOLD = ("P@1", "PSP@5", "R@10", "tail_R@10")


class Display:
    """A listener of training that also counts cells; use it as a context manager.

    Args:
        console: Where to; stderr without it.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=self.console,
        )  # fmt: skip
        self.cells: TaskID = self.bars.add_task("cells", total=None)
        self.stage: TaskID = self.bars.add_task("", total=1, visible=False)
        self.title, self.steps = "", 1

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.console.is_terminal:
            self.bars.stop()

    def say(self, line: str) -> None:
        """A line above the bars."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def total(self, todo: int, *, skipped: int) -> None:
        """How many cells there are."""
        self.bars.update(self.cells, total=todo, completed=0)
        self.say(f"{todo} cells to run, {skipped} done before")

    def begin(self, title: str) -> None:
        """A cell starts."""
        self.title = title

    def done(self, title: str, metrics: Mapping[str, float | None]) -> None:
        """A cell is there."""
        self.bars.advance(self.cells)
        self.say(f"{title}: " + ", ".join(f"{name} {figure(metrics[name])}" for name in TOLD if name in metrics))

    def __call__(self, event: str, values: dict[str, Any]) -> None:
        """One event of training."""
        if event == "stage":
            self.steps = max(int(values["steps"]), 1)
            total = self.steps * max(int(values["epochs"]), 1)
            title = f"{self.title}: {values['name']}"
            self.bars.reset(self.stage, total=total, visible=True, description=title)
        elif event == "step":
            self.bars.update(self.stage, completed=(int(values["epoch"]) - 1) * self.steps + int(values["step"]))
