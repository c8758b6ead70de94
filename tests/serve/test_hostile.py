"""Requests that mean ill: the right code, no memory lost, and the next good request answered."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from eclare_py.serve.settings import Limits
from tests.serve.live import Live, serving

MIB = 1 << 20
HEAD = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def good(live: Live) -> None:
    assert live.post("/v1/predict", {"texts": ["a good request"]}).status == 200


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "texts"),
        ([], "body"),
        ({"texts": "one"}, "list"),
        ({"texts": ["x"] * 65}, "64"),
        ({"texts": ["x" * 20_001]}, "20000"),
        ({"texts": ["x"], "k": 101}, "100"),
        ({"texts": ["x"], "k": 0}, "k"),
        ({"texts": ["x"], "k": 10**30}, "k"),
        ({"texts": ["x"], "k": "5"}, "integer"),
        ({"texts": ["x"], "k": True}, "integer"),
        ({"texts": [None]}, "string"),
        ({"texts": [["x"]]}, "string"),
        ({"texts": ["x"], "model": "/etc/passwd"}, "model"),
        ({"texts": ["x"], "min_score": float("nan")}, "min_score"),
        ({"texts": ["x"], "precision": 0}, "precision"),
        ({"texts": ["x"], "precision": 0.123}, "precision"),
        ({"texts": ["\ud800 lone"]}, "texts"),
    ],
)
def test_values_out_of_bounds_are_422(live: Live, value: Any, told: str) -> None:
    reply = live.post("/v1/predict", value)
    assert reply.status == 422
    assert told in reply.json["detail"] and len(reply.body) < 1000
    good(live)


def test_what_is_allowed_to_the_last_is_answered(live: Live) -> None:
    found = live.post("/v1/predict", {"texts": ["x" * 15_000] * 64, "k": 100})
    assert found.status == 200 and len(found.json["results"]) == 64
    assert live.post("/v1/predict", {"texts": ["word " * 4000]}).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"texts": [' + b"[" * 100_000, b"nul"])
def test_what_is_no_json_is_refused(live: Live, body: bytes) -> None:
    reply = live.ask("POST", "/v1/predict", body, Content_Type="application/json")
    assert reply.status in (400, 422) and reply.headers["content-type"] == "application/problem+json"
    good(live)


def test_a_body_that_is_not_said_to_be_json_is_told_so(live: Live) -> None:
    reply = live.ask("POST", "/v1/predict", b'{"texts": ["one"]}', Content_Type="text/plain")
    assert reply.status == 422 and "Content-Type: application/json" in reply.json["detail"]
    reply = live.ask("POST", "/v1/predict", b'{"texts": 3}', Content_Type="application/json; charset=utf-8")
    assert reply.status == 422 and "Content-Type" not in reply.json["detail"]


def test_a_large_body_is_413_by_what_it_says(live: Live) -> None:
    assert live.ask("POST", "/v1/predict", b"x" * (MIB + 1)).status == 413
    assert live.ask("POST", "/v1/predict", b"x" * MIB).status == 422
    assert status(live.raw(f"{HEAD}Content-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n".encode())) == 413
    good(live)


def test_a_large_body_is_413_by_what_comes(live: Live) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
    assert status(live.raw(head + chunk * 17 + b"0\r\n\r\n")) == 413
    assert status(live.raw(head + b"1\r\nx\r\n" * 10 + b"0\r\n\r\n")) == 422
    good(live)


def test_a_length_that_lies_does_no_harm(live: Live) -> None:
    body = json.dumps({"texts": ["x"]}).encode()
    more = f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"y" * (2 * MIB)
    answer = live.raw(more)
    assert answer == b"" or status(answer) == 200  # what is too much is no request: the connection ends
    for length in ("-5", "abc", "5, 6", "9" * 30):
        message = f"{HEAD}Content-Length: {length}\r\nConnection: close\r\n\r\n{{}}"
        assert status(live.raw(message.encode())) in (400, 413)
    good(live)


def test_headers_without_end_are_refused(live: Live) -> None:
    assert status(live.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * MIB)) in (0, 400)
    assert status(live.raw(b"\x16\x03\x01\x02\x00\x01\x00" * 100)) in (0, 400)
    good(live)


def test_a_request_that_never_gets_whole_is_dropped(tiny: Any) -> None:
    import socket

    with serving(tiny.classifier, limits=Limits(timeout=0.5)) as live:
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: local"):
            with socket.create_connection(("127.0.0.1", live.port), timeout=10) as slow:
                slow.sendall(begun)
                assert slow.recv(65536) == b""  # the server closes
        with socket.create_connection(("127.0.0.1", live.port), timeout=10) as kept:
            for _ in range(2):  # after one that is whole there is time for the next
                kept.sendall(b"GET /v1/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answer = b""
                while b"Annif" not in answer:
                    answer += (part := kept.recv(65536))
                    assert part
                time.sleep(0.7)
            kept.sendall(b"GET /v1/ HT")
            assert kept.recv(65536) == b""


def test_connections_are_bounded(tiny: Any) -> None:
    import socket

    with serving(tiny.classifier, limits=Limits(connections=4)) as live:
        held = [socket.create_connection(("127.0.0.1", live.port)) for _ in range(4)]
        wait_until(lambda: live.get("/healthz").status == 503)
        for one in held:
            one.close()
        wait_until(lambda: live.get("/healthz").status == 200)
        good(live)


def test_a_thousand_hostile_requests_leave_no_trace(live: Live, tiny: Any) -> None:
    many = json.dumps({"texts": ["x"] * 300_000}).encode()[: MIB - 10]
    nested = b'{"texts": ' + b"[" * 50_000
    large = b'{"texts": ["' + b"x" * (MIB - 100) + b'"]}'
    chunks = (b"8000\r\n" + b"x" * 32768 + b"\r\n") * 34 + b"0\r\n\r\n"
    chunked = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks
    broken = f"{HEAD}Content-Length: 500\r\n\r\n".encode() + b"{"

    def attack(rounds: int) -> None:
        for _ in range(rounds):
            for body in (many, nested, large):
                assert live.ask("POST", "/v1/predict", body, Content_Type="application/json").status in (400, 422)
            assert status(live.raw(chunked)) == 413
            for value in ({"texts": ["x"] * 65}, {"texts": ["x" * 20_001]}, {"texts": ["x"], "k": 1000}):
                assert live.post("/v1/predict", value).status == 422
            for path in ("/../../etc/passwd", "/static/%00", "/v1/labels/" + "a" * 5000):
                assert live.get(path).status == 404
            import socket

            with socket.create_connection(("127.0.0.1", live.port)) as half:
                half.sendall(broken)  # and away

    attack(5)  # what Python and the allocator need once
    before = resident()
    attack(90)
    assert resident() - before < 50
    text = tiny.folder.test.texts[0]
    found = live.post("/v1/predict", {"texts": [text]}).json["results"][0]["labels"][0]["label"]
    assert found == tiny.classifier.predict_names([text], 1)[0][0][0]


def resident() -> float:
    """Memory of this process, which the server runs in, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


