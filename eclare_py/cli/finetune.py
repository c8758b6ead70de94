"""`eclare finetune`: a model and new documents into a model that knows both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eclare_py.cli.work import Device, Resume, Track, train_beside
from eclare_py.errors import UsageError
from eclare_py.storage import check_target

if TYPE_CHECKING:
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.events import Listener


def finetune(
    model: Annotated[Path, typer.Argument(help="The model folder; it stays as it is.", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", help="Data folder of the new documents; its train split is used.",
                           show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.", show_default=False)],
    replay: Annotated[
        Path | None,
        typer.Option("--replay", help="Data folder that the model was trained on: a sample of it is trained on again, "
                     "and all of it counts.", show_default=False),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting: epochs, replay (documents per new one), rate, tree, fusion; may be "
                     "repeated.", show_default=False),
    ] = None,
    resume: Resume = None,
    device: Device = "auto",
    track: Track = None,
) -> None:  # fmt: skip
    """Go on training a model: new documents, new labels, or another domain with some of the same labels.

    Labels are matched by id (by text where one side has no ids). With --replay all labels of the model stay; without it
    those that the new documents do not know go, as the model would forget them. Interrupted, it is resumed like a
    training.

    \b
    eclare finetune models/debian --data data/new --replay data/debian --out models/debian2
    eclare finetune models/products --data data/spare-parts --out models/spare-parts --set epochs=3
    """
    from eclare_py.data.dataset import load_dataset
    from eclare_py.persist import KIND
    from eclare_py.storage import read_manifest

    if out.resolve() == model.resolve():
        raise UsageError(f"--out {out} is the model itself: write to another folder, and move it when it is good")
    new = load_dataset(data)
    old = None if replay is None else load_dataset(replay)
    check_target(out, KIND)
    # Only now, as it loads torch.
    from eclare_py.estimator import EclareClassifier
    from eclare_py.train.prepare import fingerprint

    classifier = EclareClassifier.load(model)
    classifier.device = device
    names = new.name if old is None else f"{old.name}, {new.name}"

    def fit(work: Path, go_on: bool, listener: Listener) -> EclareClassifier:
        classifier.finetune(
            new, replay=old, settings=overrides or (), folder=work, resume=go_on, listener=listener
        )  # fmt: skip
        classifier.pipeline.facts["data"] = names
        return classifier

    command = ["eclare", "finetune", str(model), "--data", str(data), "--out", str(out)]
    command += [] if replay is None else ["--replay", str(replay)]
    command += [word for one in overrides or () for word in ("--set", one)]
    command += [] if device == "auto" else ["--device", device]
    call = {
        "model": read_manifest(model, KIND)["sha256"], "data": fingerprint(new.train), "device": device,
        "replay": None if old is None else fingerprint(old.train), "settings": list(overrides or ()),
    }  # fmt: skip
    train_beside(out, fit, command=command, call=call, resume=resume, track=track or ())
