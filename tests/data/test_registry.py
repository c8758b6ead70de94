"""Building by name: names, settings, advice."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from eclare_py.data.apt import AptIndexError
from eclare_py.data.registry import BUILDERS, build, build_or_synthetic, setting_help
from eclare_py.errors import UsageError


def card_of(folder: Path) -> dict:
    return json.loads((folder / "card.json").read_text())


def test_synthetic_is_built_with_text_settings(tmp_path: Path) -> None:
    out = build("synthetic", tmp_path / "new" / "out", {"labels": "1_00", "documents": "2e2", "noise": " 0.5 "})
    assert out == tmp_path / "new" / "out"
    settings = card_of(out)["settings"]
    assert (settings["labels"], settings["documents"], settings["noise"], settings["seed"]) == (100, 200, 0.5, 0)


def test_a_data_folder_is_replaced_and_another_one_refused(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        build("synthetic", tmp_path / "out", {"labels": "10", "documents": "20", "seed": seed})
    assert card_of(tmp_path / "out")["settings"]["seed"] == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"thesis\.txt"):
        build("synthetic", tmp_path / "mine", {"labels": "10", "documents": "20"})
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("synthetc", {}, "unknown data set 'synthetc', did you mean 'synthetic'.*debian-related, synthetic"),
        ("lf-amazontitles131k", {}, "did you mean 'LF-AmazonTitles-131K'"),
        ("qqq", {}, r"unknown data set 'qqq'; built here: debian-related, synthetic$"),
        ("synthetic", {"label": "9"}, "synthetic has no setting 'label', did you mean 'labels'.*documents"),
        ("synthetic", {"labels": "many"}, "synthetic: labels='many' is not a whole number"),
        ("synthetic", {"labels": "10.5"}, "labels='10.5' is not a whole number"),
        ("synthetic", {"labels": "inf"}, "labels='inf' is not a whole number"),
        ("synthetic", {"labels": "nan"}, "labels='nan' is not a whole number"),
        ("synthetic", {"labels": "1e7"}, r"labels: 1e7 is outside 2 \.\. 3e\+06"),
        ("synthetic", {"seed": "-1"}, "seed: -1 is outside 0"),
        ("synthetic", {"noise": "nan"}, "noise: nan is outside"),
        ("synthetic", {"noise": "loud"}, "noise='loud' is not a number"),
        ("debian-related", {"suite": ""}, "debian-related: suite is empty"),
        ("debian-related", {"documents": "1"}, "documents: 1 is outside 5"),
    ],
)
def test_bad_calls_are_refused(tmp_path: Path, name: str, settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(name, tmp_path / "out", settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["LF-AmazonTitles-131K", "Amazon-3M", "EURLex-4K", "yso-en"])
def test_a_public_benchmark_says_where_it_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} is downloaded, not built: see http.* trn\.json\.gz, tst\.json\.gz"):
        build(name, tmp_path / "out")


def test_without_an_index_debian_gives_advice(tmp_path: Path) -> None:
    with pytest.raises(AptIndexError, match="apt-get update"):
        build("debian-related", tmp_path / "out", {"lists": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_without_an_index_synthetic_stands_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"lists": str(tmp_path / "none"), "labels": "30", "documents": "100", "seed": "4", "suite": "trixie"}
    with caplog.at_level(logging.WARNING):
        out = build_or_synthetic("debian-related", tmp_path / "out", settings)
    assert "apt-get update" in caplog.text
    card = card_of(out)
    assert card["name"] == "synthetic"
    assert (card["settings"]["labels"], card["settings"]["documents"], card["settings"]["seed"]) == (30, 100, 4)


def test_with_an_index_nothing_stands_in(tmp_path: Path) -> None:
    stanzas = "Package: libx\nEnhances: player\n\nPackage: player\nDepends: libx\n\nPackage: tool\nDepends: libx\n"
    (tmp_path / "m_dists_s_main_binary-amd64_Packages").write_text(stanzas)
    out = build_or_synthetic("debian-related", tmp_path / "out", {"lists": str(tmp_path)})
    assert card_of(out)["name"] == "debian-related"
    assert card_of(out)["source"]["suite"] == "s"


def test_wrong_settings_are_no_reason_to_stand_in(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no setting 'lables'"):
        build_or_synthetic("debian-related", tmp_path / "out", {"lables": "3"})


def test_help_names_every_setting() -> None:
    for name in BUILDERS:
        lines = setting_help(name)
        assert all("=" in line.split("  ")[0] and len(line.split("  ")[1]) > 5 for line in lines)
    assert any(line.startswith("labels=10000  ") for line in setting_help("synthetic"))
    with pytest.raises(UsageError, match="unknown data set"):
        setting_help("nothing")
