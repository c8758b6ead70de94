"""Lines that a training tells where there is no terminal."""

import pytest

from eclare_py.cli.progress import describe


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"epoch": 2, "recall_at_50": 61.0}, "s: epoch 2, held-out R@50 61.00"),
        ({"epoch": 0, "recall_at_50": 61.0}, "s: before the first epoch, held-out R@50 61.00"),
        ({"epoch": 3, "ndcg_at_5": 40.5, "recall_at_50": 61.0}, "s: epoch 3, held-out nDCG@5 40.50, R@50 61.00"),
        (
            {"epoch": 1, "metrics": {"P@1": 80.0, "PSP@5": None, "R@100": 90.0}},
            "held-out documents, ranked by fusions that had not seen them: P@1 80.00, PSP@5 n/a, R@100 90.00",
        ),
        (
            {"epoch": 1, "metrics": {"P@1": 80.0, "P@3": 50.0, "R@100": 90.0}},
            "held-out documents, ranked by fusions that had not seen them: P@1 80.00, R@100 90.00",
        ),
        ({"epoch": 1, "clusters": 1200, "metrics": {"P@1": 80.0}}, "s: epoch 1, held-out P@1 80.00 of 1,200 clusters"),
    ],
)
def test_held_out_figures_are_all_told(values, line):
    assert describe("validation", {"stage": "s", **values}) == line


def test_settings_for_plenty_documents_are_told():
    settings = {"document": {"dim": 96}, "label": {"propagation": {"hops": 2}, "free": True}, "rank": {}}
    told = "train documents are plenty, so the recipe has document.dim=96, label.propagation.hops=2, label.free=true"
    assert describe("note", {"plenty": settings}) == told
