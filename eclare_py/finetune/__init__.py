"""A finished model goes on: new documents, new labels, another domain with some of the same labels."""

from __future__ import annotations

from eclare_py.finetune.config import FinetuneConfig
from eclare_py.finetune.run import finetune

__all__ = ["FinetuneConfig", "finetune"]
