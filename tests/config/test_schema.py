"""Building frozen dataclasses from plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.config import apply_overrides, describe, load_config, option, to_mapping
from eclare_py.errors import ConfigError


@dataclass(frozen=True)
class Graph:
    kind: Literal["walk", "lift", "jaccard"] = "walk"
    hops: int = option(2, "steps along the graph", low=0, high=3)
    restart: float = option(0.8, low=0.0, high=1.0)


@dataclass(frozen=True)
class Train:
    epochs: int = option(10, "passes over train", low=1)
    lr: float = 0.01
    layers: tuple[int, ...] = option((64, 32), low=1)
    pair: tuple[int, str] = (1, "a")
    warm: int | None = None
    device: str = option("auto", choices=("auto", "cpu", "cuda"))
    resume: bool = False
    low: float = 0.0

    def __post_init__(self) -> None:
        if self.low > self.lr:
            raise ValueError(f"low {self.low} is above lr {self.lr}")


@dataclass(frozen=True)
class Recipe:
    name: str
    graph: Graph = Graph()
    train: Train = field(default_factory=Train)
    teacher: Graph | None = None
    weights: dict[str, float] = field(default_factory=dict)


def test_nested_values_and_defaults() -> None:
    recipe = load_config(
        Recipe,
        {
            "name": "x",
            "graph": {"kind": "lift", "restart": 1},
            "train": {"layers": [8], "warm": 3, "pair": [2, "b"]},
            "teacher": {"hops": 0},
            "weights": {"tail": 2},
        },
    )
    assert recipe == Recipe(
        "x", Graph("lift", 2, 1.0), Train(layers=(8,), warm=3, pair=(2, "b")), Graph(hops=0), {"tail": 2.0}
    )
    assert isinstance(recipe.graph.restart, float)
    assert load_config(Recipe, {"name": "x", "train": {"warm": None}}).train.warm is None


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"name": "x", "grpah": {}}, r"c\.yaml: unknown key grpah \(= \{\}\); did you mean graph\?"),
        ({"name": "x", "train": {"epoch": 3}}, r"unknown key train\.epoch \(= 3\); did you mean train\.epochs\?"),
        ({"name": "x", "epochs": 3}, r"unknown key epochs \(= 3\); did you mean train\.epochs\?"),
        ({"name": "x", "zzz": 1}, r"keys here: name, graph, train"),
        ({"name": "x", 3: 1}, r"unknown key 3"),
        ({}, r"key name is missing; it is text"),
        ({"name": 3}, r"name is 3, expected text"),
        ({"name": "x", "graph": 3}, r"graph is 3, expected a section"),
        ({"name": "x", "graph": None}, r"graph is None, expected a section"),
        ({"name": "x", "graph": {"kind": "jacard"}}, r"graph\.kind is 'jacard', expected one of .*mean jaccard"),
        ({"name": "x", "graph": {"hops": 4}}, r"graph\.hops is 4, expected from 0 to 3"),
        ({"name": "x", "graph": {"hops": True}}, r"graph\.hops is True, expected a whole number"),
        ({"name": "x", "graph": {"hops": 2.0}}, r"graph\.hops is 2\.0, expected a whole number"),
        ({"name": "x", "train": {"epochs": 0}}, r"train\.epochs is 0, expected 1 or more"),
        ({"name": "x", "train": {"epochs": None}}, r"train\.epochs is None"),
        ({"name": "x", "train": {"lr": "fast"}}, r"train\.lr is 'fast', expected a number"),
        ({"name": "x", "train": {"lr": float("nan")}}, r"train\.lr is nan"),
        ({"name": "x", "train": {"lr": float("inf")}}, r"train\.lr is inf"),
        ({"name": "x", "train": {"layers": [3, 0]}}, r"train\.layers\[1\] is 0, expected 1 or more"),
        ({"name": "x", "train": {"layers": 3}}, r"train\.layers is 3, expected a list of a whole number"),
        ({"name": "x", "train": {"pair": [1]}}, r"train\.pair is \[1\], expected a list of 2 values"),
        ({"name": "x", "train": {"warm": "x"}}, r"train\.warm is 'x', expected a whole number or null"),
        ({"name": "x", "train": {"device": "gpu"}}, r"train\.device is 'gpu', expected one of auto, cpu, cuda"),
        ({"name": "x", "train": {"resume": "no"}}, r"train\.resume is 'no', expected true or false"),
        ({"name": "x", "train": {"low": 5}}, r"c\.yaml: train: low 5\.0 is above lr"),
        ({"name": "x", "weights": {"a": "b"}}, r"weights\.a is 'b', expected a number"),
        ([1], r"expected `key: value` lines"),
    ],
)
def test_bad_values_name_file_key_and_value(mapping: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(Recipe, mapping, "c.yaml")


def test_a_long_bad_value_is_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Recipe, {"name": "x", "graph": {"kind": "y" * 10_000}})
    assert len(str(caught.value)) < 300


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Recipe,
        name=st.text(),
        graph=st.builds(Graph, hops=st.integers(0, 3), restart=st.floats(0, 1)),
        train=st.builds(
            Train, layers=st.lists(st.integers(1, 9)).map(tuple), lr=st.floats(0, 9), warm=st.none() | st.integers()
        ),
        teacher=st.none() | st.builds(Graph),
        weights=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    )
)
def test_to_mapping_and_back(recipe: Recipe) -> None:
    assert load_config(Recipe, to_mapping(recipe)) == recipe


def test_overrides_reach_the_config() -> None:
    mapping = apply_overrides({"name": "x"}, ["train.layers=[5]", "graph.kind=lift", "teacher.hops=1"])
    recipe = load_config(Recipe, mapping)
    assert (recipe.train.layers, recipe.graph.kind, recipe.teacher) == ((5,), "lift", Graph(hops=1))


def test_describe_lists_every_key() -> None:
    rows = {info.key: info for info in describe(Recipe)}
    assert rows["train.epochs"].help == "passes over train" and rows["train.epochs"].default == 10
    assert rows["graph.kind"].type == "one of walk, lift, jaccard"
    assert rows["train.layers"].default == [64, 32] and "train" not in rows
