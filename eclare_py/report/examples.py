"""Documents to browse in a report: what was predicted, what was missed, and why the first label came first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eclare_py.data.dataset import Dataset
from eclare_py.estimator import EclareClassifier
from eclare_py.rank.explain import Explanation
from eclare_py.rank.pipeline import Pipeline
from eclare_py.report.model import Example, Prediction

_WORDS, _OTHERS = 3, 3  # of an explanation


def choose_examples(classifier: EclareClassifier, data: Dataset, section: Mapping[str, Any]) -> list[Example]:
    """Documents to browse.

    Args:
        classifier: What ranked; the first label of each document is explained, if its method can explain.
        data: The N documents.
        section: Their predictions, from `examples_section`.
    """
    return [_example(classifier, data, one) for one in section["documents"]]


def _example(classifier: EclareClassifier, data: Dataset, found: Mapping[str, Any]) -> Example:
    text, names = data.texts[found["row"]], data.label_texts
    predictions = [
        Prediction(names[label], score, relevant)
        for label, score, relevant in zip(found["labels"], found["scores"], found["relevant"], strict=True)
    ]
    why = ""
    if predictions and isinstance(classifier.pipeline, Pipeline):
        why = in_a_sentence(classifier.explain(text, found["labels"][0], top=_WORDS))
    return Example(text, predictions, [names[label] for label in found["missed"]], why)


def in_a_sentence(found: Explanation) -> str:
    """The gist of an explanation: where the dense score is from, which words carry it, what supports it."""
    split = found.split
    parts = [
        ("label text", split.text),
        ("label graph", split.graph),
        ("own documents", split.documents),
        ("own vector", split.free),
        ("prior", split.prior),
    ]
    sentences = [f"{found.name}: " + ", ".join(f"{name} {value:+.2f}" for name, value in parts if value)]
    words = [term for term, loss in found.terms[:_WORDS] if loss > 0]
    if words:
        sentences.append(f"carried by {', '.join(words)}")
    supporters = [one.name for one in found.supporters[:_OTHERS]]
    if supporters:
        sentences.append(f"goes with {', '.join(supporters)}")
    documents = [name for name, _ in found.documents[:_OTHERS]]
    if documents:
        sentences.append(f"nearest train documents: {', '.join(documents)}")
    return "; ".join(sentences)
