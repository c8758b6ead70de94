"""A server for half an hour at half of what it can do, with one request in twenty hostile.

    python experiments/serve_soak.py --model models/mine --data data/mine --minutes 30 --json soak.json

First the capacity is measured: requests of one text from 20 connections, each sent when the last is answered. Then
requests come by the clock, at `--share` of that rate, whether or not earlier ones are answered; a latency counts from
the moment a request was due, so a server that falls behind cannot hide it. Expected: no good request fails, memory
grows by less than 50 MB after the first minute, and p99 of the last third is like that of the first.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serve_load import HOSTILE, answer, load, memory, request_of, serving

CONNECTIONS = 20


@dataclass
class Minute:
    """What happened within a minute."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    refused: int = 0
    wrongly_accepted: int = 0

    def figures(self, mb: float) -> dict[str, float]:
        """Counts, latencies in ms, memory."""
        ordered = sorted(self.seconds) or [0.0]
        at = {f"p{share}_ms": round(1000 * ordered[(len(ordered) - 1) * share // 100], 1) for share in (50, 95, 99)}
        return {
            "good": len(self.seconds), "failed": self.failed, "hostile_refused": self.refused,
            "hostile_accepted": self.wrongly_accepted, **at, "server_mb": round(mb, 1),
        }  # fmt: skip


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a model folder")
    parser.add_argument("--data", type=Path, required=True, help="a data folder; its test texts are asked")
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--share", type=float, default=0.5, help="of the capacity [0.5]")
    parser.add_argument("--hostile", type=float, default=0.05, help="share of hostile requests [0.05]")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures = measure(arguments)
    print(json.dumps({name: value for name, value in figures.items() if name != "minutes"}, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start a server, find its capacity, soak it."""
    from eclare_py import load_dataset

    test = load_dataset(arguments.data).test
    if test is None:
        sys.exit(f"{arguments.data} has no test texts")
    texts = [text[:20_000] for text in test.texts]
    with serving(arguments.model) as (port, pid):
        closed = argparse.Namespace(requests=3000, connections=CONNECTIONS)
        load(port, texts, closed)  # warm
        capacity = load(port, texts, closed)["per_second"]
        rate = arguments.share * capacity
        minutes = []
        for number in range(arguments.minutes):
            minute = asyncio.run(soak(port, texts, rate, arguments.hostile, seed=number))
            minutes.append(minute.figures(memory(pid)))
            print(f"minute {number + 1}: {minutes[-1]}", file=sys.stderr, flush=True)
    third = max(1, len(minutes) // 3)
    first, last = ([one["p99_ms"] for one in part] for part in (minutes[:third], minutes[-third:]))
    return {
        "capacity_per_second": capacity, "asked_per_second": round(rate, 1),
        "good": sum(one["good"] for one in minutes), "failed": sum(one["failed"] for one in minutes),
        "hostile_accepted": sum(one["hostile_accepted"] for one in minutes),
        "grown_mb": round(minutes[-1]["server_mb"] - minutes[0]["server_mb"], 1),
        "p99_ms_first_third": round(sum(first) / len(first), 1), "p99_ms_last_third": round(sum(last) / len(last), 1),
        "load_average": os.getloadavg()[0], "minutes": minutes,
    }  # fmt: skip


async def soak(port: int, texts: list[str], rate: float, hostile: float, *, seed: int, lasting: float = 60) -> Minute:
    """A minute of requests by the clock; hostile ones have connections of their own, as the server closes these."""
    found, stream, begun = Minute(), random.Random(seed), time.perf_counter()
    due: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (job := await due.get()) is not None:
            code = await answer(reader, writer, job[1])
            found.seconds.append(time.perf_counter() - job[0])
            found.failed += code != 200
        writer.close()

    async def attack(body: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            accepted = await answer(reader, writer, body) < 400
        except (OSError, asyncio.IncompleteReadError):
            accepted = False  # the server has hung up on a body that it would not read
        writer.close()
        found.refused += not accepted
        found.wrongly_accepted += accepted

    clients = [asyncio.create_task(client()) for _ in range(CONNECTIONS)]
    attacks = []
    for number in range(int(rate * lasting)):
        moment = begun + number / rate
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        if stream.random() < hostile:
            attacks.append(asyncio.create_task(attack(stream.choice(HOSTILE))))
        else:
            due.put_nowait((moment, request_of(stream.choice(texts))))
    for _ in clients:
        due.put_nowait(None)
    await asyncio.gather(*clients, *attacks)
    return found


if __name__ == "__main__":
    main()
