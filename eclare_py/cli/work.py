"""The working folder of a training: checkpoints and event log beside the model until it is done."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from eclare_py import __version__
from eclare_py.cli.console import say
from eclare_py.cli.progress import TrainingProgress
from eclare_py.errors import EclareError, ModelError, UsageError
from eclare_py.storage import exclusive, read_json, remove_stale, remove_whole, write_json

if TYPE_CHECKING:
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.events import Listener

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
_CALL = "call.json"  # of what the run is
_OURS = {"checkpoint", "events.jsonl", "embeddings", "imputation", _CALL}  # what training keeps in its working folder
_MARKS = (".tmp-", ".old-", ".lock")  # what a kill may leave of these, e.g. checkpoint.tmp-<pid>

Resume: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Insist on going on where an interrupted run stopped, or on beginning anew "
        "[goes on where settings and data are the same].",
        show_default=False,
    ),
]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Track: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--track", help="tensorboard=DIR or mlflow=URI: shown there too; may be repeated.", show_default=False
    ),
]


def train_beside(
    out: Path,
    fit: Callable[[Path, bool, Listener], EclareClassifier],
    *,
    command: Sequence[str],
    call: dict[str, Any],
    resume: bool | None,
    track: Sequence[str],
    together: AbstractContextManager[object] | None = None,
) -> None:
    """Train in the folder OUT.train, save the model to OUT, remove the folder.

    Args:
        out: The model folder.
        fit: Trains in a working folder, or goes on there, telling a listener; gives what is saved.
        command: The words of the command line without --resume, told to whoever interrupts it.
        call: All that the model depends on, as plain data.
        resume: Go on with an interrupted run; None: if it is of the same call.
        track: Where else the run is shown.
        together: Held from the beginning of the training to the end of the save, as other processes wait for both.

    Raises:
        UsageError: Another process writes to `out`.
        Exit: Ctrl-C; a checkpoint is there if there was time for one.
    """
    with exclusive(out.absolute()):
        _train(out.absolute(), fit, command, {**call, "version": __version__}, resume, track, together or nullcontext())
    say(f"model written to {out}")


def _train(
    target: Path, fit: Callable[[Path, bool, Listener], EclareClassifier], command: Sequence[str],
    call: dict[str, Any], resume: bool | None, track: Sequence[str], together: AbstractContextManager[object],
) -> None:  # fmt: skip
    from eclare_py.train.tracking import fan_out, open_tracker
    from eclare_py.train.tracking.tracker import redacted

    work = target.with_name(f"{target.name}.train")
    try:
        with ExitStack() as stack:
            # First, as a place that cannot be written to must not cost the checkpoint of an interrupted run.
            trackers = [stack.enter_context(open_tracker(word, name=target.name)) for word in track]
            go_on = _prepare(work, resume, call)
            stack.enter_context(together)
            progress = stack.enter_context(TrainingProgress())
            classifier = fit(work, go_on, fan_out(progress, *trackers))
            classifier.save(target, log=work / "events.jsonl")
    except KeyboardInterrupt:
        if not (work / "checkpoint").exists():
            _forget(work)
            say("interrupted before the first checkpoint; nothing was written")
            raise typer.Exit(INTERRUPTED) from None
        words = [*command, *(word for one in track for word in ("--track", redacted(one))), "--resume"]
        say(f"interrupted; the checkpoint is in {work}. Go on with:\n  {shlex.join(words)}")
        raise typer.Exit(INTERRUPTED) from None
    except EclareError:
        _forget(work)
        raise
    with suppress(OSError):  # the model is there; what is left is deleted by the next run
        remove_whole(work)


def _prepare(work: Path, resume: bool | None, call: dict[str, Any]) -> bool:
    """Whether to go on with an interrupted run; without one, or where it is another, its folder is made anew."""
    remove_stale(work)
    if work.exists():
        strangers = sorted(path.name for path in work.iterdir() if _stem(path.name) not in _OURS)
        if strangers:
            raise UsageError(f"{work / strangers[0]} is not of a training run: move it away, {work} is needed")
        if resume is None and (resume := _is_same(work, call)):
            say(f"going on with the interrupted run in {work}")
        if resume:
            return True
        say(f"training starts anew; the interrupted run in {work} is dropped")
        remove_whole(work)
    elif resume:
        say(f"there is no {work} to resume; training starts from the beginning")
    work.mkdir(parents=True)
    write_json(work / _CALL, call)
    return False


def _is_same(work: Path, call: dict[str, Any]) -> bool:
    try:
        return bool(read_json(work / _CALL) == call)
    except ModelError:  # killed before it was there
        return False


def _stem(name: str) -> str:
    for mark in _MARKS:
        name = name.partition(mark)[0]
    return name


def _forget(work: Path) -> None:
    """Remove a working folder in which nothing is worth keeping."""
    if work.is_dir() and {path.name for path in work.iterdir()} <= {"events.jsonl", _CALL}:
        with suppress(OSError):
            remove_whole(work)
