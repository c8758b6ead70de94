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
from eclare_py.data.problems import show
from eclare_py.errors import EclareError, ModelError, UsageError
from eclare_py.storage import exclusive, read_json, remove_stale, remove_whole, write_json

if TYPE_CHECKING:
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.events import Listener

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended
_CALL = "call.json"  # of what the run is
_OURS = {"checkpoint", "events.jsonl", "embeddings", "imputation", _CALL}  # what training keeps in its working folder
_WORTH = {"checkpoint", "embeddings", "imputation"}  # what took time to make
_OPAQUE = {"data": "other data", "replay": "other data to replay", "model": "another model"}  # told by their checksums
_MARKS = (".tmp-", ".old-", ".lock")  # what a kill may leave of these, e.g. checkpoint.tmp-<pid>

Resume: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Go on where an interrupted run stopped (an error where there is none), or drop it and begin anew "
        "[goes on where the call is the same, an error where it is another].",
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
        resume: True goes on with an interrupted run, False drops it; None goes on, if it is of the same call.
        track: Where else the run is shown.
        together: Held from the beginning of the training to the end of the save, as other processes wait for both.

    Raises:
        UsageError: Another process writes to `out`; there is nothing to resume; the interrupted run is of another call
            and `resume` does not say what to do with it.
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
    """Whether to go on with an interrupted run; without one, or where it is to be dropped, its folder is made anew."""
    remove_stale(work)
    if work.is_file():
        raise UsageError(f"{work} is a file: move it away, a training keeps its checkpoints in a folder of this name")
    there = {path.name for path in work.iterdir()} if work.exists() else set()
    strangers = sorted(name for name in there if _stem(name) not in _OURS)
    if strangers:
        raise UsageError(f"{work / strangers[0]} is not of a training run: move it away, {work} is needed")
    worth = any(_stem(name) in _WORTH and (name in _WORTH or ".old-" in name) for name in there)
    if resume and not worth:
        raise UsageError(f"no checkpoint in {work} to go on from: leave out --resume to train from the beginning")
    if work.exists():
        if resume is None:
            other = _difference(work, call)
            if other and worth:
                raise UsageError(
                    f"{work} holds an interrupted run of another call ({other}): repeat that call to go on with it "
                    "(or --resume, where device or version alone differ), or give it up with --no-resume"
                )
            resume = not other
            if resume:
                say(f"going on with the interrupted run in {work}")
        if resume:
            return True
        say(f"training starts anew; the interrupted run in {work} is dropped")
        remove_whole(work)
    work.mkdir(parents=True)
    write_json(work / _CALL, call)
    return False


def _difference(work: Path, call: dict[str, Any]) -> str:
    """What first differs between the call of the interrupted run and this one; nothing where they are the same."""
    from eclare_py.train.checkpoint import flat

    try:
        old = read_json(work / _CALL)
    except ModelError:  # killed before it was there
        old = None
    if not isinstance(old, dict):
        return f"no readable {_CALL} says of which"
    before, now = flat(old), flat(call)
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            name = key.removeprefix("recipe.")
            return _OPAQUE.get(name, f"{name} was {show(before.get(key))}, now it is {show(now.get(key))}")
    return ""


def _stem(name: str) -> str:
    for mark in _MARKS:
        name = name.partition(mark)[0]
    return name


def _forget(work: Path) -> None:
    """Remove a working folder in which nothing is worth keeping."""
    if work.is_dir() and {path.name for path in work.iterdir()} <= {"events.jsonl", _CALL}:
        with suppress(OSError):
            remove_whole(work)
