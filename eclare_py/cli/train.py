"""`eclare train`: a data folder and a recipe into a model folder, with checkpoints beside it until it is done."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eclare_py.cli.console import say
from eclare_py.cli.progress import TrainingProgress
from eclare_py.errors import EclareError, ModelError, UsageError
from eclare_py.storage import check_target, exclusive, read_json, remove_stale, remove_whole, write_json

if TYPE_CHECKING:
    from eclare_py.data.dataset import DataFolder, Dataset
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.recipe import Recipe

INTERRUPTED = 130
_CALL = "call.json"  # what is trained from what
_OURS = {"checkpoint", "events.jsonl", "embeddings", "imputation", _CALL}  # what training keeps in its working folder


def train(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or a recipe of the package: default, eclare.")],
    data: Annotated[Path, typer.Option("--data", help="The data folder; its train split is used.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting, section.key=value; may be repeated.", show_default=False),
    ] = None,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--no-resume",
            help="Insist on going on where an interrupted run stopped, or on beginning anew "
            "[goes on where settings and data are the same].",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    track: Annotated[
        list[str] | None,
        typer.Option("--track", help="tensorboard=DIR or mlflow=URI: shown there too; may be repeated.",
                     show_default=False),
    ] = None,
) -> None:  # fmt: skip
    """Train a model.

    While it runs, checkpoints and the event log are in OUT.train beside the model. Ctrl-C writes a checkpoint. After
    that, and after a kill, the same call goes on, to the same model as an undisturbed run. At the end the log moves
    into the model folder and OUT.train is gone.

    \b
    eclare train default --data data/debian --out models/debian
    eclare train configs/default.yaml --data data/debian --out models/small --set document.dim=64 --set seed=1
    eclare train default --data data/debian --out models/debian --no-resume
    eclare train default --data data/debian --out models/debian --track tensorboard=runs --track mlflow=sqlite:///ml.db
    """
    from eclare_py.data.dataset import load_dataset
    from eclare_py.persist import KIND

    folder = load_dataset(data)
    check_target(out, KIND)
    # Only now, as it loads torch.
    from eclare_py.estimator import EclareClassifier

    classifier = EclareClassifier.from_recipe(recipe, overrides or (), device=device)
    words = ["eclare", "train", recipe, "--data", str(data), "--out", str(out)]
    words += [word for one in overrides or () for word in ("--set", one)]
    words += [] if device == "auto" else ["--device", device]
    words += [word for one in track or () for word in ("--track", one)]
    with exclusive(out.absolute()):
        _train(classifier, folder, out.absolute(), resume, device, track or [], words)
    say(f"model written to {out}")


def _train(
    classifier: EclareClassifier, folder: DataFolder, target: Path, resume: bool | None, device: str,
    track: list[str], words: list[str],
) -> None:  # fmt: skip
    """Train in the working folder, save the model; `words` is the call, for whoever interrupts it."""
    from eclare_py.train.tracking import fan_out, open_tracker

    call = _call(classifier.settings(), folder.train, device)
    work = target.with_name(f"{target.name}.train")
    try:
        with ExitStack() as stack:
            # First, as a place that cannot be written to must not cost the checkpoint of an interrupted run.
            trackers = [stack.enter_context(open_tracker(word, name=target.name)) for word in track]
            go_on = _prepare(work, resume, call)
            progress = stack.enter_context(TrainingProgress())
            classifier.fit(folder, folder=work, resume=go_on, listener=fan_out(progress, *trackers))
        classifier.pipeline.facts["data"] = folder.name
        classifier.save(target, log=work / "events.jsonl")
    except KeyboardInterrupt:
        if not (work / "checkpoint").exists():
            _forget(work)
            say("interrupted before the first checkpoint; nothing was written")
            raise typer.Exit(INTERRUPTED) from None
        say(f"interrupted; the checkpoint is in {work}. Go on with:\n  {shlex.join([*words, '--resume'])}")
        raise typer.Exit(INTERRUPTED) from None
    except EclareError:
        _forget(work)
        raise
    with suppress(OSError):  # the model is there; what is left is deleted by the next run
        remove_whole(work)


def _call(recipe: Recipe, train: Dataset, device: str) -> dict[str, Any]:
    """All that the model depends on: a run of the same goes on by itself."""
    from eclare_py import __version__
    from eclare_py.config import to_mapping
    from eclare_py.train.prepare import fingerprint

    return {"recipe": to_mapping(recipe), "data": fingerprint(train), "device": device, "version": __version__}


def _prepare(work: Path, resume: bool | None, call: dict[str, Any]) -> bool:
    """Whether to go on with an interrupted run; without one, or where it is another, its folder is made anew."""
    remove_stale(work)
    if work.exists():
        # A kill may have left the temporary, the former or the locked one of a file, e.g. checkpoint.tmp-<pid>.
        marks = (".tmp-", ".old-", ".lock")
        names = {path.name: _before(path.name, marks) for path in work.iterdir()}
        strangers = sorted(name for name, own in names.items() if own not in _OURS)
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


def _before(name: str, marks: tuple[str, ...]) -> str:
    for mark in marks:
        name = name.partition(mark)[0]
    return name


def _forget(work: Path) -> None:
    """Remove a working folder in which nothing is worth keeping."""
    if work.is_dir() and {path.name for path in work.iterdir()} <= {"events.jsonl", _CALL}:
        with suppress(OSError):
            remove_whole(work)
