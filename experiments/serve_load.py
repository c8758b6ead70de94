"""How a server holds under load: requests of one text each from many connections, then hostile ones, then again.

    python experiments/serve_load.py --model models/mine --data data/mine --json load.json --cores 2

Every connection sends its next request when it has the answer to the last one, so the server is never idle. Server and
client share `--cores` cores. Expected of an idle machine of 2 cores at 38,000 labels: no error, p95 at most 30 ms;
after the hostile requests no more than twice that, and less than 50 MB more memory.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MIB = 1 << 20
HEAD = "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
HOSTILE = (
    b"x" * (2 * MIB), b'{"texts": ' + b"[" * 200_000, json.dumps({"texts": ["x"] * 65}).encode(),
    json.dumps({"texts": ["x" * 20_001]}).encode(), json.dumps({"texts": ["x"], "k": 101}).encode(),
    json.dumps({"texts": ["x"] * 200_000}).encode(),
)  # fmt: skip


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--data", type=Path, required=True, help="a data folder; its test texts are asked")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--hostile", type=int, default=1000, help="hostile requests between the two rounds [1000]")
    parser.add_argument("--cores", type=int, default=2, help="cores that server and client share [2]")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    figures = measure(arguments)
    print(json.dumps(figures, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start a server, load it, stop it."""
    from eclare_py import load_dataset

    test = load_dataset(arguments.data).test
    if test is None:
        sys.exit(f"{arguments.data} has no test texts")
    with serving(arguments.model) as (port, pid):
        texts = [text[:20_000] for text in test.texts[: arguments.requests]]
        load(port, texts, arguments)  # warm
        before = load(port, texts, arguments) | cost(pid)
        hostile(port, 100)
        base = memory(pid)
        codes = hostile(port, arguments.hostile)
        grown = memory(pid) - base
        after = load(port, texts, arguments)
    return {
        "before": before, "hostile": {"requests": arguments.hostile, "codes": codes, "grown_mb": round(grown, 1)},
        "after": after, "machine": f"{platform.processor() or platform.machine()}, {arguments.cores} cores",
        "load_average": os.getloadavg()[0],
    }  # fmt: skip


@contextmanager
def serving(model: Path) -> Iterator[tuple[int, int]]:
    """A server that is ready, as port and process; it is stopped at the end."""
    command = [sys.executable, "-m", "eclare_py.cli", "serve", str(model), "--port", "0", "--threads", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        port = int(re.search(r":(\d+)/", process.stderr.readline())[1])  # type: ignore[index]
        while ask(port, "GET", "/readyz") != 200:
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(60)


def load(port: int, texts: list[str], arguments: argparse.Namespace) -> dict[str, float]:
    """Latencies in ms of all requests, each connection one after the other."""
    wanted = [texts[i % len(texts)] for i in range(arguments.requests)]
    seconds: list[float] = []
    errors = 0

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while wanted:
            begun = time.perf_counter()
            code = await answer(reader, writer, request_of(wanted.pop()))
            seconds.append(time.perf_counter() - begun)
            errors += code != 200
        writer.close()

    async def clients() -> None:
        await asyncio.gather(*(client() for _ in range(arguments.connections)))

    begun = time.perf_counter()
    asyncio.run(clients())
    wall, ordered = time.perf_counter() - begun, sorted(seconds)
    at = {name: round(1000 * ordered[int(share * (len(ordered) - 1))], 1) for name, share in
          (("p50_ms", 0.5), ("p95_ms", 0.95), ("max_ms", 1.0))}  # fmt: skip
    return {"errors": errors, **at, "per_second": round(len(ordered) / wall, 1)}


def request_of(text: str) -> bytes:
    """The body of a good request."""
    return json.dumps({"texts": [text], "k": 10}).encode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    """Send a body over an open connection, read the answer, give its status."""
    writer.write(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))  # type: ignore[index]
    return int(head.split(b" ", 2)[1])


def hostile(port: int, count: int) -> dict[str, int]:
    """Send what a server must refuse; status codes and how often."""
    codes: dict[str, int] = {}
    for i in range(count):
        code = str(ask(port, "POST", "/v1/predict", HOSTILE[i % len(HOSTILE)]))
        codes[code] = codes.get(code, 0) + 1
    return codes


def ask(port: int, method: str, path: str, body: bytes | None = None) -> int:
    """The status of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def memory(pid: int) -> float:
    """Resident MB of a process."""
    return float(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]


def cost(pid: int) -> dict[str, float]:
    """Processor seconds of a process so far, and memory."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {"server_cpu_s": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), "server_mb": memory(pid)}


if __name__ == "__main__":
    main()
