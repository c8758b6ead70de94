"""The working folder of a training: checkpoints and event log beside the model until it is done."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eclare_py.cli.console import say
from eclare_py.cli.progress import TrainingProgress
from eclare_py.errors import EclareError, UsageError

if TYPE_CHECKING:
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.events import Listener

INTERRUPTED = 130
_OURS = {"checkpoint", "events.jsonl", "embeddings", "imputation"}  # what training keeps in its working folder

Resume: TypeAlias = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Track: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--track", help="tensorboard=DIR or mlflow=URI: shown there too; may be repeated.", show_default=False
    ),
]


def train_beside(
    out: Path,
    fit: Callable[[Path, Listener], EclareClassifier],
    *,
    command: Sequence[str],
    resume: bool,
    track: Sequence[str],
) -> None:
    """Train in the folder OUT.train, save the model to OUT, remove the folder.

    Args:
        out: The model folder.
        fit: Trains in a working folder, telling a listener; gives what is saved.
        command: The words of the command line without --resume, told to whoever interrupts it.
        resume: Go on with an interrupted run.
        track: Where else the run is shown.

    Raises:
        Exit: Ctrl-C; a checkpoint is there if there was time for one.
    """
    from eclare_py.train.tracking import fan_out, open_tracker

    target = out.absolute()
    work = target.with_name(f"{target.name}.train")
    try:
        with ExitStack() as stack:
            # First, as a place that cannot be written to must not cost the checkpoint of an interrupted run.
            trackers = [stack.enter_context(open_tracker(word, name=target.name)) for word in track]
            _prepare(work, resume)
            progress = stack.enter_context(TrainingProgress())
            classifier = fit(work, fan_out(progress, *trackers))
        classifier.save(target, log=work / "events.jsonl")
    except KeyboardInterrupt:
        if not (work / "checkpoint").exists():
            _forget(work)
            say("interrupted before the first checkpoint; nothing was written")
            raise typer.Exit(INTERRUPTED) from None
        words = [*command, *(word for one in track for word in ("--track", one)), "--resume"]
        say(f"interrupted; the checkpoint is in {work}. Go on with:\n  {shlex.join(words)}")
        raise typer.Exit(INTERRUPTED) from None
    except EclareError:
        _forget(work)
        raise
    shutil.rmtree(work, ignore_errors=True)
    say(f"model written to {out}")


def _prepare(work: Path, resume: bool) -> None:
    """Begin anew in an empty working folder, unless an interrupted run is to go on."""
    if not work.exists():
        if resume:
            say(f"there is no {work} to resume; training starts from the beginning")
        return
    # A killed save may have left checkpoint.tmp-<pid> or checkpoint.old-<pid>.
    strangers = sorted(
        path.name for path in work.iterdir() if path.name not in _OURS and not path.name.startswith("checkpoint.")
    )
    if strangers:
        raise UsageError(f"{work / strangers[0]} is not of a training run: move it away, {work} is needed")
    if not resume:
        say(f"training starts anew; the interrupted run in {work} is dropped")
        shutil.rmtree(work)


def _forget(work: Path) -> None:
    """Remove a working folder in which nothing is worth keeping."""
    if work.is_dir() and {path.name for path in work.iterdir()} <= {"events.jsonl"}:
        shutil.rmtree(work, ignore_errors=True)
