"""Training told to TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eclare_py.errors import UsageError
from eclare_py.train.tracking.tracker import Tracker, need


class TensorBoardTracker(Tracker):
    """Writes event files that `tensorboard --logdir FOLDER` shows: curves, settings as text, and as hyperparameters.

    Args:
        folder: Where runs are kept.
        name: Name of this run, a folder below.

    Raises:
        UsageError: The package tensorboard is not installed, or the folder cannot be made.
    """

    def __init__(self, folder: str | Path, *, name: str = "") -> None:
        super().__init__()
        board = need("torch.utils.tensorboard", "tensorboard")
        try:
            self._writer = board.SummaryWriter(str(Path(folder) / name))
        except OSError as error:
            raise UsageError(f"TensorBoard cannot write to {folder} ({error}): name another folder") from error
        self._known: dict[str, Any] = {}
        self._last: dict[str, float] = {}

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Settings as a table of the page TEXT."""
        self._known |= values
        rows = "\n".join(f"| {name} | {value} |" for name, value in self._known.items())
        self._writer.add_text("parameters", f"| name | value |\n|---|---|\n{rows}")

    def curve(self, name: str, step: int, value: float) -> None:
        """One point."""
        self._writer.add_scalar(name, value, step)
        if name.startswith("held_out/fusion/"):
            self._last[name.replace("held_out/fusion/", "final/")] = value

    def flush(self) -> None:
        """Hand the points to the disk."""
        self._writer.flush()

    def outcome(self, facts: Mapping[str, Any], reason: str) -> None:
        """A finished run joins the page HPARAMS, by which runs are compared."""
        if reason:
            self._writer.add_text("stopped", reason)
            return
        numbers = {f"final/{name}": value for name, value in facts.items() if isinstance(value, int | float)}
        words = {name: value for name, value in facts.items() if isinstance(value, str)}
        plain = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in {**self._known, **words}.items()
        }
        self._writer.add_hparams(plain, {**self._last, **numbers}, run_name=".")

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
