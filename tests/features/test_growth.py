"""Features that grow: what is known stays as it was, what is new is weighed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eclare_py.features.growth import columns_before, grown
from eclare_py.features.tfidf import FeatureConfig, TfidfFeatures

OLD = ["red fish", "red boat", "blue boat", "blue fish sea"]
NEW = ["green boat", "green sea fish", "green grass", "red grass"]


@pytest.fixture
def known() -> TfidfFeatures:
    return TfidfFeatures.fit(OLD, config=FeatureConfig(word_ngrams=1))


def test_new_terms_by_hand(known: TfidfFeatures) -> None:
    """Of the new texts green (3) and grass (2) occur often enough; sea is in one old and one new text, too rare."""
    features = grown(known, NEW, n_known=4)
    assert known.feature_names() == ["blue", "boat", "fish", "red"]
    assert features.feature_names() == ["blue", "boat", "fish", "grass", "green", "red"]
    idf = dict(zip(features.feature_names(), features.idf["word"].tolist(), strict=True))
    old = dict(zip(known.feature_names(), known.idf["word"].tolist(), strict=True))
    assert {term: idf[term] for term in old} == old
    assert idf["green"] == pytest.approx(math.log(9 / 4) + 1)
    assert idf["grass"] == pytest.approx(math.log(9 / 3) + 1)
    assert columns_before(features, known).tolist() == [0, 1, 2, -1, -1, 3]


def test_old_texts_keep_their_rows() -> None:
    config = FeatureConfig(word_ngrams=2, characters=True, max_character_features=9)
    known = TfidfFeatures.fit(OLD, ["sea fish"], config=config)
    features = grown(known, NEW, n_known=5)
    before = columns_before(features, known)
    assert features.n_features > known.n_features and (before >= 0).sum() == known.n_features
    texts = ["red fish boat", "unheard of"]  # no new term in them
    wide, narrow = features.transform(texts).toarray(), known.transform(texts).toarray()
    np.testing.assert_array_equal(wide[:, before >= 0], narrow[:, before[before >= 0]])
    assert not wide[:, before < 0].any()


def test_nothing_new_changes_nothing(known: TfidfFeatures) -> None:
    features = grown(known, ["red fish", "unique"], n_known=4)
    assert features.feature_names() == known.feature_names()
    np.testing.assert_array_equal(features.idf["word"], known.idf["word"])
