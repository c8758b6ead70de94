"""The server's own interface says what the model says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eclare_py import EclareClassifier
from tests.serve.live import Live


def test_predict_gives_what_the_model_ranks(live: Live, tiny: Any) -> None:
    texts = tiny.folder.test.texts[:5]
    results = live.post("/v1/predict", {"texts": texts, "k": 7}).json["results"]
    expected = tiny.classifier.predict_names(texts, 7)
    assert [[one["label"] for one in row["labels"]] for row in results] == [[n for n, _ in row] for row in expected]
    scores = [[one["score"] for one in row["labels"]] for row in results]
    for got, row in zip(scores, expected, strict=True):
        np.testing.assert_allclose(got, [score for _, score in row], atol=2e-5)
    frequencies, names = tiny.classifier.pipeline.frequencies, tiny.classifier.pipeline.labels
    first = results[0]["labels"][0]
    row = [names.name(i) for i in range(len(names.texts))].index(first["label"])
    assert (first["text"], first["frequency"]) == (names.texts[row], frequencies[row])


def test_no_texts_and_an_empty_text_are_answered(live: Live) -> None:
    assert live.post("/v1/predict", {"texts": []}).json == {"results": []}
    found = live.post("/v1/predict", {"texts": ["", "!!"], "k": 2})
    assert found.status == 200 and len(found.json["results"]) == 2


def test_labels_below_a_score_are_left_out(live: Live, tiny: Any) -> None:
    text = tiny.folder.test.texts[0]
    scores = [one["score"] for one in live.post("/v1/predict", {"texts": [text]}).json["results"][0]["labels"]]
    least = scores[2]
    kept = live.post("/v1/predict", {"texts": [text], "min_score": least - 1e-4}).json["results"][0]["labels"]
    assert [one["score"] for one in kept] == [one for one in scores if one >= least - 1e-4]
    assert len(kept) < len(scores)


def test_a_precision_keeps_what_reaches_its_thresholds(live: Live, tiny: Any) -> None:
    from eclare_py.rank.selection import keep_above

    texts = tiny.folder.test.texts[:20]
    answer = live.post("/v1/predict", {"texts": texts, "precision": 0.6}).json["results"]
    thresholds, frequencies = tiny.classifier.thresholds(0.6, 10), tiny.classifier.pipeline.frequencies
    expected = keep_above(tiny.classifier.predict(texts, 10), thresholds, frequencies)
    assert [len(row["labels"]) for row in answer] == (expected.indices >= 0).sum(axis=1).tolist()


def test_shares_add_up_to_the_dense_score(live: Live, tiny: Any) -> None:
    text = tiny.folder.test.texts[3]
    labels = live.post("/v1/predict", {"texts": [text], "k": 6, "shares": True}).json["results"][0]["labels"]
    assert len(labels) == 6
    for one in labels:
        found = tiny.classifier.explain(text, one["label"])
        assert sum(one["shares"].values()) == pytest.approx(found.dense, abs=1e-4)
        assert one["shares"]["graph"] == pytest.approx(found.split.graph, abs=1e-4)
    refused = live.post("/v1/predict", {"texts": [text, text], "shares": True})
    assert refused.status == 422 and "one text" in refused.json["detail"]


def test_explain_says_what_the_model_says(live: Live, tiny: Any) -> None:
    text = tiny.folder.test.texts[3]
    found, expected = live.post("/v1/explain", {"text": text, "top": 3}).json, tiny.classifier.explain(text, 0, top=3)
    assert found["rank"] == 1 and found["score"] > 0
    assert len(found["neighbours"]) <= 3
    other = live.post("/v1/explain", {"text": text, "label": expected.name, "top": 3}).json
    assert other["shares"]["text"] == pytest.approx(expected.split.text, abs=1e-5)
    assert other["frequency"] == expected.frequency
    assert [one["name"] for one in other["terms"]] == [term for term, _ in expected.terms]


def test_a_label_by_id_and_by_text(live: Live, tiny: Any) -> None:
    from urllib.parse import quote

    labels, graph = tiny.classifier.pipeline.labels, tiny.classifier.pipeline.graph
    row = int(np.argmax(np.diff(graph.adjacency.indptr)))
    found = live.get(f"/v1/labels/{quote(labels.name(row), safe='')}").json
    assert found == live.get(f"/v1/labels/{quote(labels.texts[row], safe='')}").json
    assert found["frequency"] == tiny.classifier.pipeline.frequencies[row]
    ids, _ = graph.neighbours(row, 1)
    near = found["around"][: found["near"]]
    assert labels.name(int(ids[0])) in {one["label"] for one in near}
    assert all(one["weight"] is not None for one in near)
    assert all(edge["ends"][0] < edge["ends"][1] <= len(found["around"]) for edge in found["edges"])


def test_unknown_things_are_404_in_words(live: Live) -> None:
    for reply in (
        live.get("/v1/labels/no%20such"),
        live.get("/v1/labels/http%3A%2F%2Fexample.org%2Fno%2Fsuch"),  # ids may be addresses
        live.post("/v1/explain", {"text": "a", "label": "no such"}),
        live.get("/docs"),
        live.get("/redoc"),
        live.get("/static/../app.py"),
        live.get("/static/%2e%2e/app.py"),
    ):
        assert reply.status == 404
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["detail"]
    assert "id or text" in live.get("/v1/labels/http%3A%2F%2Fexample.org%2Fno%2Fsuch").json["detail"]


def test_methods_without_label_vectors_answer_what_they_can(plain: tuple[Live, EclareClassifier], tiny: Any) -> None:
    live, classifier = plain
    text = tiny.folder.test.texts[3]
    ((best, score),) = classifier.predict_names([text], 1)[0]
    model = live.get("/v1/model").json
    assert (model["explains"], model["precisions"], model["sources"]) == (False, [], [])
    labels = live.post("/v1/predict", {"texts": [text], "k": 4, "shares": True}).json["results"][0]["labels"]
    assert labels[0]["label"] == best and labels[0].get("shares") is None
    found = live.post("/v1/explain", {"text": text}).json
    assert (found["label"], found["rank"]) == (best, 1)
    assert found["score"] == pytest.approx(score, abs=1e-5)
    assert model["method"] in found["note"] and found["shares"] is None
    card = live.get(f"/v1/labels/{labels[0]['label'].replace(' ', '%20')}").json
    assert (card["around"], card["edges"], card["documents"]) == ([], [], [])
    refused = live.post("/v1/predict", {"texts": [text], "precision": 0.9})
    assert refused.status == 422 and "held-out" in refused.json["detail"]


def test_the_model_is_described(live: Live, tiny: Any) -> None:
    model = live.get("/v1/model").json
    assert (model["labels"], model["documents"]) == (90, tiny.classifier.pipeline.n_documents)
    assert model["explains"] and "text" in model["sources"] and "graph" in model["sources"]
    assert [one["precision"] for one in model["precisions"]] == [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    assert model["limits"] == {"body": 1 << 20, "texts": 64, "chars": 20000, "k": 100}


def test_openapi_lists_every_route(live: Live) -> None:
    paths = live.get("/openapi.json").json["paths"]
    assert {"/v1/predict", "/v1/explain", "/v1/labels/{label}", "/v1/model", "/healthz", "/readyz", "/metrics"} <= set(
        paths
    )
    assert {"/v1/", "/v1/projects", "/v1/projects/{project_id}/suggest"} <= set(paths)


def test_metrics_count(live: Live) -> None:
    def value(name: str) -> float:
        lines = live.get("/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    key = 'eclare_requests_total{route="/v1/predict",status="200"}'
    requests, texts = value(key), value("eclare_texts_total")
    live.post("/v1/predict", {"texts": ["a", "b"]})
    assert value(key) == requests + 1
    assert value("eclare_texts_total") == texts + 2
    assert value("eclare_request_seconds_count") > 0
    assert live.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
