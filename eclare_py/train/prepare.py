"""What training needs before the first step: a held-out part, features, the label graph."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eclare_py.data.dataset import Dataset
from eclare_py.distributed import Shard, current
from eclare_py.errors import TrainingError
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.graph.build import build_label_graph
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.model.inputs import Inputs
from eclare_py.train.events import EventLog
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray, IntArray

_MIN_HELD_OUT = 20
_LABELS = 2  # place of the label texts behind train and held-out texts


@dataclass(frozen=True)
class Prepared:
    """Inputs of the stages, all from the train split.

    Attributes:
        train: Documents to train on.
        held_out: Documents that only pick the epoch and fit the fusion.
        features: Fitted on `train` and the label texts.
        inputs: The texts of `train` as the network reads them; of several processes each has those of its own.
        held_out_inputs: The same of `held_out`.
        label_inputs: The same of the label texts.
        graph: Label graph of `train`.
        frequencies: (L,) train frequencies in `train`.
        fingerprint: SHA-256 of the whole train split.
    """

    train: Dataset
    held_out: Dataset
    features: TfidfFeatures
    inputs: Inputs
    held_out_inputs: Inputs
    label_inputs: Inputs
    graph: LabelGraph
    frequencies: IntArray
    fingerprint: str

    @property
    def n_documents(self) -> int:
        """N + H."""
        return self.train.n_documents + self.held_out.n_documents

    @property
    def rows(self) -> Csr:
        """(N, V) TF-IDF of `train`."""
        return self.inputs.rows

    @property
    def held_out_rows(self) -> Csr:
        """(H, V) TF-IDF of `held_out`."""
        return self.held_out_inputs.rows

    @property
    def label_rows(self) -> Csr:
        """(L, V) TF-IDF of the label texts."""
        return self.label_inputs.rows

    @property
    def embeddings(self) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Vectors of a frozen transformer of train, held-out and label texts; None where there is none."""
        parts = (self.inputs.embeddings, self.held_out_inputs.embeddings, self.label_inputs.embeddings)
        return None if parts[0] is None or parts[1] is None or parts[2] is None else (parts[0], parts[1], parts[2])


def prepare(dataset: Dataset, recipe: Recipe, *, folder: Path | None, log: EventLog | None = None) -> Prepared:
    """Split, fit features, build the graph.

    Args:
        dataset: The train split.
        recipe: Settings.
        folder: Where sentence embeddings are cached, if any.
        log: Told when the features are there and the graph begins.

    Methods other than `fusion` read no label graph: theirs is empty.

    Raises:
        TrainingError: Too few documents to hold some out.
    """
    wanted = held_out_size(dataset.n_documents, recipe)
    if wanted * 2 > dataset.n_documents:
        raise TrainingError(
            f"{dataset.n_documents} train documents are too few: {wanted} are held out for the fusion, and at least as "
            f"many must be left; give {2 * wanted} or more"
        )
    # Before the split: explanations name train documents by their line in the file, not in what is left of it.
    dataset = dataset.with_ids("train document")
    train, held_out = dataset.split(wanted, seed=recipe.seed)
    features = TfidfFeatures.fit(train.texts, dataset.label_texts, config=recipe.features)
    label_rows = features.transform(dataset.label_texts)
    own = train.texts[Shard.of(train.n_documents, current()).part]
    known = [
        Inputs(features.transform(own)), Inputs(features.transform(held_out.texts)), Inputs(label_rows)
    ]  # fmt: skip
    if recipe.document.kind != "bag":
        known = read_by_transformer(known, [own, held_out.texts, dataset.label_texts], recipe, folder)
    return Prepared(
        train=train,
        held_out=held_out,
        features=features,
        inputs=known[0],
        held_out_inputs=known[1],
        label_inputs=known[2],
        graph=_label_graph(train, label_rows, recipe, log),
        frequencies=train.label_frequencies,
        fingerprint=fingerprint(dataset),
    )


def _label_graph(train: Dataset, label_rows: Csr, recipe: Recipe, log: EventLog | None) -> LabelGraph:
    if recipe.method != "fusion":
        return LabelGraph.from_adjacency(Csr((train.n_labels, train.n_labels), dtype=np.float32))
    if log is not None:
        log("note", graph=recipe.graph.kind)
    return build_label_graph(
        train.labels, recipe.graph, label_vectors=label_rows, given=train.label_edges, seed=recipe.seed,
        group=current(),
    )  # fmt: skip


def held_out_size(n_documents: int, recipe: Recipe) -> int:
    """How many of the train documents are held out: `dataset.split(this, seed=recipe.seed)` parts them as training."""
    wanted = int(min(recipe.training.validation * n_documents, recipe.training.max_validation))
    return max(wanted, _MIN_HELD_OUT)


def all_documents(prepared: Prepared) -> Dataset:
    """Train documents, then held-out ones, for what is counted once all is fitted."""
    return prepared.train.followed_by(prepared.held_out)


def read_by_transformer(
    known: list[Inputs], texts: Sequence[Sequence[str]], recipe: Recipe, folder: Path | None
) -> list[Inputs]:
    """Add what the transformer reads: tokens where it learns, vectors where it is frozen.

    Args:
        known: Of train, held-out and label texts.
        texts: These texts.
        recipe: Settings.
        folder: Where vectors are cached, if any.
    """
    from eclare_py.features.cache import CachedEncoder
    from eclare_py.features.transformer import SentenceEncoder, TextEncoder

    config = recipe.transformer
    encoder = SentenceEncoder(config)
    if config.tuning != "frozen":
        read = encoder.network.tokens
        return [
            replace(one, tokens=read(part, labels=place == _LABELS))
            for place, (one, part) in enumerate(zip(known, texts, strict=True))
        ]
    both: list[TextEncoder] = [encoder, encoder.for_labels()]
    cache = config.cache or (str(folder / "embeddings") if folder is not None else "")
    if cache:
        both = [CachedEncoder(one, cache) for one in both]
    return [
        replace(one, embeddings=both[place == _LABELS].encode(part))
        for place, (one, part) in enumerate(zip(known, texts, strict=True))
    ]


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of texts, labels, filter pairs and label edges."""
    digest = hashlib.sha256()
    for texts in (dataset.texts, dataset.label_texts):
        for text in texts:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    for part in (dataset.labels.indptr, dataset.labels.indices, dataset.filter_pairs, dataset.label_edges):
        digest.update(np.ascontiguousarray(part, dtype=np.int64).tobytes())
    return digest.hexdigest()
