"""EclareClassifier: train, predict, explain, evaluate, save and load in a few calls."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from eclare_py.data.arguments import as_dataset, as_texts, test_split
from eclare_py.data.dataset import DataFolder, Dataset
from eclare_py.errors import UsageError
from eclare_py.labels.match import into_label_space
from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.filters import drop_filter_pairs
from eclare_py.metrics.result import Evaluation
from eclare_py.metrics.scorer import MetricScorer
from eclare_py.persist import load_pipeline, save_pipeline
from eclare_py.rank.models import Model, method_of
from eclare_py.rank.pipeline import Pipeline
from eclare_py.rank.selection import automatable, choose_thresholds, with_score_quality
from eclare_py.recipes import Overrides, find_recipe, override_words
from eclare_py.types import BoolArray, IntArray, Ranking

if TYPE_CHECKING:
    from eclare_py.metrics.bin_thresholds import BinThresholds
    from eclare_py.rank.explain import Explanation
    from eclare_py.train.events import Listener
    from eclare_py.train.recipe import Recipe

RANKED = 100  # labels ranked per document in an evaluation: what R@100 needs


class EclareClassifier:
    """An extreme multi-label classifier of short texts.

        clf = EclareClassifier.from_recipe("default").fit(texts, label_lists)
        clf.predict_names(["tool to edit audio tags"], k=5)

    Args:
        recipe: Name of a recipe of this package ("default"), the path of a YAML file, a `Recipe`, or its plain data,
            which a loaded model has here.
        overrides: Settings laid over it: {"document.dim": 128}, or ["document.dim=128"].
        device: "auto", "cpu" or "cuda"; only training uses it.
    """

    def __init__(
        self,
        recipe: str | Path | Recipe | Mapping[str, Any] = "default",
        *,
        overrides: Overrides = (),
        device: str = "auto",
    ) -> None:
        self.recipe = recipe
        self.overrides = overrides
        self.device = device
        self._pipeline: Model | None = None

    @classmethod
    def from_recipe(
        cls, recipe: str | Path = "default", overrides: Overrides = (), *, device: str = "auto"
    ) -> EclareClassifier:
        """A classifier with the settings of a recipe, checked at once.

        Raises:
            ConfigError: No such recipe, an unknown key or a bad value.
        """
        classifier = cls(recipe, overrides=overrides, device=device)
        classifier.settings()
        return classifier

    @classmethod
    def load(cls, path: str | Path, *, tail_boost: float | None = None) -> Self:
        """A classifier from a model folder; loading and answering need no torch.

        Args:
            path: The folder.
            tail_boost: How much rare labels are lifted, instead of the recipe's `rank.tail_boost`: 0 ranks by
                probability, about 1 favours rare labels.

        Raises:
            ModelError: The folder is no model, or is damaged.
            UsageError: A `tail_boost` that is no number from 0, or for a model that is not of the fusion.
        """
        pipeline = load_pipeline(path)
        classifier = cls(pipeline.recipe)
        if tail_boost is not None:
            if not isinstance(pipeline, Pipeline):
                raise UsageError(
                    f"tail_boost is of the fusion; this model is of the method {method_of(pipeline)}, which has none"
                )
            pipeline = pipeline.at(tail_boost)
        classifier._pipeline = pipeline
        return classifier

    def settings(self) -> Recipe:
        """The recipe with the overrides, as it will be trained.

        Raises:
            ConfigError: No such recipe, an unknown key or a bad value.
        """
        from eclare_py.config import to_mapping
        from eclare_py.train.recipe import Recipe, load_recipe, recipe_from

        words = override_words(self.overrides)
        if isinstance(self.recipe, str | Path):
            return load_recipe(find_recipe(self.recipe), words)
        if isinstance(self.recipe, Recipe) and not words:
            return self.recipe
        known = to_mapping(self.recipe) if isinstance(self.recipe, Recipe) else self.recipe
        return recipe_from(known, words)

    def fit(
        self,
        data: Dataset | DataFolder | Sequence[str],
        labels: Sequence[Sequence[str] | Sequence[int]] | Any | None = None,
        *,
        label_texts: Sequence[str] | Mapping[str, str] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        listener: Listener | None = None,
    ) -> EclareClassifier:
        """Train.

        Args:
            data: A data set (of a folder its train split), or N texts.
            labels: With texts: for each its label names, or rows of `label_texts`; or an (N, L) indicator matrix, dense
                or sparse, as of scikit-learn's `MultiLabelBinarizer`, or a DataFrame whose columns name the labels.
            label_texts: What the labels say, in label order or by name; without it their names.
            folder: Where checkpoints and the event log are kept; None keeps none.
            resume: Go on from the checkpoint in `folder`, if there is one.
            listener: Told of progress as listener(event, values).

        Returns:
            This classifier. Of several processes (see `distributed.processes.joined`) process 0 alone has the model.

        Raises:
            DataError: An empty text, an unknown label.
            UsageError: A table as texts, labels of a document that are no list; names the document.
            TrainingError: Too little data, or a loss that is not finite.
        """
        dataset = as_dataset(data, labels, label_texts)
        settings = self.settings()
        from eclare_py.train.fit import train

        self._pipeline = train(
            dataset, settings, folder=None if folder is None else Path(folder), resume=resume, device=self.device,
            listener=listener,
        )  # fmt: skip
        return self

    def finetune(
        self,
        data: Dataset | DataFolder | Sequence[str],
        labels: Sequence[Sequence[str] | Sequence[int]] | Any | None = None,
        *,
        label_texts: Sequence[str] | Mapping[str, str] | None = None,
        replay: Dataset | DataFolder | None = None,
        settings: Overrides = (),
        folder: str | Path | None = None,
        resume: bool = False,
        listener: Listener | None = None,
    ) -> EclareClassifier:
        """Go on training on new documents and for new labels, see `eclare_py.finetune.finetune`.

        Args:
            data: The new documents, as in `fit`.
            labels: Likewise.
            label_texts: Likewise.
            replay: What the model was trained on (of a folder the train split). Without it labels that are not in
                `data` go, and what the model knew of the others is partly forgotten.
            settings: Of the fine-tuning: {"epochs": 2}, or ["epochs=2"].
            folder: As in `fit`.
            resume: Likewise.
            listener: Likewise.

        Returns:
            This classifier, tuned.

        Raises:
            DataError: An empty text; no label of the data is known to the model.
            UsageError: This classifier is not trained, or is of a method that cannot be tuned.
            TrainingError: Too little data, or a loss that is not finite.
        """
        from eclare_py.config import apply_overrides, load_config
        from eclare_py.finetune import FinetuneConfig, finetune

        config = load_config(FinetuneConfig, apply_overrides({}, override_words(settings)), "finetune")
        old = replay.train if isinstance(replay, DataFolder) else replay
        self._pipeline = finetune(
            self.pipeline, as_dataset(data, labels, label_texts), old=old, config=config,
            folder=None if folder is None else Path(folder), resume=resume, device=self.device, listener=listener,
        )  # fmt: skip
        return self

    @property
    def pipeline(self) -> Model:
        """The trained parts.

        Raises:
            UsageError: There are none yet.
        """
        if self._pipeline is None:
            raise UsageError("this classifier is not trained: call fit, or EclareClassifier.load")
        return self._pipeline

    @property
    def n_labels(self) -> int:
        """L."""
        return self.pipeline.n_labels

    def predict(self, texts: Iterable[str], k: int = 10, *, filter_pairs: IntArray | None = None) -> Ranking:
        """The k most probable labels of each text.

        Args:
            texts: (B,) texts: a list, an array, a column of a table.
            k: Labels wanted.
            filter_pairs: (F, 2) pairs (text, label) that must not come up.

        Returns:
            (B, k) Ranking of rows of labels and probabilities; padded where there are fewer candidates.

        Raises:
            UsageError: Something that is no text, a k below 1, a classifier that is not trained.
        """
        if k < 1:
            raise UsageError(f"k={k} must be at least 1")
        return self.pipeline.rank(as_texts(texts), k, hidden=filter_pairs)

    def predict_names(self, texts: Iterable[str], k: int = 10) -> list[list[tuple[str, float]]]:
        """The k most probable labels of each text as (name, probability), best first."""
        ranking, labels = self.predict(texts, min(k, self.n_labels)), self.pipeline.labels
        return [
            [(labels.name(label), score) for label, score in zip(row, scores, strict=True) if label >= 0]
            for row, scores in zip(ranking.indices.tolist(), ranking.scores.tolist(), strict=True)
        ]

    def thresholds(self, precision: float, k: int = 10) -> BinThresholds | None:
        """Least scores, by label frequency, at which this share of the k best labels of documents is relevant.

        They are chosen on documents that training held out, a little on the safe side; `rank.selection.keep_above`
        applies them to a ranking.

        Returns:
            None where no threshold reached the precision.

        Raises:
            UsageError: A precision that is not above 0 and at most 1.
            ModelError: The model has no held-out scores: saved by an earlier version, or of another method than fusion.
        """
        return choose_thresholds(self.pipeline, precision, k)

    def automatable(self, ranking: Ranking, min_precision: float = 0.9) -> BoolArray:
        """Which documents can do without a person: (B,) whether their first label is sure enough.

            ranking = clf.predict(texts, k=5)
            for_a_person = ~clf.automatable(ranking, min_precision=0.9)

        Of the first labels that are automated so, this share is relevant, most likely: see `thresholds`, of which these
        are those of the first label alone. Where none reached the precision, nothing is automated.

        Args:
            ranking: From `predict`, for any k.
            min_precision: The share asked for.

        Raises:
            UsageError, ModelError: As in `thresholds`.
        """
        return automatable(ranking, self.thresholds(min_precision, 1), self.pipeline.frequencies)

    def explain(self, text: str, label: int | str, *, top: int = 5) -> Explanation:
        """What is behind the score of a label (row, id or text) for a text.

        Raises:
            UsageError: There is no such label, or the model has no label vectors.
        """
        from eclare_py.rank.explain import explain

        pipeline = self.pipeline
        if not isinstance(pipeline, Pipeline):
            raise UsageError(
                f"this model is of the method {method_of(pipeline)}: it has no label vectors or graph to explain a "
                "score by; train the recipe default or eclare"
            )
        return explain(pipeline, text, label, top=top)

    def evaluate(
        self, data: DataFolder | Dataset, *, train: Dataset | None = None, ranking: Ranking | None = None
    ) -> Evaluation:
        """Quality on a test set over the labels of the model.

        Args:
            data: A data folder (its test split), or the test set. Its labels are matched with those of the model by id,
                or where one side has no ids, by text.
            train: The train split that label frequencies are counted in, as published figures are; without it the
                frequencies are how often the model saw each label in training, which is the same where it was trained
                on this folder.
            ranking: What `predict(texts, k=100, filter_pairs=...)` gave, where that was done already.

        Raises:
            DataError: A label that the model does not have, or a folder without test split.
            UsageError: There is nothing to evaluate.
        """
        test, a, b = test_split(data)
        test = into_label_space(test, self.pipeline.labels)
        frequencies, n_train = self.pipeline.frequencies, self.pipeline.n_documents
        if train is not None:
            train = into_label_space(train, self.pipeline.labels, drop_unknown=True)
            frequencies, n_train = train.label_frequencies, train.n_documents
        if ranking is None:
            ranking = self.predict(test.texts, RANKED, filter_pairs=test.filter_pairs)
        evaluation = evaluate(
            ranking, test.labels, frequencies, n_train, filter_pairs=test.filter_pairs, propensity_a=a, propensity_b=b
        )
        return with_score_quality(evaluation, self.pipeline, drop_filter_pairs(ranking, test.filter_pairs), test.labels)

    def save(self, path: str | Path, *, log: str | Path | None = None) -> None:
        """Write the model folder, all or nothing; `log` is an event log to keep with it.

        Raises:
            UsageError: `path` holds something that is not a model.
            ModelError: The disk is full.
        """
        save_pipeline(self.pipeline, path, log=log)

    def describe(self) -> dict[str, Any]:
        """Sizes, settings and training facts of the model as plain data."""
        return self.pipeline.describe()

    @property
    def classes_(self) -> np.ndarray:
        """(L,) names of the labels, in the order of their rows.

        Raises:
            AttributeError: The classifier is not trained, as scikit-learn wants it.
        """
        if self._pipeline is None:
            raise AttributeError("classes_ is there once the classifier is trained: call fit")
        labels = self._pipeline.labels
        return np.array(labels.texts if labels.ids is None else labels.ids, dtype=object)

    def score(self, texts: Sequence[str], labels: Any) -> float:
        """nDCG@5 in percent of N texts with labels as in `fit`; `metrics.MetricScorer` has the other metrics."""
        return MetricScorer("nDCG@5")(self, texts, labels)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Constructor arguments, as scikit-learn's `clone` and searches expect them; `deep` changes nothing."""
        return {"recipe": self.recipe, "overrides": self.overrides, "device": self.device}

    def set_params(self, **params: Any) -> EclareClassifier:
        """Set constructor arguments by name, or single settings of the recipe by theirs: {"document.dim": 64}.

        Raises:
            UsageError: An unknown name. (That a setting is unknown shows when the recipe is read, in `fit`.)
        """
        known = self.get_params()
        settings = [f"{name}={json.dumps(value)}" for name, value in params.items() if "." in name or name == "seed"]
        for name, value in params.items():
            if name in known:
                setattr(self, name, value)
            elif "." not in name and name != "seed":
                raise UsageError(
                    f"unknown parameter {name!r}: choose {', '.join(known)}, or a setting of the recipe "
                    "such as document.dim"
                )
        if settings:
            self.overrides = [*override_words(self.overrides), *settings]  # of one setting the last word counts
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._pipeline is not None

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's searches ask for: texts in, many labels out."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier", target_tags=TargetTags(required=True, multi_output=True, single_output=False),
            classifier_tags=ClassifierTags(multi_class=False, multi_label=True),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        if self._pipeline is not None:
            raise TypeError("a trained EclareClassifier is not pickled: save(folder) it and load(folder) it again")
        return vars(self)

    def __repr__(self) -> str:
        state = "not trained" if self._pipeline is None else f"{self.n_labels} labels"
        recipe = self.recipe
        named = recipe.get("name", "") if isinstance(recipe, Mapping) else getattr(recipe, "name", recipe)
        return f"EclareClassifier({str(recipe if isinstance(recipe, Path) else named)!r}, {state})"
