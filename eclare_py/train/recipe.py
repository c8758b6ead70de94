"""A recipe: every setting of a model, from features to fusion, as one frozen config (configs/*.yaml)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eclare_py.config import apply_overrides, load_config, option, read_recipe
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

    def __post_init__(self) -> None:
        if self.method == "elias" and self.elias.ranker and self.linear.loss != "squared-hinge":
            raise ValueError(f"elias.ranker=true needs linear.loss=squared-hinge, not {self.linear.loss}")


def load_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe file, apply `a.b=c` overrides and check every key.

    Raises:
        ConfigError: An unknown key, a bad value; names the file, the key and the mend.
    """
    return load_config(Recipe, apply_overrides(read_recipe(path), overrides), str(path))
