"""Where training runs."""

from __future__ import annotations

import torch

from eclare_py.errors import UsageError


def choose_device(name: str) -> torch.device:
    """The device of a name.

    Raises:
        UsageError: The name is unknown, or there is no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device={name!r} is unknown: choose auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device=cuda, but torch sees no GPU here: use cpu or auto, or install a CUDA build of torch")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
