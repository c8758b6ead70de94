"""What processes hold in parts, put together and taken apart: checkpoints, and the network that process 0 indexes.

A checkpoint of several processes is that of one: process 0 gathers the label tables, one after the other, and writes
them whole. So it does not matter how many processes go on from it, and only process 0 needs its disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from eclare_py.distributed import Group, Shard
from eclare_py.features.tokens import Tokens
from eclare_py.model.inputs import Inputs
from eclare_py.model.network import EclareNetwork
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.types import Csr

LABEL_TABLES = ("label_encoder.free.weight", "label_encoder.free.accumulator", "label_encoder.bias")
_TENSORS = ("network", "optimizer", "best_network")
_ARRAYS = ("negatives", "clusters", "documents")


def label_moments(network: EclareNetwork) -> tuple[str, ...]:
    """Names, in `optimizer_state`, of the moments that belong to labels: those of the biases."""
    bias = network.label_encoder.bias
    place = next((i for i, parameter in enumerate(network.dense_parameters()) if parameter is bias), None)
    return () if place is None else (f"{place}/exp_avg", f"{place}/exp_avg_sq")


def gathered_tensors(
    tensors: Mapping[str, Tensor], tables: tuple[str, ...], shard: Shard, group: Group
) -> dict[str, Tensor]:
    """The tensors with whole label tables, at process 0; the others get nothing.

    Args:
        tensors: What this process has, by name; the names are the same everywhere.
        tables: Names of those of which each process has some rows.
        shard: The labels of this process.
        group: The processes.
    """
    found = dict(tensors) if group.leads else {}
    for name in tensors:
        if name in tables:
            parts = group.gather(tensors[name].detach().cpu().numpy())[0]
            if group.leads:
                found[name] = torch.from_numpy(shard.whole(parts))
    return found


Tensors = dict[str, Tensor]


def gathered_parts(
    network: EclareNetwork, state: Tensors, moments: Tensors, best: Tensors, group: Group
) -> tuple[Tensors, Tensors, Tensors]:
    """Parameters, moments and best parameters as a checkpoint holds them, at process 0."""
    shard = network.shard
    return (
        gathered_tensors(state, LABEL_TABLES, shard, group),
        gathered_tensors(moments, label_moments(network), shard, group),
        gathered_tensors(best, LABEL_TABLES, shard, group),
    )


def own_rows(tensors: Mapping[str, Tensor], tables: tuple[str, ...], shard: Shard) -> dict[str, Tensor]:
    """The tensors with the rows of label tables that this process holds."""
    return {name: value[shard.part].clone() if name in tables else value for name, value in tensors.items()}


def share_checkpoint(point: Checkpoint | None, network: EclareNetwork, group: Group) -> Checkpoint | None:
    """Give every process its part of the checkpoint that process 0 read, array by array; None where there is none."""
    names: dict[str, Any] = {}
    if point is not None:
        names = {part: sorted(getattr(point, part)) for part in _TENSORS}
        names |= {"arrays": [name for name in _ARRAYS if getattr(point, name) is not None]}
        names |= {"cursor": vars(point.cursor), "recipe": point.recipe, "data": point.data, "best": point.best}
    sent = np.frombuffer(json.dumps(names).encode(), dtype=np.uint8).copy() if group.leads else None
    meta = json.loads(group.share(sent).tobytes())
    if not meta:
        return None
    tables = {"network": LABEL_TABLES, "best_network": LABEL_TABLES, "optimizer": label_moments(network)}
    parts: dict[str, dict[str, Tensor]] = {}
    for part in _TENSORS:
        parts[part] = {}
        for name in meta[part]:
            whole = torch.from_numpy(group.share(None if point is None else getattr(point, part)[name].numpy()))
            parts[part] |= own_rows({name: whole}, tables[part], network.shard)
    arrays = {
        name: group.share(None if point is None else getattr(point, name)) if name in meta["arrays"] else None
        for name in _ARRAYS
    }
    return Checkpoint(
        Cursor(**meta["cursor"]), meta["recipe"], meta["data"], parts["network"], parts["optimizer"],
        arrays["negatives"], meta["best"], parts["best_network"], arrays["clusters"], arrays["documents"],
    )  # fmt: skip


def gathered_inputs(inputs: Inputs, n: int, group: Group) -> Inputs:
    """The n texts of all processes at process 0, in their order; the others keep what they have."""
    rows = inputs.rows
    counts, columns, values = group.gather(
        np.diff(rows.indptr).astype(np.int64), rows.indices.astype(np.int64), np.asarray(rows.data)
    )
    embeddings = None if inputs.embeddings is None else group.gather(inputs.embeddings)[0]
    lengths = ids = None
    if inputs.tokens is not None:
        lengths, ids = group.gather(inputs.tokens.lengths.astype(np.int64), inputs.tokens.ids)
    if not group.leads:
        return inputs
    shard = Shard.of(n, group)
    ends = [np.concatenate([[0], np.cumsum(count)]) for count in counts]
    blocks = [
        Csr((value, column, end), shape=(len(end) - 1, rows.shape[1]))
        for value, column, end in zip(values, columns, ends, strict=True)
    ]
    # Text i lies behind those of the processes before its own.
    rows_of = np.arange(n)
    starts = np.concatenate([[0], np.cumsum(shard.counts)])[:-1]
    places = starts[rows_of % shard.world] + rows_of // shard.world
    whole = Inputs(sp.vstack(blocks, format="csr")[places], None if embeddings is None else shard.whole(embeddings))
    if lengths is None or ids is None or inputs.tokens is None:
        return whole
    pointers = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return replace(whole, tokens=Tokens(np.concatenate(ids), pointers, inputs.tokens.padding)[places])
