"""From a trained network to a model: index, linear ranker, fusion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.distributed import current
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.index import LabelTree
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.rank.query import Query
from eclare_py.train.exemplars import train_documents
from eclare_py.train.freezing import encode_all, freeze_documents, label_side
from eclare_py.train.indexing import build_linear, build_neighbours, build_scorer, label_profile, label_terms
from eclare_py.train.ranking import complete, fit_ranker, uncounted
from eclare_py.train.recipe import Recipe
from eclare_py.train.session import Session
from eclare_py.types import FloatArray


def assemble(
    session: Session, recipe: Recipe | None = None, *, place: Callable[[FloatArray], LabelTree] | None = None
) -> Pipeline:
    """Index and fusion of a trained network.

    Args:
        session: What `train_network` gives.
        recipe: Other settings of index and ranking than the network was trained with, to compare these alone.
        place: Gives the tree for (L, d) label vectors, where they are not to be clustered.
    """
    prepared, recipe, network = session.prepared, recipe or session.recipe, session.network
    session.log("stage", name="index", epochs=1, steps=1)
    # From here on everything sees the documents as the finished model will: encoded with a quantised table.
    encoder = freeze_documents(network.documents)
    tuned = None if network.transformer is None else network.transformer.finished()
    everything = encode_all(encoder, prepared, tuned)
    documents, held_out = np.split(everything, [prepared.train.n_documents])
    query = Query.of(held_out, prepared.held_out_rows)
    scorer = build_scorer(network, documents, prepared, recipe, current(), place=place)
    network.forget_hops()
    if recipe.rank.linear:
        session.log("stage", name="linear", epochs=1, steps=1)
    linear = build_linear(scorer.tree, [prepared.rows], prepared.train, prepared.features, recipe)
    terms = label_terms(prepared.label_rows, recipe.rank)
    profile = label_profile(documents, prepared.train.labels, terms, recipe.rank)
    neighbours = build_neighbours(documents, prepared.train, recipe) if recipe.rank.neighbours else None
    ranker, seen, metrics = fit_ranker(scorer, profile, linear, neighbours, query, prepared, recipe, session.log)
    session.log("validation", stage="fusion", epoch=1, metrics=metrics)
    session.log("stage", name="completion", epochs=1, steps=1)
    del linear, profile, neighbours
    ranker = uncounted(ranker)
    ranker = complete(ranker, everything, prepared, recipe)
    facts = {
        "documents": prepared.n_documents,
        "held_out": prepared.held_out.n_documents,
        "labels": prepared.train.n_labels,
        "features": prepared.features.n_features,
        "edges": prepared.graph.n_edges,
        "held_out_metrics": metrics,
    }
    if prepared.embeddings is not None:  # by which an answer knows the transformer again
        facts["transformer"] = {"fingerprint": SentenceEncoder(recipe.transformer).fingerprint}
    return Pipeline(
        to_mapping(recipe), prepared.features, encoder, ranker, prepared.graph,
        LabelTable(prepared.train.label_texts, prepared.train.label_ids), label_side(network),
        train_documents(prepared, scorer, documents), facts, seen,
        None if tuned is None else SentenceEncoder.of(tuned),
    )  # fmt: skip
