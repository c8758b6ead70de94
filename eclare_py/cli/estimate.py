"""What a training will take: formulas over counts of the data, stage by stage, with constants that were measured.

Memory follows what each stage holds. Time is that of a processor, with constants from one machine; `pace` times a
little work of the same kinds and says how much faster or slower this machine is as it stands.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eclare_py.errors import UsageError

if TYPE_CHECKING:
    from eclare_py.data.dataset import Dataset
    from eclare_py.features.tfidf import TfidfFeatures
    from eclare_py.train.recipe import Recipe

_FLOAT = 4
_ENTRY = 8  # bytes of an entry of a sparse matrix
_PAIR = 3  # on disk: the gap to a column and a weight of few bits
_EDGE = 6  # of the label graph, whose weights have all their bits
_TERM_ON_DISK = 10
_LINEAR_PER_WORD = 58  # bytes of linear weights on disk for each word feature, as on debian-related
_LINEAR_PER_LABEL = 1400  # in memory, with what its training leaves behind
_PER_HELD_OUT = 45_000  # bytes of candidates and evidence of a document while the fusion is fitted
_PROGRAM = 620e6  # interpreter, torch, compiled kernels
# Of a document and a label of a step in bfloat16: prepared products of every shape, and memory that is not given back.
_PER_HALVED_CELL = 200
_VOTER = 20  # bytes on disk beside a voting document's vector and labels
_STRING, _TERM = 57, 100  # of a text beside its letters; of a term in the vocabulary
_SAMPLE = 20_000  # texts whose terms are counted for the mean
# Processor seconds at pace 1.
_START = 3.5
_PER_TEXT = 8e-6  # read
_PER_TERM = 4.5e-7  # of a text: count, choose, look up
_PER_PAIR = 5e-6  # of document and label: both graphs, twice the support graph
_PER_CELL = 5.8e-8  # of a step: a document and a label at hand
_PER_PRODUCT = 1.1e-10  # of a step: a dimension of such a cell
_PER_VALUE = 5.8e-9, 5e-10  # of a step: a dimension of a term, of a document and of a label
_PER_JUDGED = 4.7e-9, 8.6e-11, 7e-10  # a document and a label, each dimension of them, and of a term of a label
_PER_INDEXED = 5.7e-9  # a dimension of a term of all texts
_PER_SPLIT = 6e-9  # a dimension of a row on a level of balanced clustering
_PER_ENCODED = 2.8e-9  # a dimension of a term of the documents, where batches are clustered
_PER_RARE = 6.4e-5  # a rare label whose nearest are sought
# A word of a document, or of a document of a label, for each child it is told from; of so many documents. With more of
# them the weights lie farther from the processor: from 45,000 to a million it goes as the root, and not on for ever.
_PER_CHILD, _OF_DOCUMENTS, _FARTHEST = 8.7e-8, 300_000, 1.8
_PER_CANDIDATES = 4e-3  # a held-out document: candidates and evidence, three times, and a ranking
_PER_FUSION_STEP, _FUSION_FITS = 1e-3, 4  # two fits, and for each two of half the steps
_WALL = 0.65  # of processor seconds, on two idle cores
_PROBE = 0.033  # seconds of the work of `pace` at pace 1


@dataclass(frozen=True)
class Counts:
    """What the formulas are over.

    Attributes:
        documents: N, train documents with held-out ones.
        held_out: Of these.
        labels: L.
        rare: Labels that soft targets are for.
        pairs: Of document and label.
        terms: V.
        text_terms: Mean terms of a document.
        words: Word features among them.
        label_terms: Mean terms of a label text.
        hop_terms: Entries of the hops' bags, all labels together.
        edges: Of the label graph.
        support: Of the support graph, at most.
        text_bytes: Texts and ids in memory.
    """

    documents: int
    held_out: int
    labels: int
    rare: int
    pairs: int
    terms: int
    text_terms: float
    words: float
    label_terms: float
    hop_terms: float
    edges: int
    support: float
    text_bytes: float


def estimate_training(train: Dataset, recipe: Recipe) -> tuple[dict[str, Any], dict[str, str]]:
    """Counts, memory and time.

    Args:
        train: The train split.
        recipe: The settings.

    Returns:
        Of the whole, and of each stage.
    """
    import torch

    from eclare_py.features.tfidf import TfidfFeatures
    from eclare_py.train.precision import in_bfloat16

    if recipe.method != "fusion":
        raise UsageError(f"there is no estimate for the method {recipe.method}: try it on a part of the documents")
    recipe = recipe.among(train.n_documents, train.n_labels)
    features = TfidfFeatures.fit(train.texts, train.label_texts, config=recipe.features)
    counts = count(train, recipe, features)
    memory = memory_by_stage(counts, recipe, half=in_bfloat16(recipe.training.precision, torch.device("cpu")))
    rate = pace()
    times = {stage: rate * seconds for stage, seconds in seconds_by_stage(counts, recipe).items()}
    stages = {
        stage: (f"{memory[stage] / 1e6:,.0f} MB, " if stage in memory else "") + f"{seconds:,.0f} processor seconds"
        for stage, seconds in times.items()
    }
    table, free = _parameters(counts, recipe)
    return {
        "train documents": counts.documents,
        "labels": counts.labels,
        "terms": counts.terms,
        "terms per text": round(counts.text_terms, 1),
        "parameters": (table + free) // _FLOAT,
        "peak memory": f"{max(memory.values()) / 1e6:,.0f} MB",
        "model on disk": f"{_on_disk(counts, recipe, features.n_words) / 1e6:,.0f} MB",
        "processor time": _duration(sum(times.values())),
        "training time": _duration(_WALL * sum(times.values())),
    }, stages


def count(train: Dataset, recipe: Recipe, features: TfidfFeatures) -> Counts:
    """Count what the formulas are over."""
    from eclare_py.graph.build import build_label_graph
    from eclare_py.train.prepare import held_out_size
    from eclare_py.train.soft import RARE

    text_terms, words = _mean_terms(features, train.texts)
    label_terms, _ = _mean_terms(features, train.label_texts)
    each = np.diff(train.labels.indptr).astype(np.float64)
    together = float((each * (each - 1)).sum())
    graph = recipe.graph
    if graph.kind.startswith("walk"):  # these take long to make
        neighbours = np.full(train.n_labels, graph.top_k)
    else:
        made = build_label_graph(train.labels, replace(graph, prune_below=None), given=train.label_edges)
        neighbours = np.diff(made.adjacency.indptr)
    most = recipe.training.hop_features or features.n_features
    hop_terms = recipe.label.propagation.hops * np.minimum(neighbours * label_terms, most).sum()
    letters = sum(len(text) + _STRING for part in (train.texts, train.label_texts) for text in part)
    return Counts(
        documents=len(train), held_out=held_out_size(len(train), recipe), labels=train.n_labels,
        rare=int((train.label_frequencies <= RARE).sum()), pairs=int(train.labels.nnz), terms=features.n_features,
        text_terms=text_terms, words=words, label_terms=label_terms, hop_terms=float(hop_terms),
        edges=int(neighbours.sum()), support=min(together, train.n_labels * recipe.rank.support.top_k),
        text_bytes=letters + (2 * _STRING * len(train) if train.ids is None else 0),
    )  # fmt: skip


def memory_by_stage(counts: Counts, recipe: Recipe, *, half: bool = False) -> dict[str, float]:
    """Bytes at the most in each of the stages that hold much; `half`: steps multiply in bfloat16, on a processor."""
    dim, (table, free) = recipe.document.dim, _parameters(counts, recipe)
    documents, vectors = counts.documents * dim * _FLOAT, counts.labels * dim * _FLOAT
    rows = (counts.documents * counts.text_terms + counts.labels * counts.label_terms) * _ENTRY
    kept = _PROGRAM + counts.text_bytes + rows + 3 * counts.pairs * _ENTRY + counts.terms * _TERM
    kept += 2 * (counts.edges + counts.labels) * _ENTRY + table + free + _codes(counts, recipe)
    hops = counts.hop_terms * _ENTRY
    # Parameters once more as the best epoch; vectors of all labels to judge it, of all documents for clustered batches.
    clustered = 2 * documents if recipe.training.batches == "clustered" else 0
    near = 4 * counts.rare * min(counts.label_terms, 16) * _ENTRY if recipe.training.soft_targets else 0
    network = kept + hops + table + free + max(vectors, clustered, near)
    if half:
        batch = recipe.training.per_step(counts.documents - counts.held_out)
        network += _PER_HALVED_CELL * batch * max(_at_hand(counts, recipe, drawn) for _, drawn in _stages(recipe))
    # What is clustered, before and after it was smoothed over the graph, beside the vectors.
    both = 2 if recipe.index.combine == "concat" else 1
    index = kept + hops + documents + vectors * (1 + 2 * both)
    # Vectors and centroids; codes of both and of both smoothed.
    fusion = kept + documents + vectors * 3 + counts.labels * min(counts.label_terms, recipe.rank.label_terms) * _ENTRY
    fusion += 2 * counts.support * _ENTRY + counts.held_out * _PER_HELD_OUT
    fusion += counts.labels * _LINEAR_PER_LABEL if recipe.rank.linear else 0
    fusion += documents if recipe.rank.neighbours else 0  # while they are clustered
    return {"network": network, "index": index, "fusion": fusion}


def seconds_by_stage(counts: Counts, recipe: Recipe) -> dict[str, float]:
    """Processor seconds of each stage at pace 1."""
    from eclare_py.rank.neighbours import MAX_LEAF
    from eclare_py.train.fusion import fusion_steps

    dim = recipe.document.dim
    texts = counts.documents * counts.text_terms + counts.labels * counts.label_terms
    seconds = {
        "start": _START + _PER_TEXT * (counts.documents + counts.labels),
        "prepare": _PER_TERM * texts + _PER_PAIR * counts.pairs,
        "network": _network_seconds(counts, recipe),
    }
    width = dim * (2 if recipe.index.combine == "concat" else 1)
    levels = np.log2(max(counts.labels / recipe.index.max_leaf, 2))
    seconds["index"] = _PER_SPLIT * counts.labels * width * levels + _PER_INDEXED * texts * dim
    if recipe.rank.linear:
        above = np.log(max(counts.labels / recipe.linear.max_leaf, 2)) / np.log(recipe.index.branching)
        told_from = recipe.index.branching * above + recipe.linear.max_leaf / 2
        taught = (counts.documents + counts.pairs) / 2 * counts.words
        farther = min((counts.documents / _OF_DOCUMENTS) ** 0.5, _FARTHEST)
        seconds["linear"] = 2 * _PER_CHILD * farther * taught * told_from
    steps = fusion_steps(round(counts.held_out * counts.pairs / max(counts.documents, 1)), recipe.rank)
    seconds["fusion"] = _PER_CANDIDATES * counts.held_out + _PER_FUSION_STEP * steps * _FUSION_FITS
    if recipe.rank.neighbours:  # clustered to fit the fusion, and again with the held-out ones
        seconds["fusion"] += 2 * _PER_SPLIT * counts.documents * dim * np.log2(max(counts.documents / MAX_LEAF, 2))
    return seconds


def _network_seconds(counts: Counts, recipe: Recipe) -> float:
    """Processor seconds of the steps, and of what comes between epochs."""
    from eclare_py.train.best_epoch import JUDGED

    settings, dim = recipe.training, recipe.document.dim
    train = counts.documents - counts.held_out
    batch = settings.per_step(train)
    steps = float(np.ceil(train / batch))
    label_terms = counts.label_terms + counts.hop_terms / max(counts.labels, 1)
    total = _PER_RARE * counts.rare if settings.soft_targets else 0.0
    for wanted, drawn in _stages(recipe):
        epochs = min(wanted, max(1, int(settings.max_steps // steps)))
        at_hand = _at_hand(counts, recipe, drawn)
        of_document, of_label = _PER_VALUE
        values = batch * counts.text_terms * of_document + at_hand * label_terms * of_label
        step = batch * at_hand * (_PER_CELL + _PER_PRODUCT * dim) + values * dim * (1 - recipe.document.term_dropout)
        cell, product, term = _PER_JUDGED
        judged = min(counts.held_out, JUDGED) * counts.labels * (cell + product * dim)
        judged += term * counts.labels * label_terms * dim
        if settings.batches == "clustered":
            levels = np.log2(max(train / settings.batch_clusters, 2))
            judged += _PER_SPLIT * train * dim * levels + _PER_ENCODED * train * counts.text_terms * dim
        total += epochs * (steps * step + judged)
    return total


def _stages(recipe: Recipe) -> tuple[tuple[int, int], tuple[int, int]]:
    """Epochs of both stages, and the mined labels that a document of a step gets in them."""
    settings = recipe.training
    drawn = settings.hard_negatives if settings.ranker_epochs else 0
    return (settings.surrogate_epochs, 0), (settings.ranker_epochs, drawn)


def _at_hand(counts: Counts, recipe: Recipe, drawn: int) -> float:
    """Labels that a step scores, with so many mined ones a document."""
    settings, relevant = recipe.training, counts.pairs / max(counts.documents, 1)
    batch = settings.per_step(counts.documents - counts.held_out)
    soft = 1 if settings.soft_targets else 0
    return min(max(batch * (0.65 * relevant + 0.7 * (drawn + soft)), settings.at_hand), counts.labels)


def pace() -> float:
    """How long this machine, as it stands, takes for work of a training's kinds, against the one of the constants."""
    random = np.random.default_rng(0)
    table = random.random((65_536, 256), dtype=np.float32)
    rows, seconds = random.integers(0, len(table), 20_000), []
    for _ in range(7):
        begun = time.process_time()
        picked = table[rows]
        np.add.reduceat(picked, np.arange(0, len(rows), 100))
        np.exp(picked[:4096]).sum()
        seconds.append(time.process_time() - begun)
    return float(np.median(seconds)) / _PROBE