class Slow:
    """A classifier that takes its time once it is told to."""

    def __init__(self, classifier: Any) -> None:
        self.pipeline, self._classifier = classifier.pipeline, classifier
        self.hold = threading.Event()
        self.hold.set()
        self.fault: Exception | None = None

    def predict(self, texts: list[str], k: int) -> Any:
        self.hold.wait(20)
        if self.fault is not None:
            raise self.fault
        return self._classifier.predict(texts, k)

    def thresholds(self, precision: float, k: int) -> Any:
        return self._classifier.thresholds(precision, k)


def test_a_full_queue_is_429_and_a_late_answer_503(tiny: Any) -> None:
    slow = Slow(tiny.classifier)
    with serving(slow, limits=Limits(queue=3, timeout=0.7)) as live:
        slow.hold.clear()
        late: list[int] = []

        def ask(n: int) -> None:
            late.append(live.post("/v1/predict", {"texts": ["x"] * n}).status)

        threads = [threading.Thread(target=ask, args=(1,)) for _ in range(4)]
        threads[0].start()
        wait_until(lambda: b"eclare_queue_texts 0" in live.get("/metrics").body, at_least=0.2)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: b"eclare_queue_texts 3" in live.get("/metrics").body)
        refused = live.post("/v1/predict", {"texts": ["x"]})
        assert refused.status == 429 and int(refused.headers["retry-after"]) >= 1
        for thread in threads:
            thread.join(20)
        assert late == [503] * 4
        slow.hold.set()
        wait_until(lambda: live.post("/v1/predict", {"texts": ["x"] * 3}).status == 200)


