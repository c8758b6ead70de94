"""Progress of training: bars in a terminal, plain lines anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from eclare_py.cli.console import errors, say
from eclare_py.report.model import figure

_PICKS = {"ndcg_at_5": "nDCG@5", "recall_at_50": "R@50"}  # one of these picks the epoch
_TITLES = {
    "imputation": "labels of groups, handed to their members",
    "prepare": "reading, features, label graph",
    "surrogate": "encoders",
    "ranker": "re-ranker",
    "lightxml": "generator and discriminator",
    "rank_ae": "autoencoder of label sets",
    "index": "label tree",
    "linear": "linear ranker",
    "fusion": "fusion",
    "completion": "held-out documents",
}


class TrainingProgress:
    """A listener of training events; use it as a context manager."""

    def __init__(self) -> None:
        self.bars = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"), console=errors,
        )  # fmt: skip
        self.task: TaskID | None = None
        self.steps = 1

    def __enter__(self) -> TrainingProgress:
        if errors.is_terminal:
            self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if errors.is_terminal:
            self.bars.stop()

    def __call__(self, event: str, values: dict[str, Any]) -> None:
        """One event of `train/events.py`."""
        if event == "stage":
            self._stage(values)
        elif event == "step":
            self._step(values)
        elif line := describe(event, values):
            say(line)
        if event == "done" and self.task is not None and errors.is_terminal:
            self._complete()

    def _stage(self, values: dict[str, Any]) -> None:
        title = values.get("title") or _TITLES.get(values["name"], values["name"])
        if not errors.is_terminal:
            say(f"stage {values['name']}: {title}")
            return
        self._complete()
        self.steps = max(int(values["steps"]), 1)
        total = self.steps * max(int(values["epochs"]), 1)
        self.task = self.bars.add_task(title, total=total, detail="")

    def _step(self, values: dict[str, Any]) -> None:
        if self.task is not None:
            detail = f"loss {values['loss']:.3f}" if values.get("loss") else ""
            done = (int(values["epoch"]) - 1) * self.steps + int(values["step"])
            self.bars.update(self.task, completed=done, detail=detail)

    def _complete(self) -> None:
        if self.task is not None:
            total = self.bars.tasks[-1].total
            self.bars.update(self.task, completed=total)


def describe(event: str, values: dict[str, Any]) -> str:
    """An event as one line; empty where it is not worth one."""
    match event:
        case "epoch":
            return f"{values['stage']}: epoch {values['epoch']} of {values['of']}, loss {values['loss']:.4f}"
        case "validation" if "clusters" in values:
            figures = ", ".join(f"{name} {figure(one)}" for name, one in values["metrics"].items())
            return f"{values['stage']}: epoch {values['epoch']}, held-out {figures} of {values['clusters']:,} clusters"
        case "validation" if "metrics" in values:
            shown = {name: figure(one) for name, one in values["metrics"].items() if name in ("P@1", "PSP@5", "R@100")}
            figures = ", ".join(f"{name} {words}" for name, words in shown.items())
            return f"held-out documents, ranked by fusions that had not seen them: {figures}"
        case "validation":
            when = f"epoch {values['epoch']}" if values["epoch"] else "before the first epoch"
            figures = ", ".join(f"{title} {values[name]:.2f}" for name, title in _PICKS.items() if name in values)
            return f"{values['stage']}: {when}, held-out {figures}"
        case "note":
            return _note(values)
        case "done":
            return f"trained in {values['train_seconds']:,.0f} seconds on {values['device']}"
    return ""


def _note(values: dict[str, Any]) -> str:
    match values:
        case {"resumed": at}:
            return f"resumed in stage {at['stage']}, epoch {at['epoch'] + 1}, after step {at['step']}"
        case {"imputation": facts}:
            return (
                f"the labels are of {facts['groups']:,} groups: {facts['group_labels']:,} labels of groups became "
                f"{facts['imputed_labels']:,} of documents in {facts['seconds']:.0f} seconds "
                f"(imputation.method={facts['method']})"
            )
        case {"self_training": turn, "of": turns}:
            return f"self-training {turn} of {turns}: two models judge each other's groups"
        case {"labels_known": known, "added": added, "dropped": dropped}:
            return f"{known:,} labels known, {added:,} added, {dropped:,} dropped"
        case {"plenty": settings}:
            return f"train documents are plenty, so the recipe has {', '.join(_words(settings))}"
        case {"documents": _}:
            sizes = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in values.items())
            return f"prepared: {sizes}"
    return ""


def _words(settings: dict[str, Any], section: str = "") -> Iterator[str]:
    """Settings as they are set by hand."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _words(value, f"{section}{name}.")
        else:
            yield f"{section}{name}={json.dumps(value)}"
