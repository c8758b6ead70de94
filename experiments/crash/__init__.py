"""Kills at many points of the work on an output, what is found after them, and what a restart makes of it."""

from __future__ import annotations
