"""TF-IDF over word and character n-grams: one vocabulary for documents and labels, compiled look-up, plain arrays.

The numbers are scikit-learn's (`TfidfVectorizer` with sublinear_tf, smooth idf and l2 norm; `to_sklearn` builds it).
The code that counts is our own: several times faster in a batch, and no milliseconds of set-up for one short text.
One compiled path serves training and serving, hence their results are equal bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.config import load_config, option, to_mapping
from eclare_py.errors import ConfigError, ModelError, TrainingError, UsageError
from eclare_py.features.counting import fit_vocabulary
from eclare_py.features.ngrams import (
    TOKEN_PATTERN,
    NgramRange,
    class_table,
    how,
    normalised,
    text_blocks,
)
from eclare_py.features.rows import RowParts, block_rows, side_by_side
from eclare_py.features.vocabulary import Vocabulary, whole_terms
from eclare_py.storage import State
from eclare_py.storage.distinct import distinct_from_arrays, distinct_to_arrays
from eclare_py.storage.spool import Collector
from eclare_py.storage.texts import TextStore, join_texts
from eclare_py.threads import in_parts
from eclare_py.types import Csr, FloatArray, narrow

_TRANSFORM_BLOCK = 1 << 19  # characters worked on at once: some 50 MB of temporaries with character n-grams
_TOGETHER = 512  # texts handed to a thread


@dataclass(frozen=True)
class FeatureConfig:
    """What becomes a feature, and how much it weighs."""

    word_ngrams: int = option(2, "longest word n-gram; 0 leaves words out", low=0, high=5)
    characters: bool = option(False, "count character n-grams within words too")
    character_low: int = option(3, "shortest character n-gram", low=1, high=8)
    character_high: int = option(5, "longest character n-gram", low=1, high=8)
    min_df: int = option(2, "training texts (documents and labels) that a feature must occur in", low=1)
    phrase_min_df: int = option(1, "the same of n-grams of several words, where that is more", low=1)
    max_features: int | None = option(None, "most word features, by document frequency; none is no limit", low=1)
    max_character_features: int | None = option(None, "most character features, by document frequency", low=1)
    sublinear: bool = option(True, "1 + ln(count) instead of the count")
    word_weight: float = option(1.0, "l2 norm of the word part of a row", low=0.0)
    character_weight: float = option(0.5, "l2 norm of the character part of a row", low=0.0)

    def __post_init__(self) -> None:
        if self.character_low > self.character_high:
            raise ValueError(f"character_low {self.character_low} is above character_high {self.character_high}")
        if not self.word_ngrams and not self.characters:
            raise ValueError("word_ngrams is 0 and characters is false: that leaves no features")

    def blocks(self) -> dict[str, tuple[NgramRange, int | None, float]]:
        """The feature blocks in column order: name -> n-grams, most features, weight."""
        found: dict[str, tuple[NgramRange, int | None, float]] = {}
        if self.word_ngrams:
            found["word"] = (NgramRange(False, 1, self.word_ngrams), self.max_features, self.word_weight)
        if self.characters:
            ngrams = NgramRange(True, self.character_low, self.character_high)
            found["character"] = (ngrams, self.max_character_features, self.character_weight)
        return found


class TfidfFeatures:
    """Fitted TF-IDF features; build with `fit` or `from_state`.

    Args:
        config: The settings they were fitted with.
        vocabularies: One per block of `config.blocks()`.
        idf: Inverse document frequencies of each block, float32.
    """

    def __init__(self, config: FeatureConfig, vocabularies: dict[str, Vocabulary], idf: dict[str, FloatArray]) -> None:
        self.config = config
        self.vocabularies = vocabularies
        self.idf = idf

    @classmethod
    def fit(
        cls, texts: Sequence[str], label_texts: Sequence[str] = (), *, config: FeatureConfig | None = None
    ) -> TfidfFeatures:
        """Choose the vocabulary and its weights from training texts alone.

        idf(t) = ln((1 + n) / (1 + df(t))) + 1 over all n = N + L texts, as scikit-learn smooths it.

        Args:
            texts: N training documents.
            label_texts: L label texts.
            config: What to count.

        Raises:
            TrainingError: No feature is left.
        """
        config = config or FeatureConfig()
        corpus = join_texts(_checked(texts, "texts"), _checked(label_texts, "label_texts"))
        vocabularies, idf = {}, {}
        for name, (ngrams, limit, _) in config.blocks().items():
            vocabularies[name], frequencies = fit_vocabulary(
                corpus, ngrams, min_df=config.min_df, max_features=limit, phrase_min_df=config.phrase_min_df
            )
            idf[name] = (np.log((1 + len(corpus)) / (1 + frequencies)) + 1).astype(np.float32)
        features = cls(config, vocabularies, idf)
        if not features.n_features:
            raise TrainingError(f"no word occurs in {config.min_df} of {len(corpus)} texts; lower features.min_df")
        return features

    @property
    def n_features(self) -> int:
        """V, columns of all blocks."""
        return sum(len(vocabulary) for vocabulary in self.vocabularies.values())

    @property
    def n_words(self) -> int:
        """Columns of the word block, the first ones; 0 where the recipe has none."""
        return len(self.vocabularies.get("word", ()))

    def feature_names(self) -> list[str]:
        """The n-gram of each of the V columns."""
        return [term for vocabulary in self.vocabularies.values() for term in vocabulary.terms]

    def transform(self, texts: Sequence[str]) -> Csr:
        """TF-IDF rows; each block of columns has its weight as l2 norm, or is empty.

        Args:
            texts: N texts.

        Returns:
            (N, V) CSR, float32.
        """
        texts = _checked(texts, "texts")
        counts, columns, values = [np.zeros(1, np.int64)], Collector(np.int32), Collector(np.float32)
        for start, stop in text_blocks(texts, _TRANSFORM_BLOCK):
            for part in self._parts(texts[start:stop]):
                counts.append(part[0])
                columns.add(part[1])
                values.add(part[2])
        pointers, indices = narrow(np.cumsum(np.concatenate(counts))), columns.finish()
        return Csr((values.finish(), indices, pointers), shape=(len(texts), self.n_features))

    def transform_one(self, text: str) -> Csr:
        """The (1, V) row of one text, equal to that of `transform`."""
        counts, columns, values = self._rows(_checked([text], "texts"))
        row = copy(self._no_row)  # scipy takes longer to check a matrix than it takes to make this one
        row.data, row.indices, row.indptr = values, columns, np.array([0, counts[0]], dtype=np.int32)
        return row

    @cached_property
    def _no_row(self) -> Csr:
        return Csr((1, self.n_features), dtype=np.float32)

    @cached_property
    def _blocks(self) -> list[tuple[Any, ...]]:
        """For each block of columns what `block_rows` takes behind the texts."""
        found, offset = [], 0
        for name, (ngrams, _, weight) in self.config.blocks().items():
            vocabulary, idf = self.vocabularies[name], self.idf[name]
            found.append(
                (class_table(ngrams), *how(ngrams), *vocabulary.arrays, idf, offset, self.config.sublinear, weight)
            )
            offset += len(vocabulary)
        return found

    def _parts(self, texts: Sequence[str]) -> list[RowParts]:
        """The rows of texts, some after the others."""
        found: dict[int, RowParts] = {}

        def make(start: int, stop: int) -> None:
            found[start] = self._rows(texts[start:stop])

        in_parts(len(texts), _TOGETHER, make)
        return [found[start] for start in sorted(found)]

    def _rows(self, texts: Sequence[str]) -> RowParts:
        """Entries per row (B,), columns and values of a few texts."""
        codes, bounds = normalised(texts)
        parts = [block_rows(codes, bounds, *block) for block in self._blocks]
        return parts[0] if len(parts) == 1 else side_by_side(parts)

    def state(self) -> State:
        """Plain arrays and settings."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, vocabulary in self.vocabularies.items():
            arrays |= {f"{name}.{key}": array for key, array in vocabulary.to_arrays().items()}
            arrays |= distinct_to_arrays(f"{name}.idf", self.idf[name])  # terms of one document frequency share theirs
        return State(arrays, {"config": to_mapping(self.config)})

    @classmethod
    def from_state(cls, state: State) -> TfidfFeatures:
        """Read back what `state` gave.

        Raises:
            ModelError: A part is missing or does not fit the others.
        """
        try:
            config = load_config(FeatureConfig, state.meta.get("config", {}), "features")
        except ConfigError as error:
            raise ModelError(f"settings of the features are damaged: {error}") from error
        vocabularies, idf = {}, {}
        for name, (ngrams, _, _) in config.blocks().items():
            own = {key: state.arrays.get(f"{name}.{key}") for key in ("terms", "lengths", "shared", "idf")}
            if f"{name}.offsets" in state.arrays:
                own |= whole_terms(state.arrays[f"{name}.offsets"])
            known = {key: array for key, array in own.items() if array is not None}
            if len(known) < len(own):
                missing = next(key for key in own if key not in known)
                raise ModelError(f"features: array {name}.{missing} is missing; save the model again")
            vocabularies[name] = Vocabulary.from_arrays(known, ngrams)
            weights = distinct_from_arrays(state.arrays, f"{name}.idf", owner="features")
            if weights.dtype != np.float32 or weights.shape != (len(vocabularies[name]),):
                raise ModelError(f"features: {name}.idf is {weights.dtype} {weights.shape}, not one float32 per term")
            if not (np.isfinite(weights) & (weights > 0)).all():
                raise ModelError(f"features: {name}.idf holds values that are not finite and positive")
            idf[name] = weights
        return cls(config, vocabularies, idf)

    def to_sklearn(self) -> dict[str, Any]:
        """The same features as fitted scikit-learn `TfidfVectorizer`s, one per block (block weights not applied)."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        found = {}
        for name, vocabulary in self.vocabularies.items():
            ngrams = vocabulary.ngrams
            found[name] = TfidfVectorizer(
                analyzer="char_wb" if ngrams.characters else "word",
                token_pattern=TOKEN_PATTERN,
                ngram_range=(ngrams.low, ngrams.high),
                sublinear_tf=self.config.sublinear,
                vocabulary={term: column for column, term in enumerate(vocabulary.terms)},
                dtype=np.float32,
            )
            found[name].idf_ = self.idf[name]
        return found


def _checked(texts: Sequence[str], name: str) -> Sequence[str]:
    """Refuse one string in place of a list, and entries that are no strings."""
    if isinstance(texts, str):
        raise UsageError(f"{name} is one string; pass a list of strings")
    if isinstance(texts, TextStore):
        return texts
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"{name}[{position}] is {text!r}, not a string")
    return texts
