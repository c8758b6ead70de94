"""Trackers: training told to TensorBoard or MLflow, beside the event log that is always kept.

    with open_tracker("tensorboard=runs", name="first") as tracker:
        classifier.fit(data, listener=fan_out(tracker, my_listener))

The packages are optional: `pip install 'eclare_py[tracking]'`.
"""

from __future__ import annotations

from eclare_py.train.tracking.mlflow import MlflowTracker
from eclare_py.train.tracking.tensorboard import TensorBoardTracker
from eclare_py.train.tracking.tracker import Tracker, fan_out, open_tracker

__all__ = ["MlflowTracker", "TensorBoardTracker", "Tracker", "fan_out", "open_tracker"]
