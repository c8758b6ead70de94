"""Documents to browse in a report: what was predicted, what was missed, and why the first label came first."""

from __future__ import annotations

from eclare_py.data.dataset import Dataset
from eclare_py.estimator import EclareClassifier
from eclare_py.rank.explain import Explanation
from eclare_py.rank.pipeline import Pipeline
from eclare_py.report.model import Example, Prediction
from eclare_py.types import Ranking

COUNT = 30  # documents
_SHOWN = 5  # labels of each
_WORDS, _OTHERS = 3, 3  # of an explanation


def choose_examples(classifier: EclareClassifier, data: Dataset, ranking: Ranking, count: int = COUNT) -> list[Example]:
    """Documents spread evenly over the set.

    Args:
        classifier: What ranked; the first label of each document is explained, if its method can explain.
        data: The N documents.
        ranking: (N, k) answers, less filter pairs.
        count: Documents wanted.
    """
    step = max(len(data) // count, 1)
    return [_example(classifier, data, ranking, row) for row in range(0, min(step * count, len(data)), step)]


def _example(classifier: EclareClassifier, data: Dataset, ranking: Ranking, row: int) -> Example:
    relevant = set(data.labels[[row]].indices.tolist())
    shown = [label for label in ranking.indices[row, :_SHOWN].tolist() if label >= 0]
    scores = ranking.scores[row, : len(shown)].tolist()
    predictions = [
        Prediction(data.label_texts[label], score, label in relevant)
        for label, score in zip(shown, scores, strict=True)
    ]
    missed = [data.label_texts[label] for label in sorted(relevant - set(shown))]
    why = ""
    if shown and isinstance(classifier.pipeline, Pipeline):
        why = in_a_sentence(classifier.explain(data.texts[row], shown[0], top=_WORDS))
    return Example(data.texts[row], predictions, missed, why)


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
