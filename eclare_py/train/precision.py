"""Which number format the matrix products of a training step use."""

from __future__ import annotations

from typing import Any

import torch


def in_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to multiply in bfloat16 (sums and parameters stay in float32).

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the hardware multiplies it. A processor that has to
            emulate it would be slower than with float32; one that has it is about five times as fast.
        device: Where the network is.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Newer than the oldest torch that is supported; without it nothing is known, and float32 is always right.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
