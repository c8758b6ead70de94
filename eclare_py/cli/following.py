"""What `eclare train` does in a process that torchrun started beside process 0: its share, without a word or a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from eclare_py.cli.work import INTERRUPTED
from eclare_py.data.dataset import DataFolder


def follows() -> bool:
    """Whether this process is one of several and not process 0, which alone talks and writes."""
    return int(os.environ.get("RANK", "0")) > 0 and int(os.environ.get("WORLD_SIZE", "1")) > 1


def follow(recipe: str, overrides: Sequence[str], folder: DataFolder, *, device: str) -> None:
    """Train along until process 0 has written the model; then this process ends."""
    from eclare_py.distributed.processes import joined
    from eclare_py.estimator import EclareClassifier

    classifier = EclareClassifier.from_recipe(recipe, overrides, device=device)
    try:
        with joined(device):
            classifier.fit(folder)  # process 0 tells where to go on from
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    # All is written, by process 0. Threads of gloo that outlive the interpreter have aborted processes in their last
    # instant, and torchrun would have started the finished training anew.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
