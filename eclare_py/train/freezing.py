"""From trained modules to the plain arrays that answer."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.codebook import group
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.model.network import EclareNetwork
from eclare_py.storage.spool import empty
from eclare_py.train.prepare import Prepared
from eclare_py.types import FloatArray, row_blocks

_BLOCK = 8192  # documents encoded at once


def freeze_documents(encoder: DocumentEncoder) -> FrozenEncoder:
    """The document encoder as plain arrays, its table in two bits a number.

    A document adds up a hundred rows or more, so what is rounded off cancels out: on held-out documents of
    debian-related R@50 was 81.8 with float32 and 82.0 like this, and what the whole model then gave was the same. With
    one bit a number it was still 82.0, but the whole model lost 0.3 points of R@100 and of PSP@5. The vectors of labels
    need 8 bits: with 4, P@1 fell by half a point.
    """
    linear = encoder.block.linear
    dim = linear.weight.shape[0]
    empty = np.empty((0, dim), dtype=np.float32)
    return FrozenEncoder(
        table=group(as_array(encoder.bag.weight) if encoder.use_bag else empty),
        weight=np.ascontiguousarray(as_array(linear.weight).T),
        bias=as_array(linear.bias),
        projection=empty if encoder.project is None else np.ascontiguousarray(as_array(encoder.project.weight).T),
    )


def encode_all(encoder: FrozenEncoder, prepared: Prepared, tuned: TextTransformer | None) -> FloatArray:
    """(N + H, d) vectors of train and held-out documents, made in blocks: whole they would take four times the room."""
    parts = (prepared.inputs, prepared.held_out_inputs)
    out: FloatArray = empty((sum(map(len, parts)), encoder.dim), np.float32)
    seen = len(parts[0])
    for part, target in zip(parts, (out[:seen], out[seen:]), strict=True):
        for rows in row_blocks(part.rows, _BLOCK):
            block = part[rows]
            vectors = block.embeddings
            if tuned is not None and block.tokens is not None:
                vectors = tuned.encode(block.tokens)
            target[rows] = encoder.encode(block.rows, vectors)
    return out


def label_side(network: EclareNetwork) -> dict[str, np.ndarray]:
    """Parameters of the label encoder and the scale; the document encoder is frozen apart."""
    return {
        name: value.detach().cpu().numpy()
        for name, value in network.state_dict().items()
        if name.startswith(("label_encoder.", "log_scale")) and not name.endswith("accumulator")
    }


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """The values of a tensor, in one piece."""
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
