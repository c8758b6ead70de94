"""What requests and answers of the interface look like; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eclare_py.serve.settings import CHARS, TEXTS, K

Text = Annotated[str, Field(max_length=CHARS, description="A text; may be empty, has few labels then.")]


class Request(BaseModel):
    """A request; unknown keys are errors, so that a slip of the pen is not silently ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class PredictRequest(Request):
    """Texts to be labelled."""

    texts: list[Text] = Field(max_length=TEXTS, description="The texts.")
    k: int = Field(10, ge=1, le=K, description="Labels per text at most.")
    min_score: float = Field(0.0, ge=0, le=1, allow_inf_nan=False, description="Labels below it are left out.")
    precision: float | None = Field(
        None, gt=0, le=1, allow_inf_nan=False, multiple_of=0.01,
        description="Keep only what reaches the thresholds for this precision, in steps of 0.01.",
    )  # fmt: skip
    shares: bool = Field(False, description="Split the dense score of each label; for one text at a time.")


class ExplainRequest(Request):
    """A label to be explained."""

    text: Text
    label: str | None = Field(None, max_length=CHARS, description="Id or text of a label; the best one without.")
    top: int = Field(5, ge=1, le=20, description="Entries of each list.")


class Shares(BaseModel):
    """Parts that add up to the dense score: label text, label graph, free vector, prior, prototype of its documents."""

    text: float
    graph: float
    free: float
    prior: float
    documents: float


class Label(BaseModel):
    """A label of a text."""

    label: str = Field(description="Its id, or its text where labels have no ids.")
    text: str
    score: float
    frequency: int = Field(description="Train documents.")
    shares: Shares | None = None


class Labels(BaseModel):
    """The labels of one text, best first."""

    labels: list[Label]


class PredictResponse(BaseModel):
    """The labels of each text, in the order of the request."""

    results: list[Labels]


class Around(BaseModel):
    """A label beside another one."""

    label: str
    text: str
    frequency: int
    weight: float | None = Field(None, description="Weight of the edge between the two.")
    score: float | None = Field(None, description="Its own score for the text, where it is a candidate.")


class Named(BaseModel):
    """A name with a number."""

    name: str
    value: float


class ExplainResponse(BaseModel):
    """What is behind a score; a model that cannot tell leaves it out and says why in `note`."""

    label: str
    text: str
    frequency: int
    score: float | None = Field(description="None where the label is not among the candidates.")
    rank: int | None
    note: str = ""
    candidates: int | None = None
    dense: float | None = None
    shares: Shares | None = None
    evidence: dict[str, float] = Field(default_factory=dict)
    supporters: list[Around] = Field(default_factory=list)
    neighbours: list[Around] = Field(default_factory=list)
    documents: list[Named] = Field(default_factory=list, description="Nearest of its train documents, by cosine.")
    terms: list[Named] = Field(default_factory=list, description="What the dense score would lose without each.")


class Edge(BaseModel):
    """An edge among the labels around a label, by their places in the list; 0 is the label itself."""

    ends: tuple[int, int]
    weight: float


class LabelResponse(BaseModel):
    """A label and what is around it in the label graph, edges taken without direction."""

    label: str
    text: str
    frequency: int
    around: list[Around] = Field(description="Its neighbours, then theirs, by weight.")
    near: int = Field(description="How many of them are its own neighbours.")
    edges: list[Edge]
    left_out: int = Field(description="Neighbours of its own that are not listed.")
    documents: list[str] = Field(description="Names of some of its train documents, where the model keeps them.")


class Offer(BaseModel):
    """Least scores for a precision, by train frequency; above 1 where none reaches it."""

    precision: float
    edges: list[int] = Field(description="Greatest frequency of each threshold but the last.")
    thresholds: list[float]


class ModelResponse(BaseModel):
    """The model that is served."""

    name: str
    method: str
    recipe: str
    labels: int
    documents: int
    explains: bool
    note: str
    sources: list[str]
    precisions: list[Offer]
    limits: dict[str, float]
