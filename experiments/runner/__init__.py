"""Runs matrices of (variant, data set, seed): skips what is done, survives a kill, sums up.

An experiment is a declaration, see `plan.Experiment`; `main` makes a command of one or several. What is common lives
here, what an experiment asks and draws in its own script beside this folder.
"""

from __future__ import annotations

from runner.app import main
from runner.changes import AS_IS, Change
from runner.plan import Experiment, Variant
from runner.results import Results

__all__ = ["AS_IS", "Change", "Experiment", "Results", "Variant", "main"]
