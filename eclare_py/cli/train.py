"""`eclare train`: a data folder and a recipe into a model folder, with checkpoints beside it until it is done."""

from __future__ import annotations

import shlex
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from eclare_py.cli.console import say
from eclare_py.cli.progress import TrainingProgress
from eclare_py.errors import EclareError, UsageError
from eclare_py.storage import check_target
from eclare_py.storage.spool import spooled

INTERRUPTED = 130
_OURS = {"checkpoint", "events.jsonl", "embeddings", "imputation"}  # what training keeps in its working folder


def train(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or a recipe of the package: default, eclare.")],
    data: Annotated[Path, typer.Option("--data", help="The data folder; its train split is used.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting, section.key=value; may be repeated.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    track: Annotated[
        list[str] | None,
        typer.Option("--track", help="tensorboard=DIR or mlflow=URI: shown there too; may be repeated.",
                     show_default=False),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option("--spool", help="Folder on a fast disk that holds the TF-IDF rows instead of memory.",
                     show_default=False, file_okay=False),
    ] = None,
) -> None:  # fmt: skip
    """Train a model.

    While it runs, checkpoints and the event log are in OUT.train beside the model. Ctrl-C writes a checkpoint;
    the same call with --resume goes on, to the same model as an undisturbed run. At the end the log moves into the
    model folder and OUT.train is gone.

    \b
    eclare train default --data data/debian --out models/debian
    eclare train configs/default.yaml --data data/debian --out models/small --set document.dim=64 --set seed=1
    eclare train default --data data/debian --out models/debian --resume
    eclare train default --data data/debian --out models/debian --track tensorboard=runs --track mlflow=sqlite:///ml.db
    """
    from eclare_py.data.dataset import load_dataset
    from eclare_py.persist import KIND

    folder = load_dataset(data)
    check_target(out, KIND)
    # Only now, as it loads torch.
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.tracking import fan_out, open_tracker

    classifier = EclareClassifier.from_recipe(recipe, overrides or (), device=device)
    target = out.absolute()
    work = target.with_name(f"{target.name}.train")
    try:
        with ExitStack() as stack:
            # First, as a place that cannot be written to must not cost the checkpoint of an interrupted run.
            trackers = [stack.enter_context(open_tracker(word, name=target.name)) for word in track or ()]
            _prepare(work, resume)
            progress = stack.enter_context(TrainingProgress())
            stack.enter_context(spooled(spool))
            classifier.fit(folder, folder=work, resume=resume, listener=fan_out(progress, *trackers))
        classifier.pipeline.facts["data"] = folder.name
        classifier.save(target, log=work / "events.jsonl")
    except KeyboardInterrupt:
        if not (work / "checkpoint").exists():
            _forget(work)
            say("interrupted before the first checkpoint; nothing was written")
            raise typer.Exit(INTERRUPTED) from None
        words = ["eclare", "train", recipe, "--data", str(data), "--out", str(out)]
        words += [word for one in overrides or () for word in ("--set", one)]
        words += [] if device == "auto" else ["--device", device]
        words += [word for one in track or () for word in ("--track", one)]
        words += [] if spool is None else ["--spool", str(spool)]
        say(f"interrupted; the checkpoint is in {work}. Go on with:\n  {shlex.join([*words, '--resume'])}")
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
