"""Hostile and damaged folders, made by the thousand, each judged in a process of its own."""

from __future__ import annotations

from fuzz.campaign import Campaign, Target
from fuzz.judge import Verdict, judge

__all__ = ["Campaign", "Target", "Verdict", "judge"]
