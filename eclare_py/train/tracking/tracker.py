"""What a tracker makes of the events of a training: parameters, curves, an outcome."""

from __future__ import annotations

import importlib
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from eclare_py.errors import UsageError
from eclare_py.train.events import Listener

_PICKS = ("ndcg_at_5", "recall_at_50")  # of held-out documents: one of these picks the epoch
_log = logging.getLogger(__name__)
_USER = re.compile(r"//[^/@\s]+@")


def redacted(text: str) -> str:
    """A text without the names and passwords that stand in addresses, as `scheme://user:password@host`."""
    return _USER.sub("//***@", text)


class Tracker(ABC):
    """A listener of training that writes to a place where other tools show it; use it as a context manager.

    Curves are `loss/STAGE` by step (the mean over the epoch so far) and `held_out/STAGE/METRIC` by epoch. A resumed
    training tells only what comes after its checkpoint.

    A tracker that fails in the middle of a training is left out from then on, with a warning: the model is worth more
    than its curves.
    """

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}
        self._failed = False

    def __call__(self, event: str, values: dict[str, Any]) -> None:
        """One event of `train/events.py`."""
        if not self._failed:
            self._safely(self._tell, event, values)

    def _safely(self, action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception as error:  # a full disk, a server that is gone, whatever the package raises
            self._failed = True
            _log.warning("%s fails and is left out from here on: %s", type(self).__name__, redacted(str(error)))

    def _tell(self, event: str, values: dict[str, Any]) -> None:
        match event:
            case "start":
                self.parameters(flat(values["recipe"]))
            case "note" if "documents" in values:
                self.parameters({f"data/{name}": value for name, value in values.items()})
            case "stage":
                self._steps[values["name"]] = int(values["steps"])
            case "step" if values["loss"]:  # stages without a loss tell 0
                done = (int(values["epoch"]) - 1) * self._steps[values["stage"]] + int(values["step"])
                self.curve(f"loss/{values['stage']}", done, values["loss"])
            case "epoch":
                self.flush()
            case "validation":
                figures = values.get("metrics") or {name: values[name] for name in _PICKS if name in values}
                for name, figure in figures.items():
                    if figure is None:  # nothing to find, as no rare label among the held-out documents
                        continue
                    # MLflow allows no @ in a name, TensorBoard drops it.
                    self.curve(f"held_out/{values['stage']}/{name.replace('@', '_at_')}", values["epoch"], figure)
                self.flush()
            case "done":
                self.outcome(values, "")
            case "stopped":
                self.outcome({}, values["reason"])

    @abstractmethod
    def parameters(self, values: Mapping[str, Any]) -> None:
        """Settings and sizes, known before the first step."""

    @abstractmethod
    def curve(self, name: str, step: int, value: float) -> None:
        """One point of a curve."""

    @abstractmethod
    def flush(self) -> None:
        """Write what is collected."""

    @abstractmethod
    def outcome(self, facts: Mapping[str, Any], reason: str) -> None:
        """The end: facts of a finished training, or the reason why it stopped."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections."""

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._safely(self.close)


def fan_out(*listeners: Listener) -> Listener:
    """One listener that passes every event to several."""

    def tell(event: str, values: dict[str, Any]) -> None:
        for listener in listeners:
            listener(event, values)

    return tell


def open_tracker(word: str, *, name: str) -> Tracker:
    """The tracker of `tensorboard=DIR` or `mlflow=URI`.

    Args:
        word: What and where.
        name: Name of the run; TensorBoard's files go to DIR/name.

    Raises:
        UsageError: Another kind, no place, or the package is not installed or refuses the place.
    """
    kind, _, place = word.partition("=")
    if kind not in ("tensorboard", "mlflow") or not place:
        raise UsageError(f"cannot track with {word!r}: write tensorboard=DIR or mlflow=URI")
    if kind == "tensorboard":
        from eclare_py.train.tracking.tensorboard import TensorBoardTracker

        return TensorBoardTracker(place, name=name)
    from eclare_py.train.tracking.mlflow import MlflowTracker

    return MlflowTracker(place, name=name)


def need(module: str, package: str) -> Any:
    """An optional module.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(
            f"tracking needs the package {package} ({error}): pip install 'eclare_py[tracking]', or {package} alone"
        ) from error


def flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names."""
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
