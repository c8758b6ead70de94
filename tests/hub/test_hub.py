"""Models for the Hub: a folder as it lies there, its card, and what is fetched from it. Nothing here uses a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from eclare_py import EclareClassifier, HubClassifier
from eclare_py.errors import ModelError, UsageError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def model(tiny: Any) -> HubClassifier:
    loaded = HubClassifier.load(tiny.model)
    assert isinstance(loaded, HubClassifier)
    return loaded


@pytest.fixture
def hub(model: HubClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """A Hub with the model in `you/tiny`, as the two functions that fetch; gives what was fetched of a repository."""
    stored, cache = tmp_path / "stored", tmp_path / "cache"
    model.save_pretrained(stored)
    (stored / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    (stored / "pytorch_model.bin").write_bytes(b"a pickle that nobody asked for")

    def one(repo: str, filename: str, *, revision: str | None = None, **settings: Any) -> str:
        assert repo == "you/tiny" and revision in (None, COMMIT)
        target = cache / COMMIT / filename
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(stored / filename)  # as the real cache does
        return str(target)

    def many(repo: str, *, revision: str, allow_patterns: list[str], **settings: Any) -> str:
        for name in allow_patterns:
            one(repo, name, revision=revision)
        return str(cache / COMMIT)

    def config(repo_id: str, filename: str, **settings: Any) -> str:
        return one(repo_id, filename)

    monkeypatch.setattr("eclare_py.hub.hf_hub_download", one)
    monkeypatch.setattr("eclare_py.hub.snapshot_download", many)
    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", config)
    return lambda repo: sorted(p.relative_to(cache / COMMIT).as_posix() for p in (cache / COMMIT).rglob("*"))


def test_saved_for_the_hub_it_answers_the_same(model: HubClassifier, tiny: Any, tmp_path: Path) -> None:
    assert model.save_pretrained(tmp_path / "out") is None
    texts, expected = tiny.folder.test.texts, tiny.classifier.predict(tiny.folder.test.texts, 7)
    for again in (HubClassifier.from_pretrained(tmp_path / "out"), EclareClassifier.load(tmp_path / "out")):
        np.testing.assert_array_equal(again.predict(texts, 7).indices, expected.indices)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["library_name"] == "eclare_py"


def test_the_card_says_what_is_inside(model: HubClassifier, tiny: Any) -> None:
    facts = {"license": "cc-by-4.0", "language": "en", "dataset": "tiny", "metrics": {"P@1": 12.25, "other": 1.0}}
    facts["metrics"] |= {"tail_R@10": None}  # no rare label in the test
    card = str(model.generate_model_card(name="Tickets", repo="you/tickets", **facts))
    fields = yaml.safe_load(card.split("---")[1])
    assert (fields["license"], fields["library_name"], fields["language"]) == ("cc-by-4.0", "eclare_py", "en")
    measured = fields["model-index"][0]["results"][0]["metrics"]
    assert [(one["type"], one["value"]) for one in measured] == [("P@1", 12.25)]
    train, most = tiny.folder.train, int(tiny.folder.train.label_frequencies.argmax())
    for part in (
        "# Tickets", "90 labels", f"{train.n_documents:,}", 'from_pretrained("you/tickets"', "| 12.25 |",
        "names and texts of all 90 labels", model.pipeline.facts["data"], train.label_texts[most],
    ):  # fmt: skip
        assert part in card, part
    assert len(model.pipeline.facts["data"]) == 64


def test_a_card_without_facts_says_so(model: HubClassifier) -> None:
    card = str(model.generate_model_card())
    assert "license" not in yaml.safe_load(card.split("---")[1])
    assert "Not stated" in card and "held out" in card


def test_an_edited_card_stays(model: HubClassifier, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("mine")
    assert HubClassifier.from_pretrained(tmp_path / "out").n_labels == 90
    model.save_pretrained(tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text() == "mine"


def test_only_listed_files_are_fetched(hub: Callable[[str], list[str]], tiny: Any) -> None:
    fetched = HubClassifier.from_pretrained("you/tiny", revision=COMMIT)
    expected = tiny.classifier.predict(tiny.folder.test.texts, 7)
    np.testing.assert_array_equal(fetched.predict(tiny.folder.test.texts, 7).indices, expected.indices)
    names = hub("you/tiny")
    assert "pytorch_model.bin" not in names and {"manifest.json", "config.json", "labels.json"} <= set(names)
    assert {Path(name).suffix for name in names} == {".json", ".safetensors"}


def test_a_repository_needs_a_revision_or_trust(hub: Callable[[str], list[str]]) -> None:
    with pytest.raises(UsageError, match=r"you/tiny is no folder here.*revision=COMMIT.*trust_repo=True"):
        HubClassifier.from_pretrained("you/tiny")
    assert HubClassifier.from_pretrained("you/tiny", trust_repo=True, tail_boost=0.7).n_labels == 90


def test_a_changed_file_of_a_repository_is_found(hub: Callable[[str], list[str]], tmp_path: Path) -> None:
    labels = tmp_path / "stored" / "labels.json"
    labels.write_text(labels.read_text().replace("a", "b", 1))
    with pytest.raises(ModelError, match=r"labels\.json was changed"):
        HubClassifier.from_pretrained("you/tiny", revision=COMMIT)


def test_push_uploads_the_folder(model: HubClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        def __init__(self, **settings: Any) -> None:
            assert settings["token"] == "secret"  # noqa: S105

        def create_repo(self, repo_id: str, **settings: Any) -> Any:
            return type("Repo", (), {"repo_id": repo_id})

        def upload_folder(self, *, repo_id: str, folder_path: Path, **settings: Any) -> str:
            shutil.copytree(folder_path, tmp_path / "pushed")
            return f"https://example.org/{repo_id}"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    address = model.push_to_hub("you/tickets", token="secret", model_card_kwargs={"license": "mit"})  # noqa: S106
    assert address == "https://example.org/you/tickets"
    assert HubClassifier.from_pretrained(tmp_path / "pushed").n_labels == 90
    assert "license: mit" in (tmp_path / "pushed" / "README.md").read_text()
