"""Training of ELIAS++: classifiers on what the index retrieves for train documents, a mixture on held-out ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eclare_py.linear import fit_pairs
from eclare_py.metrics.ranking import hits
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pair_ranker import PairRanker, pair_evidence, pair_features
from eclare_py.rank.query import Query
from eclare_py.train.calibration import fit_mixture
from eclare_py.train.elias.session import EliasSession


def add_ranker(session: EliasSession, pipeline: ClusterPipeline) -> ClusterPipeline:
    """The pipeline with a second ranking of what its index finds."""
    prepared, recipe = session.prepared, session.recipe
    depth, train, held_out = recipe.elias.ranker_depth, prepared.train, prepared.held_out
    session.log("stage", name="linear", epochs=1, steps=1)
    sentences = prepared.embeddings or (None, None)
    encoder = pipeline.encoder
    assert isinstance(encoder, FrozenEncoder)  # a tuned transformer serves LightXML alone
    query = Query(encoder.encode(prepared.rows, sentences[0]), prepared.rows)
    picked = pipeline.search(query, depth).to_csr(train.n_labels)
    classifiers = fit_pairs(
        pair_features(query), train.labels, picked, recipe.linear, filter_pairs=train.filter_pairs, seed=recipe.seed
    )
    query = Query(encoder.encode(prepared.held_out_rows, sentences[1]), prepared.held_out_rows)
    ranking = pipeline.search(query, depth)
    evidence = pair_evidence(classifiers, ranking, query, train.label_frequencies)
    known = ranking.indices >= 0
    weights, offset = fit_mixture(evidence[known], hits(ranking, held_out.labels)[known].astype(np.float64))
    session.log("note", mixture=[round(float(weight), 3) for weight in weights], offset=round(offset, 3))
    return replace(pipeline, pairs=PairRanker(classifiers, weights, offset, depth))
