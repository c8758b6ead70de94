"""Features that learn new n-grams and keep those they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eclare_py.features.counting import fit_vocabulary
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.vocabulary import Vocabulary
from eclare_py.types import IntArray


def grown(features: TfidfFeatures, texts: Sequence[str], *, n_known: int) -> TfidfFeatures:
    """These features, and the n-grams of further texts that they lack.

    What is known keeps its idf. That of a new n-gram is idf(t) = ln((1 + n) / (1 + df(t))) + 1 over all n texts, old
    and further, as if it occurred in no old one: there it was too rare to become a feature.

    Args:
        features: Fitted features.
        texts: Further training texts, of documents and labels. An n-gram must be in `min_df` of these to be added; a
            block grows by `max_features` at most.
        n_known: Texts that `features` were fitted on.
    """
    vocabularies, idf = {}, {}
    for name, (ngrams, limit, _) in features.config.blocks().items():
        config = features.config
        found, counts = fit_vocabulary(
            texts, ngrams, min_df=config.min_df, max_features=limit, phrase_min_df=config.phrase_min_df
        )
        new = (np.log((1 + n_known + len(texts)) / (1 + counts)) + 1).astype(np.float32)
        weights: dict[str, float] = dict(zip(found.terms, new, strict=True))
        weights |= dict(zip(features.vocabularies[name].terms, features.idf[name], strict=True))
        vocabularies[name] = Vocabulary(list(weights), ngrams)
        idf[name] = np.array([weights[term] for term in vocabularies[name].terms], dtype=np.float32)
    return TfidfFeatures(features.config, vocabularies, idf)


def columns_before(features: TfidfFeatures, earlier: TfidfFeatures) -> IntArray:
    """(V,) the column that each n-gram had in earlier features of the same settings, -1 where it is new."""
    parts, offset = [], 0
    for name, vocabulary in features.vocabularies.items():
        columns = {term: offset + column for column, term in enumerate(earlier.vocabularies[name].terms)}
        parts.append(np.array([columns.get(term, -1) for term in vocabulary.terms], dtype=np.int64))
        offset += len(columns)
    return np.concatenate(parts)
