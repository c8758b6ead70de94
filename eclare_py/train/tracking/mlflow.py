"""Training told to MLflow."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from eclare_py.errors import UsageError
from eclare_py.train.tracking.tracker import Tracker, need, redacted

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  # of one MLflow request
_LONGEST = 500  # characters of a parameter or tag that every store takes


class MlflowTracker(Tracker):
    """Writes one MLflow run: parameters, metrics with their steps, and how it ended.

    Points are sent in one request an epoch, so that a server far away does not slow the steps. MLflow's global state is
    left alone. MLflow itself may report its use to its makers; MLFLOW_DISABLE_TELEMETRY=true stops that.

    Args:
        uri: Where: `sqlite:///mlflow.db` (needs sqlalchemy and alembic too) or the address of a server. MLflow takes a
            plain folder only where MLFLOW_ALLOW_FILE_STORE=true.
        name: Name of the run.
        experiment: Name of the experiment; without it MLFLOW_EXPERIMENT_NAME, else "eclare_py".

    Raises:
        UsageError: MLflow is not installed or refuses the address.
    """

    def __init__(self, uri: str, *, name: str = "training", experiment: str | None = None) -> None:
        super().__init__()
        mlflow = need("mlflow", "mlflow-skinny")
        self._entities = need("mlflow.entities", "mlflow-skinny")
        experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "eclare_py"
        try:
            self._client = mlflow.MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(experiment)
            number = self._client.create_experiment(experiment) if found is None else found.experiment_id
            self._run = self._client.create_run(number, run_name=name).info.run_id
        # Stores raise what they like: MlflowException, errors of SQLAlchemy, of requests, of the file system.
        except Exception as error:
            raise UsageError(redacted(f"MLflow refuses {uri}: {str(error).splitlines()[0]}")) from error
        self._points: list[Any] = []
        self._ended = False

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Settings of the run."""
        entries = [self._entities.Param(name, str(value)[:_LONGEST]) for name, value in values.items()]
        for start in range(0, len(entries), _MOST_PARAMETERS):
            self._client.log_batch(self._run, params=entries[start : start + _MOST_PARAMETERS])

    def curve(self, name: str, step: int, value: float) -> None:
        """One point, kept until `flush`."""
        self._points.append(self._entities.Metric(name, float(value), int(1000 * time.time()), step))

    def flush(self) -> None:
        """Send the points."""
        points, self._points = self._points, []
        for start in range(0, len(points), _MOST_METRICS):
            self._client.log_batch(self._run, metrics=points[start : start + _MOST_METRICS])

    def outcome(self, facts: Mapping[str, Any], reason: str) -> None:
        """Numbers as metrics, words as tags; Ctrl-C is told apart from a failure."""
        for name, value in {**facts, **({"stopped": reason} if reason else {})}.items():
            if isinstance(value, int | float):
                self.curve(name, 0, value)
            else:
                self._client.set_tag(self._run, name, str(value)[:_LONGEST])
        self._end("KILLED" if reason.startswith("KeyboardInterrupt") else "FAILED" if reason else "FINISHED")

    def close(self) -> None:
        """End a run whose training never began."""
        if not self._ended and not self._failed:
            self._end("KILLED")

    def _end(self, status: str) -> None:
        self.flush()
        self._client.set_terminated(self._run, status)
        self._ended = True