def wait_until(true: Any, at_least: float = 0.0) -> None:
    time.sleep(at_least)
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_bodies_held_at_once_are_bounded(tiny: Any) -> None:
    import socket

    with serving(tiny.classifier, limits=Limits(held=100_000, timeout=1.0)) as live:
        head = f"{HEAD}Content-Length: 90000\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", live.port), timeout=10) as half:
            half.sendall(head + b"x" * 80_000)
            wait_until(lambda: live.ask("POST", "/v1/predict", b"x" * 50_000).status == 429)
            assert status(half.recv(1000)) == 408  # the rest never came
        wait_until(lambda: live.ask("POST", "/v1/predict", b"x" * 50_000).status == 422)


def test_no_text_is_logged_or_sent_back(tiny: Any, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    canary = "kanarienvogel"
    slow = Slow(tiny.classifier)
    with caplog.at_level(logging.DEBUG), serving(slow) as live:
        live.post("/v1/predict", {"texts": [canary]})
        live.post("/v1/explain", {"text": canary})
        slow.fault = RuntimeError(f"cannot read {canary}")
        replies = [
            live.post("/v1/predict", {"texts": [canary]}),
            live.post("/v1/predict", {"texts": [canary] * 65}),
            live.post("/v1/predict", {"texts": [[canary]]}),
            live.post("/v1/explain", {"text": canary, "label": canary}),
            live.ask("POST", "/v1/predict", f'{{"texts": ["{canary}"'.encode(), Content_Type="application/json"),
            live.ask("POST", "/v1/projects/tiny/suggest", f"txt={canary}".encode()),
        ]
    assert [one.status for one in replies] == [500, 422, 422, 404, 422, 415]
    assert not any(canary in one.body.decode() for one in replies)
    told = caplog.text + "".join(capfd.readouterr())
    assert canary not in told
    assert "RuntimeError at " in told


def test_it_is_not_ready_before_the_model_is_warm(tiny: Any) -> None:
    from eclare_py.serve.app import create_app
    from eclare_py.serve.run import listen, make_server
    from eclare_py.serve.settings import Settings

    slow = Slow(tiny.classifier)
    slow.hold.clear()
    settings = Settings()
    listening = listen("127.0.0.1", 0)
    server = make_server(create_app(slow, settings), settings)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    live = Live(listening.getsockname()[1])
    try:
        assert live.get("/healthz").status == 200
        assert live.get("/readyz").status == 503
        early = live.post("/v1/predict", {"texts": ["x"]})
        assert early.status == 503 and "retry-after" in early.headers
        slow.hold.set()
        wait_until(lambda: live.get("/readyz").status == 200)
        good(live)
    finally:
        slow.hold.set()
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def test_twenty_connections_at_once_get_their_own_answers(live: Live, tiny: Any) -> None:
    texts = tiny.folder.test.texts[:40]
    expected = [row[0][0] for row in tiny.classifier.predict_names(texts, 1)]

    async def ask(place: int) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", live.port)
        body = json.dumps({"texts": [texts[place]], "k": 1}).encode()
        writer.write(f"{HEAD}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        answer = await reader.read()
        writer.close()
        return json.loads(answer.partition(b"\r\n\r\n")[2])["results"][0]["labels"][0]["label"]

    async def all_of_them() -> list[str]:
        return list(await asyncio.gather(*(ask(i % len(texts)) for i in range(200))))

    assert asyncio.run(all_of_them()) == expected * 5
