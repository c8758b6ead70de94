"""A sentence-transformers model as a trainable part: texts to tokens, tokens to one vector a text."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eclare_py.errors import ModelError
from eclare_py.features.gradient_cache import encode_in_chunks
from eclare_py.features.halving import halve_stack, halved_mask
from eclare_py.features.lora import add_lora, merge_lora
from eclare_py.features.model_folder import find_model, load_model
from eclare_py.features.tokens import Tokens
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.storage.spool import Collector, empty
from eclare_py.types import FloatArray

_BLOCK = 8192  # texts cut at once: lists of numbers take ten times the room


class TextTransformer(torch.nn.Module):
    """Token numbers (B, T) -> vectors (B, t).

    The layers are those of the model named in the settings (Reimers, Gurevych, EMNLP 2019, for the siamese use of
    such); pooling is done here, so that it can be trained through, cut short or taken from several layers.

    Args:
        network: A `SentenceTransformer`; its transformer and tokenizer are taken.
        config: Pooling, length, layers.
    """

    def __init__(self, network: Any, config: TransformerConfig) -> None:
        super().__init__()
        self.config, self.network = config, network
        self.pooling = config.pooling if config.pooling != "auto" else _own_pooling(network)
        own = int(network.max_seq_length or 512)
        self.max_length = own if config.max_length is None else min(own, config.max_length)
        layers = _layers(self.backbone)
        if config.layers is not None and config.layers < len(layers):
            del layers[config.layers :]
            self.backbone.config.num_hidden_layers = config.layers
        if self.pooling == "last" and config.last_layers > len(layers):
            raise ModelError(f"transformer.last_layers={config.last_layers} of a model of {len(layers)} layers")
        if config.halve_after is not None:
            halve_stack(layers, config.halve_after)
        if config.checkpointing:
            self.backbone.gradient_checkpointing_enable()

    @classmethod
    def load(cls, config: TransformerConfig, *, folder: str | Path | None = None) -> TextTransformer:
        """Read the model that the settings name, or the one that lies in `folder`, on the CPU.

        With `tuning: lora` a named model gets the low-rank changes that will learn; one in a folder is taken as it is.

        Raises:
            ModelError: There is no such model, loading it could run code, it does not fit the settings, or peft is
                needed and missing.
        """
        model = str(config.model if folder is None else folder)
        if not model:
            raise ModelError("transformer.model is empty: name the folder of a sentence-transformers model")
        found = find_model(model, revision=config.revision, local_files_only=config.local_files_only)
        made = cls(load_model(found, "cpu"), config)
        if config.tuning == "lora" and folder is None:
            add_lora(made.backbone, _layers(made.backbone), config.lora_rank)
        return made

    @property
    def backbone(self) -> Any:
        """The transformer itself."""
        return self.network[0].auto_model

    @property
    def dim(self) -> int:
        """t, length of a vector."""
        width = int(self.backbone.config.hidden_size)
        return width * self.config.last_layers if self.pooling == "last" else width

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def tokens(self, texts: Sequence[str], *, labels: bool = False) -> Tokens:
        """Token numbers of texts, cut to the longest allowed.

        Args:
            texts: N texts; characters that are no valid UTF-8 (lone surrogates) are replaced.
            labels: These are label texts: the prompt of labels goes before them.
        """
        prompt = self.config.label_prompt if labels else self.config.document_prompt
        padding = int(self.network.tokenizer.pad_token_id or 0)
        ids, pointers = Collector(np.int32), [np.zeros(1, dtype=np.int64)]
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            clean = [prompt + text.encode("utf-8", "replace").decode("utf-8") for text in block]
            cut = self.network.tokenizer(
                clean, truncation=True, max_length=self.max_length, padding=False, return_attention_mask=False
            )
            part = Tokens.of(cut["input_ids"], padding)
            ids.add(part.ids)
            pointers.append(pointers[-1][-1] + part.pointers[1:])
        return Tokens(ids.finish(), np.concatenate(pointers), padding)

    def forward(self, tokens: Tokens) -> Tensor:
        """Tokens of B texts -> (B, t), unit rows, with gradients; `chunk` texts at a time where the settings say so."""
        chunk, size = self.config.chunk, self.config.batch_size
        if not len(tokens):  # a process may have no text of a batch
            return torch.zeros((0, self.dim), device=self.device)
        if chunk and len(tokens) > chunk and torch.is_grad_enabled():
            return encode_in_chunks(self, tokens, chunk)
        if len(tokens) <= size:
            return self.embed(tokens)
        # Texts of like length together: in one pass, a single long text would make all others as long.
        groups = list(tokens.by_length(size))
        vectors = torch.cat([self.embed(tokens[rows]) for rows in groups])
        return vectors[torch.from_numpy(np.argsort(np.concatenate(groups))).to(vectors.device)]

    def embed(self, tokens: Tokens) -> Tensor:
        """Tokens of B texts -> (B, t), unit rows, all in one pass."""
        ids, own = (torch.from_numpy(part).to(self.device) for part in tokens.padded())
        hidden, mask = self._hidden(ids, own)
        pooled = _pool(hidden, mask, self.pooling, self.config.last_layers)
        return torch.nn.functional.normalize(pooled.float(), dim=1)

    def _hidden(self, ids: Tensor, own: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """States (B, T, h) after every layer that pooling looks at, the last one last, and which tokens count."""
        every = self.pooling == "last"
        out = self.backbone(input_ids=ids, attention_mask=own.long(), output_hidden_states=every)
        if self.config.halve_after is not None:
            own = halved_mask(own)
        return (tuple(out.hidden_states) if every else (out.last_hidden_state,)), own

    @torch.no_grad()
    def encode(self, tokens: Tokens) -> FloatArray:
        """(N, t) float32 unit vectors, without gradients, texts of like length together."""
        was_training, _ = self.training, self.eval()
        out: FloatArray = empty((len(tokens), self.dim), np.float32)
        half = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
            for rows in tokens.by_length(self.config.batch_size):
                out[rows] = self.embed(tokens[rows]).cpu().numpy()
        self.train(was_training)
        return out

    def finished(self) -> TextTransformer:
        """A copy on the CPU for answering: low-rank changes merged into the weights, dropout off."""
        copied = copy.deepcopy(self).cpu().eval()
        merge_lora(copied.backbone)
        return copied.requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), settings and tokenizer, readable by sentence-transformers too.

        Low-rank changes are merged into the weights.
        """
        whole = self.finished() if self.config.tuning == "lora" else self
        whole.network.save(str(folder), create_model_card=False, safe_serialization=True)


