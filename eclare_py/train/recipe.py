"""A recipe: every setting of a model, from features to fusion, as one frozen config (configs/*.yaml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from eclare_py.config import apply_overrides, load_config, merge, option, read_recipe, to_mapping
from eclare_py.features.tfidf import FeatureConfig
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.graph.build import GraphConfig
from eclare_py.index import IndexConfig
from eclare_py.linear import LinearConfig
from eclare_py.model.auxiliary_config import AuxiliaryConfig, ThresholdMarginConfig
from eclare_py.model.config import DocumentEncoderConfig, LabelEncoderConfig
from eclare_py.model.lightxml_config import LightXmlConfig
from eclare_py.model.rank_ae_config import RankAeConfig
from eclare_py.rank.config import RankConfig
from eclare_py.train.elias.config import EliasConfig
from eclare_py.train.imputation.config import ImputationConfig
from eclare_py.train.resolution_config import ResolutionConfig


@dataclass(frozen=True)
class TrainingConfig:
    """How the stages train."""

    validation: float = option(
        0.05, "share of the train documents held out: picks the epoch, fits the fusion", low=0.001, high=0.5
    )
    max_validation: int = option(4000, "most documents held out", low=10)
    batch_size: int = option(512, "most documents per step", low=1)
    least_steps: int = option(1, "steps of an epoch at least: with few documents, fewer of them per step", low=1)
    at_hand: int = option(
        0, "labels that a step scores at least: those of its documents, filled up with random others", low=0
    )
    batches: Literal["random", "clustered"] = option(
        "random",
        "which documents share a step: any, or clusters of similar ones, whose labels are hard to tell apart",
    )
    batch_clusters: int = option(
        1, "documents per cluster at the start (1: random batches); doubled at every refresh", low=1
    )
    batch_refresh: int = option(1, "epochs after which the clusters are made anew", low=1)
    groups: bool = option(
        False,
        "where labels are of groups, the encoders learn from these: of members the greatest score, by who is likely to "
        "carry the label",
    )
    label_documents: bool = option(
        False, "label texts are documents too, of their own label, in the batches of the surrogate stage"
    )
    surrogate_epochs: int = option(5, "epochs of the surrogate stage (in-batch negatives)", low=1)
    ranker_epochs: int = option(1, "epochs of the ranker stage (mined negatives); 0 leaves the stage out", low=0)
    max_steps: int = option(3000, "most steps of a stage: large data sets get fewer epochs, but at least one", low=1)
    table_rate: float = option(0.05, "learning rate of the embedding table (row-wise Adagrad)", low=0.0)
    dense_rate: float = option(1e-3, "learning rate of all other parameters (Adam)", low=0.0)
    ranker_factor: float = option(0.05, "learning rates of the ranker stage, as a share of the surrogate's", low=0.0)
    free_rate: float = option(0.003, "learning rate of the free label vectors (row-wise Adagrad)", low=0.0)
    loss: Literal["decoupled", "softmax", "margin"] = option(
        "decoupled",
        "softmax in which a document's labels do not compete, plain softmax, or triplets with a dynamic margin",
    )
    positive_weight: Literal["uniform", "propensity"] = option(
        "uniform", "say of each of a document's labels in the loss: the same, or by inverse propensity (rare ones more)"
    )
    soft_targets: float = option(
        0.0, "target of a rare label for documents of labels near to it in text or graph; 0: none", low=0.0, high=0.9
    )
    threshold_margin: ThresholdMarginConfig = field(default_factory=ThresholdMarginConfig)
    auxiliary: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    temperature: float = option(0.05, "1 / scale of the cosine at the start", low=1e-3, high=1.0)
    mined: int = option(100, "hardest labels kept per document when negatives are mined", low=1)
    hard_negatives: int = option(10, "of these, drawn anew for each document and step", low=0)
    precision: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "of matrix products in training steps; auto: bfloat16 where the processor or the GPU has it in hardware"
    )
    hop_features: int | None = option(64, "heaviest terms kept per label and graph hop; none keeps all", low=1)
    checkpoint_seconds: float = option(300.0, "least time between two checkpoints", low=0.0)

    def __post_init__(self) -> None:
        if self.groups and (
            self.batches != "random" or self.soft_targets or self.loss == "margin" or self.auxiliary.used
        ):
            raise ValueError("groups=true needs batches=random, soft_targets=0, no auxiliary tasks, a softmax as loss")
        if self.soft_targets and self.loss != "decoupled":
            raise ValueError(f"soft_targets={self.soft_targets} needs loss=decoupled, not {self.loss}")

    def per_step(self, n_documents: int) -> int:
        """Documents per step where there are so many."""
        return max(1, min(self.batch_size, n_documents // self.least_steps))


@dataclass(frozen=True)
class PlentyConfig:
    """What data with many documents get instead: more room to learn, which few documents would fill by heart."""

    documents: int = option(0, "train documents, held-out ones among them, from which on the settings hold", low=0)
    per_label: float = option(0.0, "and for each label, on average, so many of them", low=0.0)
    settings: dict[str, Any] = field(
        default_factory=dict,
        hash=False,  # or recipes, which are compared, could not be keys of tables
        metadata={"help": "settings, by section, that then take the place of the recipe's"},
    )

    def reached(self, n_documents: int, n_labels: int) -> bool:
        """Whether there are documents enough."""
        return n_documents >= max(self.documents, self.per_label * n_labels)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a model becomes, given the data."""

    name: str = option("eclare", "what the model is called")
    method: Literal["fusion", "linear", "xr_transformer", "lightxml", "elias", "rank_ae"] = option(
        "fusion",
        "label vectors and the fusion over them, the linear ranker alone (XR-Linear), the linear ranker on TF-IDF "
        "and the vectors of a transformer tuned for it (XR-Transformer), LightXML, a learned index (ELIAS), or "
        "documents and label sets in one latent space (Rank-AE)",
    )
    seed: int = option(0, "seed of every random choice", low=0)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    document: DocumentEncoderConfig = field(default_factory=DocumentEncoderConfig)
    label: LabelEncoderConfig = field(default_factory=LabelEncoderConfig)
    index: IndexConfig = field(default_factory=IndexConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    lightxml: LightXmlConfig = field(default_factory=LightXmlConfig)
    resolutions: ResolutionConfig = field(default_factory=ResolutionConfig)
    rank: RankConfig = field(default_factory=RankConfig)
    elias: EliasConfig = field(default_factory=EliasConfig)
    rank_ae: RankAeConfig = field(default_factory=RankAeConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    imputation: ImputationConfig = field(default_factory=ImputationConfig)
    plenty: PlentyConfig = field(default_factory=PlentyConfig)

    def among(self, n_documents: int, n_labels: int) -> Recipe:
        """The recipe for so many train documents and labels: where they are plenty, with the settings for that.

        Whoever trains a recipe asks for this first; a recipe that was given such settings has none to give any more.
        """
        if not self.plenty.settings or not self.plenty.reached(n_documents, n_labels):
            return self
        return self._with_plenty()

    def _with_plenty(self) -> Recipe:
        mapping = to_mapping(replace(self, plenty=PlentyConfig()))
        return load_config(Recipe, merge(mapping, self.plenty.settings), "plenty.settings")

    def __post_init__(self) -> None:
        if self.plenty.settings:
            self._with_plenty()  # which is to be as sound
        if self.method == "elias" and self.elias.ranker and self.linear.loss != "squared-hinge":
            raise ValueError(f"elias.ranker=true needs linear.loss=squared-hinge, not {self.linear.loss}")


def load_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe file, apply `a.b=c` overrides and check every key.

    Raises:
        ConfigError: An unknown key, a bad value; names the file, the key and the mend.
    """
    return recipe_from(read_recipe(path), overrides, str(path))


def recipe_from(mapping: Mapping[str, Any], overrides: Iterable[str], where: str = "recipe") -> Recipe:
    """The same from plain data. What is overridden holds for any data: `plenty.settings` do not come after it.

    Raises:
        ConfigError: As in `load_recipe`; names `where`.
    """
    overrides = list(overrides)
    known = apply_overrides(mapping, overrides)
    plenty = known.get("plenty")
    if isinstance(plenty, dict) and isinstance(plenty.get("settings"), dict):
        settings = plenty["settings"]
        for text in overrides:
            settings = _without(settings, text.partition("=")[0].strip().split("."))
        known["plenty"] = {**plenty, "settings": settings}
    return load_config(Recipe, known, where)


def _without(mapping: Any, path: list[str]) -> Any:
    """Nested mappings without the key at a path."""
    if not isinstance(mapping, dict) or path[0] not in mapping:
        return mapping
    rest = {key: value for key, value in mapping.items() if key != path[0]}
    return rest if len(path) == 1 else {**rest, path[0]: _without(mapping[path[0]], path[1:])}
