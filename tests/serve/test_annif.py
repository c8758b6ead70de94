"""The unmodified annif-client gets suggestions from the server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from annif_client import AnnifClient

from tests.serve.live import Live


@pytest.fixture
def client(live: Live) -> AnnifClient:
    return AnnifClient(api_base=f"{live.url}/v1/")


def test_the_client_lists_the_project(client: AnnifClient, tiny: Any) -> None:
    assert client.api_info["title"] == "Annif REST API"
    (project,) = client.projects
    assert (project["project_id"], project["language"], project["is_trained"]) == ("tiny", "en", True)
    assert project["backend"]["backend_id"] == "eclare"
    assert (project["vocab"]["size"], project["vocab"]["loaded"]) == (90, True)
    assert client.get_project("tiny") == project


def test_the_client_gets_suggestions(client: AnnifClient, tiny: Any) -> None:
    text = tiny.folder.test.texts[3]
    found = client.suggest("tiny", text, limit=4)
    expected = tiny.classifier.predict_names([text], 4)[0]
    assert [one["uri"] for one in found] == [name for name, _ in expected]
    assert [one["score"] for one in found] == pytest.approx([score for _, score in expected], abs=1e-5)
    assert {*found[0]} == {"uri", "label", "notation", "score"}
    assert len(client.suggest("tiny", text)) == 10
    assert client.suggest("tiny", text, limit=0) == []
    least = found[1]["score"]
    assert [one["score"] for one in client.suggest("tiny", text, threshold=least)] == [s["score"] for s in found[:2]]


def test_the_client_gets_suggestions_for_a_batch(client: AnnifClient, tiny: Any) -> None:
    documents = [{"document_id": f"d{i}", "text": text} for i, text in enumerate(tiny.folder.test.texts[:3])]
    documents.append({"text": "without an id", "metadata": {"title": "ignored"}})
    found = client.suggest_batch("tiny", documents, limit=2)
    assert [one["document_id"] for one in found] == ["d0", "d1", "d2", None]
    for one, document in zip(found[:3], documents, strict=False):
        assert [s["uri"] for s in one["results"]] == [
            name for name, _ in tiny.classifier.predict_names([document["text"]], 2)[0]
        ]


def test_an_unknown_project_is_what_the_client_expects(client: AnnifClient) -> None:
    asks = (client.get_project, lambda name: client.suggest(name, "x"), lambda name: client.suggest_batch(name, []))
    for ask in asks:
        with pytest.raises(ValueError, match="no such project"):
            ask("other")


def test_a_token_is_the_password_of_the_address(tiny: Any) -> None:
    from requests import HTTPError

    from tests.serve.live import serving

    token = "a-token-of-this-test-0123"
    with serving(tiny.classifier, token=token) as live:
        given = AnnifClient(api_base=f"http://me:{token}@127.0.0.1:{live.port}/v1/")
        assert [one["project_id"] for one in given.projects] == ["tiny"]
        with pytest.raises(HTTPError, match="401"):
            _ = AnnifClient(api_base=f"{live.url}/v1/").projects


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"limit": "5"}, 422),
        ({"text": "x", "limit": "101"}, 422),
        ({"text": "x", "limit": "-1"}, 422),
        ({"text": "x", "limit": "2.5"}, 422),
        ({"text": "x", "threshold": "nan"}, 422),
        ({"text": "x", "threshold": "1e999"}, 422),
        ({"text": "y" * 20_001}, 422),
        ({"text": "x" * 20_000}, 200),
        ({"text": "é" * 5, "language": "fi", "metadata_title": "z"}, 200),
    ],
)
def test_forms_are_checked(live: Live, fields: dict[str, str], status: int) -> None:
    kind = "application/x-www-form-urlencoded"
    reply = live.ask("POST", "/v1/projects/tiny/suggest", urlencode(fields).encode(), Content_Type=kind)
    assert reply.status == status


def test_other_bodies_than_forms_are_refused(live: Live) -> None:
    path, kind = "/v1/projects/tiny/suggest", "application/x-www-form-urlencoded"
    assert live.post(path, {"text": "x"}).status == 415
    assert live.ask("POST", path, b"text=%ff%fe", Content_Type=kind).status == 422
    assert live.ask("POST", path, b"a=1&" * 40, Content_Type=kind).status == 422
