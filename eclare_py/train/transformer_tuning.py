"""Fine-tuning of a transformer at one resolution: the update of a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.tokens import Tokens
from eclare_py.model.candidate_losses import candidate_loss
from eclare_py.model.level_head import LevelHead
from eclare_py.train.epochs import Epochs
from eclare_py.train.optimizer import transformer_groups
from eclare_py.train.recipe import Recipe
from eclare_py.train.resolutions import dense_part
from eclare_py.types import Csr, FloatArray, IntArray


@dataclass(frozen=True)
class Tuning:
    """What one resolution is tuned with.

    Attributes:
        model: The transformer.
        head: Classifiers of the clusters.
        optimizer: Of the transformer.
        recipe: Settings.
        tokens: N texts.
        counts: (N, C) labels of a document in each cluster.
        candidates: (N, C) clusters it tells apart; None: all.
        half: Multiply matrices in bfloat16.
    """

    model: TextTransformer
    head: LevelHead
    optimizer: torch.optim.Optimizer
    recipe: Recipe
    tokens: Tokens
    counts: Csr
    candidates: Csr | None
    half: bool


def make_optimizer(model: TextTransformer, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over what learns; vectors (biases, norms) do not decay."""
    groups = transformer_groups(model.parameters(), recipe.transformer)
    return torch.optim.AdamW(groups, recipe.transformer.rate, fused=True)


def rate(frame: Epochs, warmup: float) -> float:
    """Share of the learning rates: a rise in a line, then a fall in a line to 0."""
    done, total = frame.cursor.epoch * frame.steps + frame.cursor.step, frame.count * frame.steps
    rising = max(1, int(warmup * total))
    return (done + 1) / rising if done < rising else (total - done) / max(total - rising, 1)


def update(tuning: Tuning, frame: Epochs, documents: IntArray, step: int) -> float:
    """One update; returns the loss, and leaves the parameters alone where it is not finite."""
    model, settings = tuning.model, tuning.recipe.resolutions
    torch.manual_seed(frame.torch_seed(step))  # dropout of this step, whatever ran before
    device = model.device
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=tuning.half):
        vectors = model(tuning.tokens[documents])
    at_hand, mask = None, None
    if tuning.candidates is not None:
        chosen = tuning.candidates[documents]
        at_hand = np.unique(chosen.indices).astype(np.int64)
        mask = torch.from_numpy(dense_part(chosen, at_hand) > 0).to(device)
    counts = torch.from_numpy(dense_part(tuning.counts[documents], at_hand)).to(device)
    loss = candidate_loss(
        tuning.head.scores(vectors, at_hand), counts,
        torch.ones_like(counts, dtype=torch.bool) if mask is None else mask, kind=settings.loss,
        weighted=settings.weighted, positive_cost=settings.positive_cost, negative_cost=settings.negative_cost,
    )  # fmt: skip
    value = float(loss.detach())
    if not np.isfinite(value):
        return value
    tuning.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], settings.clip)
    share = rate(frame, tuning.recipe.transformer.warmup)
    for group in tuning.optimizer.param_groups:
        group["lr"] = tuning.recipe.transformer.rate * share
    tuning.optimizer.step()
    tuning.head.step(settings.head_rate * share)
    return value


def encode(model: TextTransformer, tokens: Tokens, *, half: bool) -> FloatArray:
    """(N, t) unit vectors, in the number format of training."""
    with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=half):
        return model.encode(tokens)
