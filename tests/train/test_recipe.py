"""Settings that hold where documents are plenty, and who has the last word."""

from __future__ import annotations

from typing import Any

import pytest

from eclare_py import EclareClassifier
from eclare_py.config import load_config, to_mapping
from eclare_py.errors import ConfigError
from eclare_py.recipes import find_recipe
from eclare_py.train.recipe import PlentyConfig, Recipe, load_recipe, recipe_from

PLENTY = {"documents": 20, "per_label": 2.5, "settings": {"document": {"dim": 96}, "rank": {"neighbours": 5}}}


def recipe_with(*words: str, **sections: Any) -> Recipe:
    return recipe_from({"plenty": PLENTY, "document": {"dim": 32, "dropout": 0.2}, **sections}, words)


@pytest.mark.parametrize(("documents", "labels", "reached"), [(20, 8, True), (19, 8, False), (20, 9, False)])
def test_settings_for_plenty_documents_hold_where_they_are(documents: int, labels: int, reached: bool) -> None:
    recipe = recipe_with()
    found = recipe.among(documents, labels)
    assert (found.document.dim, found.rank.neighbours) == ((96, 5) if reached else (32, 0))
    assert found.document.dropout == 0.2  # beside them, what the recipe says
    assert found.plenty == (PlentyConfig() if reached else recipe.plenty)
    assert found.among(1, 10**6) == found  # decided once
    assert {recipe: 1}[recipe_with()] == 1 and (hash(found) == hash(recipe)) != reached  # recipes are keys of tables
    assert load_config(Recipe, to_mapping(found)) == found and load_config(Recipe, to_mapping(recipe)) == recipe


def test_without_such_settings_a_recipe_is_what_it_is() -> None:
    recipe = Recipe()
    assert recipe.among(10**9, 1) is recipe


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["document.dim=48"], {"document": {}, "rank": {"neighbours": 5}}),
        (["document.dropout=0.3"], PLENTY["settings"]),
        (["rank={neighbours: 3}"], {"document": {"dim": 96}}),
        (["rank.neighbours=0", "document.dim=48"], {"document": {}, "rank": {}}),
        (["plenty.settings.document.dim=64"], {"document": {"dim": 64}, "rank": {"neighbours": 5}}),
        (["plenty.documents=30"], PLENTY["settings"]),
    ],
)
def test_what_is_set_by_hand_holds_for_any_data(words: list[str], settings: dict[str, Any]) -> None:
    recipe = recipe_with(*words)
    assert recipe.plenty.settings == settings
    found = recipe.among(10**6, 1)
    if "document.dim=48" in words:
        assert found.document.dim == 48
    if words == ["rank={neighbours: 3}"]:
        assert found.rank.neighbours == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"document": {"dims": 8}}, "plenty.settings: unknown key document.dims.*did you mean document.dim"),
        ({"document": {"dim": 1}}, "plenty.settings: document.dim is 1"),
        ([1], "plenty.settings is"),
        ({"method": "elias", "elias": {"ranker": True}, "linear": {"loss": "logistic"}}, "elias.ranker=true needs"),
    ],
)
def test_bad_settings_are_told_before_there_is_data(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe_with(plenty={"settings": settings})


def test_the_default_recipe_and_those_over_it() -> None:
    for name in ("default", "eclare"):
        recipe = load_recipe(find_recipe(name))
        few, many = recipe.among(600_000, 60_001), recipe.among(200_000, 20_000)
        assert few is recipe and not few.label.free and not few.rank.neighbours
        assert many.label.free and many.rank.neighbours and many.features == recipe.features
    classifier = EclareClassifier.from_recipe("default", {"document.dim": 64, "label.free": False})
    assert not classifier.settings().among(10**6, 1).label.free
    assert classifier.settings().among(10**6, 1).document.dim == 64
