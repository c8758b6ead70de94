"""Settings of a transformer as text encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option

POOLINGS = ("auto", "mean", "cls", "last")


@dataclass(frozen=True)
class TransformerConfig:
    """A sentence-transformers model: which, how its tokens become one vector, and whether it learns."""

    model: str = option("", "folder or hub name of a sentence-transformers model")
    revision: str | None = option(None, "commit of a hub model; null takes the newest")
    local_files_only: bool = option(True, "never download: a hub name is looked for in the local cache alone")
    pooling: str = option(
        "auto", "tokens to one vector: as the model says, mean, first token, or first tokens of the last layers",
        choices=POOLINGS,
    )  # fmt: skip
    last_layers: int = option(5, "layers whose first tokens pooling `last` puts side by side (LightXML)", low=1)
    layers: int | None = option(None, "layers kept, from the first; null keeps all, 0 pools token embeddings", low=0)
    halve_after: int | None = option(
        None, "layer after which neighbouring tokens are averaged in pairs, for speed; null never", low=1
    )
    max_length: int | None = option(None, "tokens kept of a text; null is the model's own limit", low=4)
    document_prompt: str = option("", "put before every document")
    label_prompt: str = option("", "put before every label text")
    tuning: Literal["frozen", "full", "lora"] = option(
        "frozen", "frozen: encoded once and cached; full: every weight learns; lora: only low-rank changes learn (peft)"
    )
    lora_rank: int = option(16, "rank of these changes", low=1)
    rate: float = option(5e-5, "learning rate of the transformer (AdamW), at its height", low=0.0)
    warmup: float = option(0.1, "share of the steps in which the rate rises from 0", low=0.0, high=0.9)
    weight_decay: float = option(0.01, "of the transformer's matrices", low=0.0)
    refresh_epochs: int = option(1, "epochs between two encodings of all label texts while it learns", low=1)
    checkpointing: bool = option(False, "compute inner layers twice instead of keeping them: less memory, more time")
    chunk: int = option(
        0, "texts that go through with gradients at a time, so that large batches fit (gradient caching); 0: all", low=0
    )
    label_texts: int = option(
        0, "label texts of a batch that go through with gradients, drawn anew each step; the others as last encoded; "
        "0: all", low=0,
    )  # fmt: skip
    batch_size: int = option(64, "texts of like length that go through together", low=1)
    precision: Literal["float32", "bfloat16"] = option(
        "float32", "of passes where nothing is learned; bfloat16 is faster on hardware that has it, and moves vectors "
        "by about a hundredth",
    )  # fmt: skip
    cache: str = option("", "folder for vectors of a frozen model; empty: inside the training folder")
