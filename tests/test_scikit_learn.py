"""EclareClassifier among scikit-learn's tools: a contract of our own, as `check_estimator` asks next to nothing here.

What is promised: parameters that clone and search, labels in every form scikit-learn has for many of them, a fit that
starts anew and changes nothing of what it was given, errors before training, and no pickle of a trained model.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils.validation import check_is_fitted

from eclare_py import EclareClassifier
from eclare_py.errors import DataError, UsageError
from eclare_py.metrics import MetricScorer

NAMES = ["audio", "mail", "net"]
WORDS = {"audio": "sound player", "mail": "letter reader", "net": "socket router"}
QUICK = {
    "document.dim": 8, "rank.steps": 20, "rank.hidden": 8, "training.batch_size": 16, "training.surrogate_epochs": 1,
    "rank.linear": False,
}  # fmt: skip


def texts_and_lists(n: int = 99) -> tuple[list[str], list[list[str]]]:
    lists = [sorted({NAMES[i % 3], NAMES[(i // 3) % 3]}) for i in range(n)]
    return [f"program {i} " + " ".join(WORDS[name] for name in some) for i, some in enumerate(lists)], lists


def quick(**settings: Any) -> EclareClassifier:
    return EclareClassifier("eclare", overrides={**QUICK, **settings}, device="cpu")


TEXTS, LISTS = texts_and_lists()
BINARIZER = MultiLabelBinarizer().fit(LISTS)
DENSE = BINARIZER.transform(LISTS)


@pytest.fixture(scope="module")
def by_lists() -> EclareClassifier:
    return quick().fit(TEXTS, LISTS)


@pytest.mark.parametrize("labels", [DENSE, sp.csr_matrix(DENSE), sp.csc_array(DENSE), DENSE.astype(bool)])
def test_every_form_of_labels_gives_the_same_model(labels: Any, by_lists: EclareClassifier) -> None:
    kept = copy.deepcopy(labels)
    by_matrix = quick().fit(np.array(TEXTS), labels, label_texts=BINARIZER.classes_)
    ours, theirs = by_matrix.predict(TEXTS, 3), by_lists.predict(TEXTS, 3)
    np.testing.assert_array_equal(ours.indices, theirs.indices)
    np.testing.assert_array_equal(ours.scores, theirs.scores)
    assert by_matrix.classes_.tolist() == by_lists.classes_.tolist() == NAMES
    assert (abs(kept - labels) if labels.dtype != bool else kept != labels).sum() == 0


def test_fitted_again_it_starts_anew(by_lists: EclareClassifier) -> None:
    again = quick().fit(TEXTS[:60], [["other"] for _ in TEXTS[:60]])
    assert again.classes_.tolist() == ["other"]
    again.fit(TEXTS, LISTS)
    np.testing.assert_array_equal(again.predict(TEXTS, 3).scores, by_lists.predict(TEXTS, 3).scores)


def test_columns_without_names_are_numbered() -> None:
    assert quick().fit(TEXTS, DENSE).classes_.tolist() == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("texts", "labels", "names", "error", "message"),
    [
        (TEXTS, DENSE[:-1], NAMES, UsageError, "99 texts but 98 rows of labels"),
        (TEXTS, DENSE, NAMES[:2], UsageError, "2 label texts for 3 columns"),
        (TEXTS, DENSE - 1, NAMES, DataError, "the label matrix holds -1"),
        (TEXTS, np.where(DENSE, np.nan, 0), NAMES, DataError, "the label matrix holds nan"),
        ([*TEXTS[:-1], " "], DENSE, NAMES, DataError, "document 98 has the text"),
    ],
)
def test_wrong_labels_are_refused(texts: Any, labels: Any, names: Any, error: Any, message: str) -> None:
    classifier = quick()
    with pytest.raises(error, match=message):
        classifier.fit(texts, labels, label_texts=names)
    assert not classifier.__sklearn_is_fitted__()


def test_scikit_learn_knows_what_it_is(by_lists: EclareClassifier) -> None:
    fresh = quick()
    assert is_classifier(fresh) and clone(fresh).get_params() == fresh.get_params()
    assert not hasattr(fresh, "classes_")
    with pytest.raises(NotFittedError):
        check_is_fitted(fresh)
    check_is_fitted(by_lists)
    assert not clone(by_lists).__sklearn_is_fitted__()


@pytest.mark.parametrize("labels", [LISTS, sp.csr_array(DENSE)])
def test_a_grid_search_finds_the_better_setting(labels: Any) -> None:
    grid = {"training.surrogate_epochs": [1, 4]}
    search = GridSearchCV(quick(), grid, scoring=MetricScorer("nDCG@5"), cv=KFold(2), error_score="raise")
    names = None if labels is LISTS else NAMES
    search.fit(TEXTS, labels, label_texts=names)
    assert search.best_estimator_.settings().training.surrogate_epochs == search.best_params_[next(iter(grid))]
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    assert 50 < search.best_score_ <= 100


def test_the_scorer_tells_nothing_to_find_from_nothing_found(by_lists: EclareClassifier) -> None:
    assert (by_lists.pipeline.frequencies > 5).all()
    assert np.isnan(MetricScorer("tail_R@10")(by_lists, TEXTS, LISTS))


def test_the_scorer_is_the_metric(tiny: Any) -> None:
    test, expected = tiny.folder.test, tiny.classifier.evaluate(tiny.folder).metrics
    score = MetricScorer("P@3")(tiny.classifier, test.texts, test.labels)
    assert score == pytest.approx(expected["P@3"], abs=1.0)  # which leaves filter pairs out
    rows = np.split(test.labels.indices, test.labels.indptr[1:-1])
    named = [tiny.classifier.classes_[row].tolist() for row in rows]
    assert MetricScorer("P@3")(tiny.classifier, test.texts, named) == score
    assert tiny.classifier.score(test.texts, test.labels) == MetricScorer("nDCG@5")(
        tiny.classifier, test.texts, test.labels
    )


def test_labels_that_it_does_not_know_are_missed(by_lists: EclareClassifier) -> None:
    known = MetricScorer("R@10")(by_lists, TEXTS, LISTS)
    assert known == 100
    assert MetricScorer("R@10")(by_lists, TEXTS, [[*some, "unheard of"] for some in LISTS]) < 70
    with pytest.raises(UsageError, match="metric 'accuracy' is unknown: choose one of P@1"):
        MetricScorer("accuracy")
    with pytest.raises(UsageError, match="2 columns, the classifier knows 3"):
        MetricScorer("P@1")(by_lists, TEXTS, DENSE[:, :2])


def test_only_an_untrained_one_is_pickled(by_lists: EclareClassifier) -> None:
    again = pickle.loads(pickle.dumps(quick()))  # noqa: S301 -- ours, made a moment ago, as parallel searches do
    assert again.get_params() == quick().get_params()
    with pytest.raises(TypeError, match=r"save\(folder\) it and load\(folder\)"):
        pickle.dumps(by_lists)
