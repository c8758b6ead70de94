"""Package lists: which one is chosen, how it is decoded, what a stanza says."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from eclare_py.data import apt
from eclare_py.data.apt import AptIndexError, Package, choose_list, find_lists, open_list, parse_packages

STANZAS = """\
Package: player
Version: 1.0
Depends: libx (>= 2~rc1), font-a | font-b [amd64] <!nocheck>, python3:any (>= 3.9~),
 tool
Pre-Depends: dpkg (>= 1.15)
Suggests: player-data, LibUpper
Description: plays: music
 Depends: this line is the long description
Description-md5: 0
Tag: a, b,
 c

Package: libx
Enhances: player
Description: library


Package: bare
"""


def touch(folder: Path, name: str, size: int = 10) -> str:
    (folder / name).write_bytes(b"x" * size)
    return name


def test_stanzas_are_parsed() -> None:
    assert list(parse_packages(STANZAS.splitlines(keepends=True))) == [
        Package("player", "plays: music", ("libx", "font-a", "font-b", "python3", "tool", "player-data", "LibUpper")),
        Package("libx", "library", ("player",)),
        Package("bare", "", ()),
    ]


def test_lines_may_come_without_their_ends() -> None:
    assert list(parse_packages(STANZAS.split("\n"))) == list(parse_packages(STANZAS.splitlines(keepends=True)))


def test_no_stanza_gives_no_package() -> None:
    assert list(parse_packages([])) == []
    assert list(parse_packages(["\n", "Version: 1\n", "\n"])) == []


def test_text_of_a_package_without_description_is_its_name() -> None:
    assert Package("a", "short", ()).text == "a: short"
    assert Package("a", "", ()).text == "a"


@pytest.mark.parametrize(
    ("name", "pack"),
    [("x_Packages", bytes), ("x.gz", gzip.compress), ("x.xz", lzma.compress), ("x.bz2", bz2.compress)],
)
def test_each_packing_is_read(tmp_path: Path, name: str, pack: object) -> None:
    (tmp_path / name).write_bytes(pack("Package: café\nä: ö\n".encode()))
    with open_list(tmp_path / name) as lines:
        assert list(lines) == ["Package: café\n", "ä: ö\n"]


def helper(folder: Path, script: str) -> str:
    path = folder / "apt-helper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_lz4_is_decoded_by_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "APT_HELPER", helper(tmp_path, 'test "$1" = cat-file && tr a-z A-Z < "$2"'))
    (tmp_path / "list.lz4").write_text("decoded\n")
    with open_list(tmp_path / "list.lz4") as lines:
        assert list(lines) == ["DECODED\n"]


def test_a_failing_decoder_is_an_error_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "APT_HELPER", helper(tmp_path, "echo no such codec >&2; exit 3"))
    (tmp_path / "list.lz4").write_text("")
    with pytest.raises(AptIndexError, match=r"list\.lz4.*no such codec"), open_list(tmp_path / "list.lz4") as lines:
        list(lines)


def test_lz4_without_apt_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "APT_HELPER", str(tmp_path / "nothing"))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "list.lz4").write_text("")
    with pytest.raises(AptIndexError, match="needs .*nothing"), open_list(tmp_path / "list.lz4") as lines:
        list(lines)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.gz", gzip.compress(b"Package: a\n" * 99, mtime=0)[:-9]),
        ("bad.xz", b"no xz"),
        ("latin", b"Package: caf\xe9\n"),
    ],
)
def test_a_damaged_list_is_an_error_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AptIndexError, match=rf"{name}: the package list cannot be read"):
        with open_list(tmp_path / name) as lines:
            list(lines)


def test_names_of_lists_are_taken_apart(tmp_path: Path) -> None:
    touch(tmp_path, "security.debian.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages.lz4")
    touch(tmp_path, "old.example_dists_stable_updates_non-free_binary-i386_Packages")
    touch(tmp_path, "deb.debian.org_debian_dists_bookworm_InRelease")
    touch(tmp_path, "deb.debian.org_debian_dists_bookworm_main_i18n_Translation-en.lz4")
    touch(tmp_path, "deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.diff_Index")
    assert [(one.origin, one.suite, one.component, one.arch) for one in find_lists(tmp_path)] == [
        ("old.example", "stable_updates", "non-free", "i386"),
        ("security.debian.org_debian-security", "bookworm-security", "main", "amd64"),
    ]
    assert find_lists(tmp_path / "nowhere") == []


def test_the_choice_prefers_full_suite_main_native_and_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt.platform, "machine", lambda: "aarch64")
    order = [
        touch(tmp_path, "m_dists_noble_main_binary-arm64_Packages", 50),
        touch(tmp_path, "a_dists_noble_main_binary-arm64_Packages", 20),
        touch(tmp_path, "b_dists_noble_main_binary-arm64_Packages", 20),
        touch(tmp_path, "m_dists_noble_main_binary-amd64_Packages", 900),
        touch(tmp_path, "m_dists_noble_universe_binary-arm64_Packages", 900),
        touch(tmp_path, "m_dists_noble-updates_main_binary-arm64_Packages", 900),
    ]
    for best in order:
        assert choose_list(tmp_path).path.name == best
        (tmp_path / best).unlink()


def test_settings_narrow_the_choice(tmp_path: Path) -> None:
    for suite in ("jammy", "noble"):
        for component in ("main", "universe"):
            touch(tmp_path, f"m_dists_{suite}_{component}_binary-amd64_Packages")
    touch(tmp_path, "m_dists_noble_universe_binary-i386_Packages", 500)
    chosen = choose_list(tmp_path, suite="noble", component="universe", arch="i386")
    assert (chosen.suite, chosen.component, chosen.arch) == ("noble", "universe", "i386")
    with pytest.raises(AptIndexError, match=r"trixie/\*/\*; there are jammy/main/amd64, jammy/universe/amd64, noble"):
        choose_list(tmp_path, suite="trixie")


def test_no_list_tells_how_to_get_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(AptIndexError, match="`apt-get update`.*`synthetic`") as caught:
            choose_list(folder)
        assert caught.value.exit_code == 1
