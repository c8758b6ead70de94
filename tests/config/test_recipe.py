"""Reading recipes: YAML as data, `extends`, overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclare_py.config import apply_overrides, read_recipe
from eclare_py.errors import ConfigError


def write(folder: Path, text: str, name: str = "r.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_scalars_are_read_as_in_yaml_1_2(tmp_path: Path) -> None:
    text = "a: 1e-3\nb: no\nc: 010\nd: 1:30\ne: true\nf:\ng: 2024-01-01\nh: -2\ni: [.5, 3.]\nj: '7'\nk: off\nl: ~\n"
    assert read_recipe(write(tmp_path, text)) == {
        "a": 0.001,
        "b": "no",
        "c": 10,
        "d": "1:30",
        "e": True,
        "f": None,
        "g": "2024-01-01",
        "h": -2,
        "i": [0.5, 3.0],
        "j": "7",
        "k": "off",
        "l": None,
    }


def test_an_empty_recipe_is_all_defaults(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, "# nothing set\n")) == {}


def test_a_repeated_key_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"r\.yaml:4: key 'lr' is given twice"):
        read_recipe(write(tmp_path, "train:\n  lr: 1\n  epochs: 2\n  lr: 3\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x\n", r":2: .*aliases"),
        ("a: !!python/object/apply:os.system ['touch canary']\n", r":1: tag .*refused"),
        ("a: !!python/name:os.system\n", r":1: tag .*refused"),
        ("a: !secret 3\n", r":1: tag .*refused"),
        ("a: !!set {x, y}\n", r":1: tag .*refused"),
        ("? [a, b]\n: 1\n", r":1: a key must be a plain word"),
        ("- 1\n- 2\n", r"holds a list"),
        ("just words\n", r"holds text"),
        ("a: [1\n", r":2: not a valid YAML"),
        ("a: 1\n---\nb: 2\n", r":2: not a valid YAML"),
        ("a: " + "[" * 20_000, r"not a valid YAML"),
        ("a: !!int x\n", r"not a int"),
        ("extends: 3\n", r"extends is 3"),
        ("extends: /etc/other.yaml\n", r"relative path"),
        ("extends: absent.yaml\n", r"absent\.yaml: there is no such recipe"),
    ],
)
def test_bad_recipes_name_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        read_recipe(write(tmp_path, text))
    assert not (tmp_path / "canary").exists()


def test_missing_folder_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such recipe"):
        read_recipe(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_recipe(tmp_path / "b.yaml")
    with pytest.raises(ConfigError, match="larger than"):
        read_recipe(write(tmp_path, "#" * ((1 << 20) + 1)))


def test_extends_merges_section_by_section(tmp_path: Path) -> None:
    (tmp_path / "ablations").mkdir()
    write(tmp_path, "graph: {hops: 2, kind: walk}\ntrain: {lr: 0.1, sizes: [1, 2, 3]}\nseed: 7\n", "base.yaml")
    write(tmp_path / "ablations", "extends: ../base.yaml\ngraph: {hops: 1}\ntrain: {sizes: [9]}\n", "one.yaml")
    last = write(tmp_path / "ablations", "extends: one.yaml\ngraph: {kind: lift}\n", "lift.yaml")
    assert read_recipe(last) == {
        "graph": {"hops": 1, "kind": "lift"},
        "train": {"lr": 0.1, "sizes": [9]},
        "seed": 7,
    }


def test_extends_in_a_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "extends: b.yaml\n", "a.yaml")
    path = write(tmp_path, "extends: a.yaml\n", "b.yaml")
    with pytest.raises(ConfigError, match=r"circle \(b\.yaml -> a\.yaml -> b\.yaml\)"):
        read_recipe(path)
    for depth in range(12):
        write(tmp_path, f"extends: d{depth + 1}.yaml\n", f"d{depth}.yaml")
    with pytest.raises(ConfigError, match="more than 8 deep"):
        read_recipe(tmp_path / "d0.yaml")


def test_overrides_are_read_as_yaml_and_leave_the_mapping_alone() -> None:
    base = {"train": {"lr": 0.1, "epochs": 3}}
    out = apply_overrides(base, ["train.lr=1e-2", "graph.kind=lift", "seed=5", "graph.sizes=[1, 2]", "name=a=b", "x="])
    assert out == {
        "train": {"lr": 0.01, "epochs": 3},
        "graph": {"kind": "lift", "sizes": [1, 2]},
        "seed": 5,
        "name": "a=b",
        "x": None,
    }
    assert base == {"train": {"lr": 0.1, "epochs": 3}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lr", "of the form section.key=value"),
        ("=3", "of the form"),
        ("train..lr=3", "of the form"),
        ("seed.x=3", "seed is 5, not a section"),
        ("a=[1", "not a valid YAML"),
    ],
)
def test_bad_overrides(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_overrides({"seed": 5}, [override])
