"""Trees by label frequency from a recipe to a saved model, on both rankers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eclare_py import EclareClassifier
from eclare_py.cli.app import app

UNEVEN = ("latency.frequency=0.8", "latency.interpolation=key", "latency.leaf=count", "latency.direct=2")
SPARSE = ["features.min_df=1", "linear.max_leaf=4", "linear.branching=2", "linear.beam=4"]


def settings(section: str) -> list[str]:
    return [f"{section}.{word}" for word in UNEVEN]


def test_the_linear_ranker_of_a_recipe_is_uneven(tiny: Any, tmp_path: Any) -> None:
    overrides = [*SPARSE, *settings("linear"), "linear.close=8"]
    classifier = EclareClassifier("xr_linear", overrides=overrides).fit(tiny.folder.train)
    tree = classifier.pipeline.trees[0]
    assert sum(len(own) > 0 for own in tree.ends) > 1
    classifier.save(tmp_path / "model")
    again = EclareClassifier.load(tmp_path / "model")
    texts = tiny.folder.test.texts[:9]
    one, other = classifier.predict(texts, k=4), again.predict(texts, k=4)
    np.testing.assert_array_equal(one.indices, other.indices)
    alone = again.predict(texts[3:4], k=4)
    np.testing.assert_array_equal(alone.indices[0], one.indices[3])
    shown = CliRunner().invoke(app, ["inspect", str(tmp_path / "model"), "--json"])
    parts = next(iter(json.loads(shown.stdout).values()))
    assert "balanced tree" in parts["products of one walk"] and "bits" in parts["entropy of a label"]


def test_less_work_than_the_balanced_tree(tiny: Any) -> None:
    work = {}
    for frequency in (0.0, 1.0):
        overrides = [*SPARSE, *settings("linear"), f"linear.latency.frequency={frequency}"]
        described = EclareClassifier("xr_linear", overrides=overrides).fit(tiny.folder.train).describe()
        work[frequency] = described["tree"]["work"]
    assert work[0.0]["products"] == pytest.approx(work[0.0]["balanced_products"], rel=0.1)
    assert work[1.0]["products"] < work[0.0]["products"]
    assert work[1.0]["least_products"] < min(work[1.0]["huffman_products"], work[1.0]["products"])


def test_the_tree_of_label_vectors_is_uneven(tiny: Any, tmp_path: Any) -> None:
    overrides = [*settings("index"), "index.max_leaf=2", "index.branching=2", "index.exact_below=0", "index.beam=8"]
    classifier = EclareClassifier(str(tiny.recipe), overrides=overrides).fit(tiny.folder.train)
    ranker = classifier.pipeline.ranker
    assert ranker.scorer.tree.uneven and ranker.linear is not None
    classifier.save(tmp_path / "model")
    texts = tiny.folder.test.texts[:9]
    one, other = classifier.predict(texts, k=4), EclareClassifier.load(tmp_path / "model").predict(texts, k=4)
    np.testing.assert_array_equal(one.indices, other.indices)
