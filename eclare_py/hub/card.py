"""The model card: what a model is for, how good it is, what is inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from eclare_py import __version__
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.models import Model, method_of
from eclare_py.rank.pipeline import Pipeline

CARD = "README.md"
SHOWN = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@5", "R@10", "R@100", "tail_R@10")
_EXAMPLES = 5

_TEXT = """
# {name}

Tags a short text with its most relevant labels out of {labels:,}. Trained with
[eclare_py](https://pypi.org/project/eclare_py/) {version}, recipe `{recipe}` (method `{method}`), on {documents:,}
documents.

```python
from eclare_py import HubClassifier

model = HubClassifier.from_pretrained("{repo}", revision="...")  # the commit you looked at
model.predict_names(["a short text"], k=5)
```

## Quality

{quality}

## Data

| | |
|---|---|
| data set | {dataset} |
| train documents | {documents:,} |
| labels | {labels:,}, {seen:,} of them with a document |
| SHA-256 of the train split | `{fingerprint}` |

Labels look like this: {examples}.

## What is inside

Files are safetensors and JSON; loading them runs no code. They hold
{inside}
Whoever has the model can read all of this.

## Licence

{licence}
"""


def model_card(
    pipeline: Model,
    *,
    name: str = "",
    repo: str = "you/model",
    license: str | None = None,  # as the Hub spells it
    language: str | Sequence[str] | None = None,
    dataset: str = "",
    metrics: Mapping[str, float | None] | None = None,
) -> ModelCard:
    """A card, with the fields that the Hub reads at its top.

    Args:
        pipeline: The model.
        name: Title; the name of the recipe without it.
        repo: Where it will lie.
        license: Identifier of the licence, as the Hub lists them; None leaves the field open and says so.
        language: Of the texts, e.g. "en".
        dataset: What it was trained on, in words or as a Hub data set.
        metrics: Figures of a test split, in percent (`evaluate(...).metrics`); without them those of held-out train
            documents, where training kept such.
    """
    facts, recipe = pipeline.facts, str(pipeline.recipe.get("name", ""))
    title, measured = name or f"eclare_py, recipe {recipe}", metrics or facts.get("held_out_metrics") or {}
    figures = {one: float(value) for one, value in measured.items() if value is not None}  # None: nothing to find
    data = ModelCardData(
        language=language if language is None or isinstance(language, str) else list(language),
        license=license, library_name="eclare_py", pipeline_tag="text-classification",
        tags=["extreme-multi-label-classification", "multi-label", "eclare"], model_name=title,
        eval_results=_results(figures, dataset) if metrics else None,
    )  # fmt: skip
    text = _TEXT.format(
        name=title, labels=pipeline.n_labels, version=__version__, recipe=recipe, method=method_of(pipeline),
        documents=pipeline.n_documents, repo=repo, quality=_quality(figures, tested=bool(metrics)),
        dataset=dataset or "not named", seen=int((pipeline.frequencies > 0).sum()),
        fingerprint=facts.get("data", "not known"), examples=", ".join(f"`{t}`" for t in _examples(pipeline)),
        inside="\n".join(_inside(pipeline)),
        licence=f"`{license}`" if license else "Not stated: ask whoever published this model before you use it.",
    )  # fmt: skip
    return ModelCard(f"---\n{data.to_yaml()}\n---\n{text}")


def _quality(figures: Mapping[str, float], *, tested: bool) -> str:
    shown = [name for name in SHOWN if name in figures]
    if not shown:
        return "Not measured."
    where = "On a test split" if tested else "On train documents that were held out (optimistic: settings saw them)"
    rows = ["| " + " | ".join(shown) + " |", "|---" * len(shown) + "|"]
    return "\n".join([f"{where}, in percent:", "", *rows, "| " + " | ".join(f"{figures[n]:.2f}" for n in shown) + " |"])


def _results(figures: Mapping[str, float], dataset: str) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="text-classification", dataset_type=dataset or "own", dataset_name=dataset or "own",
            metric_type=name, metric_value=round(float(figures[name]), 2),
        )
        for name in SHOWN
        if name in figures
    ]  # fmt: skip


def _examples(pipeline: Model) -> list[str]:
    """Texts of labels of all frequencies, for people to see what they are like."""
    order = pipeline.frequencies.argsort(kind="stable")[::-1]
    step = max(1, len(order) // _EXAMPLES)
    return [pipeline.labels.texts[row].replace("`", "'")[:80] for row in order[::step][:_EXAMPLES].tolist()]


def _inside(pipeline: Model) -> list[str]:
    held = [
        f"- the names and texts of all {pipeline.n_labels:,} labels, and how often each was seen;",
        "- words, word pairs and pieces of words that occur in the training texts, as its vocabulary;",
    ]
    if isinstance(pipeline, Pipeline):
        held.append("- which labels occur together, and the mean vector of each label's documents;")
        held.append("- ids and vectors, not texts, of up to three train documents a label, for explanations;")
    if isinstance(pipeline, LinearPipeline):
        held.append("- a linear classifier of words for every label;")
    held.append("- the settings it was trained with, and the log of its training where that was kept.")
    return held
