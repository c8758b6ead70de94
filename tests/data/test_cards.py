"""The cards under datasets/, what the package ships of them, and the configs of the data sets."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from eclare_py.data.benchmarks import built_card, cards, where_to_get
from eclare_py.data.registry import BUILDERS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "datasets").glob("*/card.json"))
WANTED = {
    "debian-related",
    "synthetic",
    "yso-en",
    "LF-AmazonTitles-131K",
    "LF-WikiSeeAlsoTitles-320K",
    "LF-WikiTitles-500K",
    "LF-AmazonTitles-1.3M",
    "LF-Amazon-131K",
    "EURLex-4K",
    "Amazon-3M",
    "Wikipedia-500K",
}


def test_the_package_ships_every_card_unchanged() -> None:
    assert cards() == {folder.name: json.loads((folder / "card.json").read_text()) for folder in FOLDERS}
    assert set(cards()) == WANTED


def test_datasets_is_no_package_and_holds_no_bulk_data() -> None:
    assert not list((ROOT / "datasets").rglob("__init__.py"))
    assert max(path.stat().st_size for path in (ROOT / "datasets").rglob("*") if path.is_file()) < 20_000


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_card_is_complete(name: str) -> None:
    card = cards()[name]
    assert card["name"] == name
    assert card["kind"] == ("built" if name in BUILDERS else "download")
    assert {"train", "test", "labels", "documents_per_label", "labels_per_document"} <= set(card["statistics"])
    assert {"trn.json.gz", "tst.json.gz", "lbl.json.gz"} <= set(card["files"])
    assert all(card[key] for key in ("title", "licence", "url", "get"))
    readme = (ROOT / "datasets" / name / "README.md").read_text()
    assert readme.startswith(f"# {name}\n")
    assert card["licence"] in readme


@pytest.mark.parametrize("name", sorted(WANTED))
def test_propensity_follows_the_family(name: str) -> None:
    """Jain et al. 2016: Amazon 0.6, 2.6; Wikipedia categories 0.5, 0.4; everything else 0.55, 1.5."""
    family = (0.6, 2.6) if "Amazon" in name else (0.5, 0.4) if "500K" in name else (0.55, 1.5)
    propensity = cards()[name]["propensity"]
    assert (propensity["A"], propensity["B"]) == family


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_config_agrees_with_its_card(name: str) -> None:
    config = yaml.safe_load((ROOT / "configs" / "data" / f"{name}.yaml").read_text())
    assert set(config) == {"name", "files", "propensity", "validation"}
    assert config["name"] == name
    assert config["propensity"] == cards()[name]["propensity"]
    assert sorted(config["files"].values()) == sorted(cards()[name]["files"])
    assert 0 < config["validation"] < 0.5


def test_advice_names_place_and_files() -> None:
    advice = where_to_get("EURLex-4K")
    for part in ("XMLRepository.html", "Yf.txt", "lbl.json.gz", "trn.json.gz"):
        assert part in advice


def test_card_of_a_built_folder() -> None:
    card = built_card("synthetic", {"settings": {"labels": 5}})
    assert card == {
        "name": "synthetic",
        "propensity": {"A": 0.55, "B": 1.5},
        "licence": "CC0-1.0",
        "settings": {"labels": 5},
    }


@pytest.fixture(scope="module")
def label_names() -> ModuleType:
    spec = importlib.util.spec_from_file_location("label_names", ROOT / "datasets" / "label_names.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_label_names_become_label_rows(tmp_path: Path, label_names: ModuleType) -> None:
    names, labels = tmp_path / "Yf.txt", tmp_path / "lbl.json.gz"
    names.write_bytes("café\r\n two words \n".encode("latin-1"))
    assert label_names.convert(names, labels, "latin-1") == 2
    rows = [json.loads(line) for line in gzip.decompress(labels.read_bytes()).decode().splitlines()]
    assert rows == [{"title": "café"}, {"title": "two words"}]


def test_an_empty_label_name_is_refused(tmp_path: Path, label_names: ModuleType) -> None:
    (tmp_path / "Yf.txt").write_text("a\n\nb\n")
    with pytest.raises(ValueError, match=r"Yf\.txt:2: empty label name"):
        label_names.convert(tmp_path / "Yf.txt", tmp_path / "lbl.json.gz")
    assert not (tmp_path / "lbl.json.gz").exists()