def _layers(backbone: Any) -> torch.nn.ModuleList:
    """The stack of layers, wherever this kind of transformer keeps it."""
    depth = int(backbone.config.num_hidden_layers)
    for module in backbone.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise ModelError(f"a {type(backbone).__name__} keeps its {depth} layers in no list: it cannot be cut or pooled")


def _own_pooling(network: Any) -> str:
    """The pooling a model was made with; its mean where it does not say."""
    found = "mean"
    for module in list(network)[1:]:
        kind = type(module).__name__
        mode = getattr(module, "pooling_mode", None)
        if mode is not None:
            if mode not in ("mean", "cls"):
                raise ModelError(f"the model pools its tokens by {mode!r}; set transformer.pooling to mean or cls")
            found = str(mode)
        elif kind != "Normalize":
            raise ModelError(f"the model has a {kind} behind its pooling; set transformer.pooling to do without it")
    return found


def _pool(hidden: tuple[Tensor, ...], own: Tensor, pooling: str, last_layers: int) -> Tensor:
    """States (B, T, h) of the layers -> (B, t)."""
    if pooling == "mean":
        weights = own[..., None].to(hidden[-1].dtype)
        summed: Tensor = (hidden[-1] * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return summed
    if pooling == "cls":
        return hidden[-1][:, 0]
    return torch.cat([state[:, 0] for state in hidden[-last_layers:]], dim=1)
