"""A fine-tuned model from its network: what is counted is counted again, tree and fusion may stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eclare_py.finetune.config import FinetuneConfig
from eclare_py.finetune.together import Together
from eclare_py.index import LabelTree, beam_search
from eclare_py.labels.take import keep_in_tree, put_in_tree
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.train.assembly import assemble
from eclare_py.train.exemplars import train_documents
from eclare_py.train.freezing import encode_all, freeze_documents, label_side
from eclare_py.train.indexing import build_scorer, label_terms
from eclare_py.train.prepare import Prepared
from eclare_py.train.ranking import complete
from eclare_py.train.recipe import Recipe
from eclare_py.train.session import Session
from eclare_py.types import FloatArray, IntArray

_MANY = 0.2  # share of new labels from which on a tree is built anew


def renewed(
    model: Pipeline, session: Session, whole: Prepared, data: Together, recipe: Recipe, config: FinetuneConfig
) -> Pipeline:
    """The model with the tuned network.

    Args:
        model: The model as it was.
        session: The tuned network.
        whole: All documents.
        data: The same, and which labels the model has.
        recipe: Settings of the model.
        config: What is kept.
    """
    build = config.tree == "build" or (config.tree == "auto" and data.n_added > _MANY * len(data.model_rows))

    def place(vectors: FloatArray) -> LabelTree:
        return grown_tree(model.ranker.scorer.tree, vectors, data.model_rows, beam=model.ranker.scorer.beam)

    if config.fusion == "fit" or (config.fusion == "auto" and data.old is None):
        session.prepared = whole
        return assemble(session, recipe, place=None if build else place)
    session.log("stage", name="index", epochs=1, steps=1)
    encoder = freeze_documents(session.network.documents)
    everything = encode_all(encoder, whole, None)
    documents = everything[: whole.train.n_documents]
    scorer = build_scorer(session.network, documents, whole, recipe, place=None if build else place)
    session.log("stage", name="completion", epochs=1, steps=1)
    terms = label_terms(whole.label_rows, recipe.rank)
    ranker = replace(
        model.ranker, scorer=scorer, graph=whole.graph.normalized, profile=replace(model.ranker.profile, terms=terms)
    )
    return replace(
        model,
        features=whole.features,
        encoder=encoder,
        ranker=complete(ranker, everything, whole, recipe),
        graph=whole.graph,
        labels=LabelTable(whole.train.label_texts, whole.train.label_ids),
        network=label_side(session.network),
        documents=train_documents(whole, scorer, documents),
    )


def grown_tree(tree: LabelTree, vectors: FloatArray, model_rows: IntArray, *, beam: int) -> LabelTree:
    """The tree over the labels that stay and the new ones; a new one goes where a search for its vector leads first.

    Args:
        tree: Over the labels of the model.
        vectors: (L', d) vectors of the labels, new ones last.
        model_rows: (L',) their rows in the model, -1 of new ones.
        beam: Leaves searched.
    """
    known = model_rows[model_rows >= 0]
    kept = keep_in_tree(tree, known)
    if len(known) == len(model_rows):
        return kept
    leaves = beam_search(kept, vectors[len(known) :], beam=beam, quantized=True)[0][:, 0]
    return put_in_tree(kept, np.asarray(leaves, dtype=np.int64))
