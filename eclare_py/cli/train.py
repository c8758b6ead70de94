"""`eclare train`: a data folder and a recipe into a model folder, with checkpoints beside it until it is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eclare_py.cli.following import follow, follows
from eclare_py.cli.work import Device, Resume, Track, train_beside
from eclare_py.recipes import recipes
from eclare_py.storage import check_target
from eclare_py.storage.spool import spooled

if TYPE_CHECKING:
    from eclare_py.train.events import Listener


def train(
    recipe: Annotated[
        str,
        typer.Argument(help=f"A YAML file, or a recipe of the package: {', '.join(recipes())}.", show_default=False),
    ],
    data: Annotated[Path, typer.Option("--data", help="The data folder; its train split is used.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.", show_default=False)],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a setting, section.key=value; may be repeated.", show_default=False),
    ] = None,
    resume: Resume = None,
    device: Device = "auto",
    track: Track = None,
    spool: Annotated[
        Path | None,
        typer.Option("--spool", help="Folder on a fast disk that holds texts, TF-IDF rows and document vectors instead "
                     "of memory.", show_default=False, file_okay=False),
    ] = None,
) -> None:  # fmt: skip
    """Train a model.

    While it runs, checkpoints and the event log are in OUT.train beside the model. Ctrl-C writes a checkpoint. After
    that, and after a kill, the same call goes on, to the same model as an undisturbed run; a call with other settings
    or data is refused until --no-resume gives the checkpoint up. At the end the log moves into the model folder and
    OUT.train is gone.

    \b
    eclare train default --data data/debian --out models/debian
    eclare train configs/default.yaml --data data/debian --out models/small --set document.dim=64 --set seed=1
    eclare train default --data data/debian --out models/debian --no-resume
    eclare train default --data data/debian --out models/debian --track tensorboard=runs --track mlflow=sqlite:///ml.db
    torchrun --nproc-per-node 2 -m eclare_py.cli train default --data data/debian --out models/debian
    """
    with spooled(spool):
        _train(recipe, data, out, overrides or [], resume, device, track or [], spool)


def _train(
    recipe: str, data: Path, out: Path, overrides: list[str], resume: bool | None, device: str, track: list[str],
    spool: Path | None,
) -> None:  # fmt: skip
    from eclare_py.data.dataset import load_dataset
    from eclare_py.persist import KIND

    folder = load_dataset(data)
    if follows():
        follow(recipe, overrides, folder, device=device)
        return
    check_target(out, KIND)
    # Only now, as it loads torch.
    from eclare_py.config import to_mapping
    from eclare_py.distributed.processes import joined, restarted
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.prepare import fingerprint

    classifier = EclareClassifier.from_recipe(recipe, overrides, device=device)

    def fit(work: Path, go_on: bool, listener: Listener) -> EclareClassifier:
        classifier.fit(folder, folder=work, resume=go_on, listener=listener)
        classifier.pipeline.facts["data"] = folder.name
        return classifier

    command = ["eclare", "train", recipe, "--data", str(data), "--out", str(out)]
    command += [word for one in overrides for word in ("--set", one)]
    command += [] if device == "auto" else ["--device", device]
    command += [] if spool is None else ["--spool", str(spool)]
    call = {"recipe": to_mapping(classifier.settings()), "data": fingerprint(folder.train), "device": device}
    if restarted() and resume is False:
        resume = None  # what was to be dropped is gone since the first start, and what is there now is this run
    train_beside(out, fit, command=command, call=call, resume=resume, track=track, together=joined(device))
