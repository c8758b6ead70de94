"""TF-IDF: equal to scikit-learn on any text, one vocabulary from train only, one path for batches and single texts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from eclare_py.config import load_config, to_mapping
from eclare_py.errors import ModelError, TrainingError, UsageError
from eclare_py.features import counting
from eclare_py.features.ngrams import TOKEN_PATTERN, NgramRange, Slices, slices
from eclare_py.features.tfidf import FeatureConfig, TfidfFeatures
from eclare_py.features.vocabulary import look_up
from eclare_py.storage import State, read_state, write_state
from eclare_py.types import Csr, check_csr

HOSTILE = [
    "",
    " \t\n ",
    "plain text",
    "İSTANBUL Straße ΑΣ ΑΣ.Σ",
    "e\u0301te\u0301 a\u0308\u0323",
    "日本語 テキスト 中文",
    "👩\u200d👩\u200d👧 flags 🇩🇪🇩🇪",
    "libfoo-dev libfoo2-dev python3.11 x86_64 1 2 3",
    "C R c++ C# c+ c++x f#g # ++ a#",
    "tab\tnew\nline\u00a0nbsp\u2003em\x1cfs\x85nel",
    "nul\0nul \0ab ab",
    "lone \ud800 surrogate",
    "aaaa aaaa aaaa aaaa",
    "٣٤٥ ½ ² Ⅳ _under_score_",
]
CORPUS = [*HOSTILE, "plain text again", "text about c++ and libfoo", "日本語 テキスト", "a b", "ab cd", "Straße C"]
BOTH = FeatureConfig(characters=True, min_df=1, character_weight=0.5)


def sklearn_rows(features: TfidfFeatures, texts: list[str]) -> Csr:
    """The same rows by scikit-learn."""
    weights = [weight for _, _, weight in features.config.blocks().values()]
    parts = [
        vectorizer.transform(texts) * weight
        for vectorizer, weight in zip(features.to_sklearn().values(), weights, strict=True)
    ]
    rows = sp.csr_array(sp.hstack(parts, format="csr"))
    rows.sort_indices()
    return rows


def assert_same_rows(found: Csr, expected: Csr) -> None:
    assert found.shape == expected.shape
    assert found.indptr.tolist() == expected.indptr.tolist()
    assert found.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-5)


def test_tokens_of_package_names_stay_whole_and_short_names_stay() -> None:
    features = TfidfFeatures.fit(["libfoo-dev 2 R c++ C#"], config=FeatureConfig(word_ngrams=1, min_df=1))
    assert features.feature_names() == ["2", "c#", "c++", "dev", "libfoo", "r"]


def test_golden_values_by_hand() -> None:
    """Two texts; df(a) = 2 and df(b) = 1, so idf is 1 and ln(3/2) + 1; a comes twice in the first text."""
    features = TfidfFeatures.fit(["a b a", "a"], config=FeatureConfig(word_ngrams=1, min_df=1, word_weight=2.0))
    raw = np.array([1 + np.log(2), np.log(1.5) + 1])
    np.testing.assert_allclose(
        features.transform(["a b a", "b", "zzz"]).toarray(), [2 * raw / np.linalg.norm(raw), [0, 2], [0, 0]], rtol=1e-6
    )


@pytest.mark.parametrize("characters", [False, True])
def test_vocabulary_and_rows_are_those_sklearn_fits(characters: bool) -> None:
    ngrams = (3, 5) if characters else (1, 2)
    reference = TfidfVectorizer(
        analyzer="char_wb" if characters else "word", token_pattern=TOKEN_PATTERN, ngram_range=ngrams, min_df=2,
        sublinear_tf=True,
    )  # fmt: skip
    expected = sp.csr_array(reference.fit_transform(CORPUS))
    expected.sort_indices()
    config = FeatureConfig(word_ngrams=0 if characters else 2, characters=characters, character_weight=1.0)
    features = TfidfFeatures.fit(CORPUS[:7], CORPUS[7:], config=config)
    assert features.feature_names() == reference.get_feature_names_out().tolist()
    assert_same_rows(features.transform(CORPUS), expected)


@pytest.mark.parametrize(
    "config",
    [
        BOTH,
        FeatureConfig(word_ngrams=3, min_df=1, sublinear=False),
        FeatureConfig(word_ngrams=0, characters=True, character_low=1, character_high=2, min_df=1),
        FeatureConfig(word_ngrams=1, characters=True, character_low=4, character_high=4),
    ],
)
def test_hostile_texts_equal_sklearn(config: FeatureConfig) -> None:
    features = TfidfFeatures.fit(CORPUS, config=config)
    unseen = [*CORPUS, "unseen " + "".join(CORPUS), "İi\u0307", "ΣΑΣ", "\ud800", "\0", "c++ c+++ c#c"]
    assert_same_rows(features.transform(unseen), sklearn_rows(features, unseen))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(alphabet=st.characters() | st.sampled_from("ab +#-ΣİC\u0301 \0"), max_size=25), min_size=1, max_size=4
    )
)
def test_any_text_equals_sklearn(texts: list[str]) -> None:
    features = TfidfFeatures.fit([*CORPUS, *texts], config=BOTH)
    assert_same_rows(features.transform(texts), sklearn_rows(features, texts))
    assert features.transform([]).shape == (0, features.n_features)


def test_a_megabyte_of_text_equals_sklearn() -> None:
    features = TfidfFeatures.fit(CORPUS, config=BOTH)
    text = " ".join(HOSTILE) * 4000
    assert len(text) > 1_000_000
    assert_same_rows(features.transform([text]), sklearn_rows(features, [text]))


def test_one_text_is_bitwise_its_row_in_a_batch() -> None:
    features = TfidfFeatures.fit(CORPUS, config=BOTH)
    batch = features.transform(CORPUS)
    for position, text in enumerate(CORPUS):
        single, expected = check_csr(features.transform_one(text), name="row"), batch[[position]]
        assert single.shape == expected.shape
        assert single.indices.tobytes() == expected.indices.tobytes()
        assert single.data.tobytes() == expected.data.tobytes()


def test_blocks_of_texts_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = TfidfFeatures.fit(CORPUS, config=BOTH)
    monkeypatch.setattr("eclare_py.features.tfidf._TRANSFORM_BLOCK", 20)
    monkeypatch.setattr(counting, "text_blocks", lambda texts: [(i, i + 1) for i in range(len(texts))])
    pieces = TfidfFeatures.fit(CORPUS, config=BOTH)
    assert pieces.feature_names() == whole.feature_names()
    assert (pieces.transform(CORPUS) != whole.transform(CORPUS)).nnz == 0


def test_rows_are_valid_csr_and_blocks_have_their_norms() -> None:
    features = TfidfFeatures.fit(CORPUS, config=BOTH)
    rows = check_csr(features.transform(CORPUS), name="rows")
    words = len(features.vocabularies["word"])
    norms = np.sqrt([[(r[:words] ** 2).sum(), (r[words:] ** 2).sum()] for r in rows.toarray()])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(norms[2], [1.0, 0.5], rtol=1e-6)
    assert norms[0].tolist() == [0.0, 0.0]


def test_most_features_by_frequency_then_by_term() -> None:
    texts = ["d c b", "d c a", "d e", "e"]  # df: d 3, c 2, e 2, a 1, b 1
    config = FeatureConfig(word_ngrams=1, min_df=1, max_features=2)
    assert TfidfFeatures.fit(texts, config=config).feature_names() == ["c", "d"]
    assert TfidfFeatures.fit(texts[::-1], config=config).feature_names() == ["c", "d"]


def test_phrases_may_have_to_be_more_common_than_words() -> None:
    texts = ["a b c", "a b", "a b", "b c"]  # df: a 3, b 4, c 2; a b 3, b c 2
    names = [
        TfidfFeatures.fit(texts, config=FeatureConfig(phrase_min_df=least, characters=True)).feature_names()
        for least in (1, 3, 4)
    ]
    assert [[name for name in one if " " in name.strip()] for one in names] == [["a b", "b c"], ["a b"], []]
    assert all([name for name in one if " " not in name] == ["a", "b", "c"] for one in names)


def test_vocabulary_comes_from_documents_and_labels_and_nothing_else() -> None:
    features = TfidfFeatures.fit(["shared one"], ["shared two"], config=FeatureConfig(word_ngrams=1))
    before = features.transform(["shared three"]).toarray().tolist()
    features.transform(["three three"] * 5)
    assert features.feature_names() == ["shared"]
    assert features.transform(["shared three"]).toarray().tolist() == before


@pytest.mark.parametrize("characters", [False, True])
def test_colliding_hashes_are_noticed_and_reseeded(monkeypatch: pytest.MonkeyPatch, characters: bool) -> None:
    ngrams = NgramRange(characters, 1, 2)
    seeds = []

    def weak(texts: list[str], ngrams: NgramRange, seed: int = 0) -> Slices:
        seeds.append(seed)
        found = slices(texts, ngrams, seed)
        return found if seed == 2 else found._replace(hashes=found.hashes & np.uint64(15))

    expected, expected_df = counting.fit_vocabulary(CORPUS, ngrams)
    monkeypatch.setattr(counting, "slices", weak)
    found, df = counting.fit_vocabulary(CORPUS, ngrams)
    assert max(seeds) == 2
    assert found.terms == expected.terms
    assert df.tolist() == expected_df.tolist()


def test_texts_that_collide_under_every_seed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = lambda *given: slices(*given)._replace(hashes=np.zeros_like(slices(*given).hashes))  # noqa: E731
    monkeypatch.setattr(counting, "slices", flat)
    with pytest.raises(TrainingError, match="collide"):
        counting.fit_vocabulary(["a b"], NgramRange(False, 1, 1))


def test_look_up_survives_equal_half_hashes() -> None:
    """Every table entry and every slice claims the same hash: only the comparison of strings is left."""
    features = TfidfFeatures.fit(["a b c d"], config=FeatureConfig(word_ngrams=1, min_df=1))
    vocabulary = features.vocabularies["word"]
    vocabulary._table = np.array([1, 2, 3, 4, 0, 0, 0, 0], dtype=np.uint64)
    found = slices(["d x b a c"], vocabulary.ngrams)
    columns = look_up(*found[:3], np.zeros_like(found.hashes), *vocabulary.arrays)
    assert columns.tolist() == [3, -1, 1, 0, 2]


def test_saved_and_loaded_is_the_same(tmp_path) -> None:
    features = TfidfFeatures.fit(CORPUS, config=BOTH)
    write_state(tmp_path, "features", features.state())
    loaded = TfidfFeatures.from_state(read_state(tmp_path, "features"))
    assert loaded.config == features.config
    assert loaded.feature_names() == features.feature_names()
    assert loaded.transform(CORPUS).data.tobytes() == features.transform(CORPUS).data.tobytes()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("word.terms", None, "missing"),
        ("word.terms", lambda a: a[:-1], "do not fit"),
        ("word.terms", lambda a: np.full_like(a, 0xFF), "UTF-8"),
        ("word.terms", lambda a: a[::-1].copy(), "not sorted|UTF-8"),
        ("word.terms", lambda a: np.full_like(a, 97), "twice|not sorted"),
        ("word.lengths", lambda a: a.astype(np.int32), "int64"),
        ("word.lengths", lambda a: a + np.eye(1, len(a), dtype=np.int64)[0], "do not fit"),
        ("word.lengths", lambda a: a - a[0] * np.eye(1, len(a), dtype=np.int64)[0], "do not fit"),
        ("word.lengths", lambda a: a[:0], "do not fit"),
        ("word.shared", lambda a: a[:-1], "shared is not one number"),
        ("word.shared", lambda a: a + 256, "shared is not one number"),
        ("word.shared", lambda a: a - 1, "shared is not one number"),
        ("word.shared", lambda a: a.astype(np.uint8), "int64"),
        ("word.idf", lambda a: a[:-1], "outside|one float32 per term"),
        ("word.idf", lambda a: -a, "positive"),
        ("character.idf", lambda a: a.astype(np.float64), "float32"),
    ],
)
def test_damaged_state_is_refused(name: str, change, message: str) -> None:
    state = TfidfFeatures.fit(CORPUS, config=BOTH).state()
    arrays = {key: array for key, array in state.arrays.items() if key != name}
    if change:
        arrays[name] = change(state.arrays[name])
    with pytest.raises(ModelError, match=message):
        TfidfFeatures.from_state(State(arrays, state.meta))


def test_terms_of_earlier_models_are_read_and_checked() -> None:
    features = TfidfFeatures.fit(CORPUS, config=BOTH)
    state = features.state()
    arrays = {key: array for key, array in state.arrays.items() if not key.endswith(("lengths", "shared"))}
    for name, vocabulary in features.vocabularies.items():
        encoded = [term.encode("utf-8", "surrogatepass") for term in vocabulary.terms]
        arrays[f"{name}.terms"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        arrays[f"{name}.offsets"] = np.cumsum([0, *map(len, encoded)])
    assert TfidfFeatures.from_state(State(arrays, state.meta)).feature_names() == features.feature_names()
    for bad, message in ((arrays["word.offsets"] + 1, "from 0 on"), (arrays["word.offsets"][:-1], "do not fit")):
        with pytest.raises(ModelError, match=message):
            TfidfFeatures.from_state(State(arrays | {"word.offsets": bad}, state.meta))


def test_damaged_settings_are_refused() -> None:
    state = TfidfFeatures.fit(CORPUS, config=BOTH).state()
    with pytest.raises(ModelError, match="settings"):
        TfidfFeatures.from_state(State(state.arrays, {"config": {"word_ngrams": "two"}}))


def test_wrong_input_is_named() -> None:
    features = TfidfFeatures.fit(["a b"], config=FeatureConfig(min_df=1))
    with pytest.raises(UsageError, match="one string"):
        features.transform("a b")
    with pytest.raises(UsageError, match=r"texts\[1\] is None"):
        features.transform(["a", None])
    with pytest.raises(UsageError, match=r"label_texts\[0\] is 3"):
        TfidfFeatures.fit(["a"], [3])
    with pytest.raises(TrainingError, match="min_df"):
        TfidfFeatures.fit(["a", "b"])


def test_config_round_trip_and_limits() -> None:
    assert load_config(FeatureConfig, to_mapping(BOTH)) == BOTH
    with pytest.raises(ValueError, match="above"):
        FeatureConfig(character_low=5, character_high=3)
    with pytest.raises(ValueError, match="no features"):
        FeatureConfig(word_ngrams=0)
