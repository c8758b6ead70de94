"""Settings of fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclare_py.config import option


@dataclass(frozen=True)
class FinetuneConfig:
    """What a fine-tuned model learns again, and what it keeps."""

    epochs: int = option(1, "epochs over the new documents and the replayed ones", low=1)
    replay: float = option(4.0, "old documents replayed for every new one, as far as there are so many", low=0.0)
    rate: float = option(0.5, "learning rates, as a share of the recipe's", low=0.0)
    tree: Literal["auto", "keep", "build"] = option(
        "auto", "the label tree: new labels are put into the old one, or it is built anew; auto: anew where more than "
        "a fifth of the labels are new",
    )  # fmt: skip
    fusion: Literal["auto", "keep", "fit"] = option(
        "auto", "the fusion and its calibration: kept, or fitted on held-out new documents; auto: kept where old "
        "documents are replayed",
    )  # fmt: skip
