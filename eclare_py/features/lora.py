"""Low-rank changes of a transformer's matrices (LoRA: Hu et al., ICLR 2022), by peft."""

from __future__ import annotations

from typing import Any

import torch

from eclare_py.errors import ModelError


def add_lora(backbone: torch.nn.Module, layers: torch.nn.ModuleList, rank: int) -> None:
    """Give every matrix of the layers a low-rank change; the change alone learns. It starts at zero.

    Args:
        backbone: The transformer.
        layers: Its layers.
        rank: Of the changes.

    Raises:
        ModelError: peft is not installed, or there is no layer.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ModelError("transformer.tuning=lora needs peft: pip install 'eclare_py[lora]'") from error
    inside = {id(module) for module in layers.modules() if isinstance(module, torch.nn.Linear)}
    targets = [name for name, module in backbone.named_modules() if id(module) in inside]
    if not targets:
        raise ModelError("transformer.tuning=lora changes the matrices of layers, and there are none: tune `full`")
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets), backbone)


def merge_lora(backbone: torch.nn.Module) -> None:
    """Add the changes to the matrices they belong to; nothing of peft is left. Without changes nothing happens."""
    for name, module in list(backbone.named_modules()):
        if hasattr(module, "lora_A") and hasattr(module, "get_base_layer"):
            changed: Any = module
            changed.merge()
            parent, _, child = name.rpartition(".")
            setattr(backbone.get_submodule(parent), child, changed.get_base_layer())
