"""The text that Prometheus reads."""

from __future__ import annotations

from eclare_py.serve.metrics import Counter, Gauge, Histogram, Metrics


def test_a_counter_and_a_gauge() -> None:
    requests = Counter("r_total", "Requests.", ("route", "status"))
    requests.add("/a", "200")
    requests.add("/a", "200", by=2)
    requests.add('/"b\\\n', "500")
    assert list(requests.lines()) == [
        "# HELP r_total Requests.",
        "# TYPE r_total counter",
        'r_total{route="/\\"b\\\\\\n",status="500"} 1',
        'r_total{route="/a",status="200"} 3',
    ]
    assert list(Gauge("g", "Now.", lambda: 2.5).lines())[-1] == "g 2.5"


def test_a_histogram_counts_up_to_each_bound() -> None:
    seconds = Histogram("s", "Seconds.", (0.1, 1.0), ("route",))
    for value in (0.05, 0.1, 0.5, 3.0):
        seconds.observe(value, "/a")
    assert list(seconds.lines())[2:] == [
        's_bucket{route="/a",le="0.1"} 2',
        's_bucket{route="/a",le="1"} 3',
        's_bucket{route="/a",le="+Inf"} 4',
        's_sum{route="/a"} 3.65',
        's_count{route="/a"} 4',
    ]


def test_all_together() -> None:
    metrics = Metrics(lambda: 3)
    metrics.ranked(5)
    text = metrics.render()
    assert "eclare_texts_total 5\n" in text and "eclare_queue_texts 3\n" in text
    assert 'eclare_batch_texts_bucket{le="8"} 1\n' in text
    assert text.endswith("\n")