def _parameters(counts: Counts, recipe: Recipe) -> tuple[int, int]:
    """Bytes of the embedding table and of free vectors, each with its accumulator."""
    each = (recipe.document.dim + 1) * _FLOAT
    return counts.terms * each if recipe.document.kind != "transformer" else 0, counts.labels * each * recipe.label.free


def _codes(counts: Counts, recipe: Recipe) -> int:
    """Bytes of the codes of the embedding table that sums read."""
    return _parameters(counts, recipe)[0] // _FLOAT if recipe.document.coded else 0


def _on_disk(counts: Counts, recipe: Recipe, n_words: int) -> float:
    # Terms in two bits a number, label vectors in one byte, centroids and train documents in half of that, routers in
    # a quarter; what a term is called and how rare it is.
    table, free = _parameters(counts, recipe)
    size = table // 16 + 2 * free + 2.1 * counts.labels * recipe.document.dim + counts.terms * _TERM_ON_DISK
    size += counts.labels * min(counts.label_terms, recipe.rank.label_terms) * _PAIR
    size += counts.edges * _EDGE + counts.support * _PAIR + counts.text_bytes // 2
    if recipe.rank.neighbours:
        size += counts.documents * (recipe.document.dim / 2 + _VOTER) + counts.pairs * _FLOAT
    return size + (_LINEAR_PER_WORD * n_words if recipe.rank.linear else 0)


def _mean_terms(features: TfidfFeatures, texts: Sequence[str]) -> tuple[float, float]:
    """Mean terms of a text, and words among them."""
    matrix = features.transform(texts[:: max(len(texts) // _SAMPLE, 1)])
    words = (matrix.indices < features.n_words).sum() if features.n_words else matrix.nnz
    return matrix.nnz / max(matrix.shape[0], 1), float(words) / max(matrix.shape[0], 1)


def _duration(seconds: float) -> str:
    return f"{seconds:,.0f} seconds" if seconds < 600 else f"{seconds / 60:,.0f} minutes"
