"""Every reader of text takes any bytes, or refuses them by file and line; see also experiments/fuzz_text.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclare_py.config import apply_overrides
from eclare_py.errors import ConfigError
from tests.tiny import ROOT

sys.path.insert(0, str(ROOT / "experiments"))  # the scripts are no package

from fuzz.damage import JUNK  # noqa: E402
from fuzz.readers import READERS, attempt  # noqa: E402

EXAMPLES = int(os.environ.get("ECLARE_FUZZ_EXAMPLES", "40"))  # of every reader and kind; thousands are the long profile
# The suite asks the same every time; whoever asks for more examples gets new ones.
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize="ECLARE_FUZZ_EXAMPLES" not in os.environ,
)  # fmt: skip
PLACES = st.tuples(st.integers(0, 400), st.integers(0, 20), st.sampled_from(JUNK) | st.binary(max_size=6))


# rdflib warns of what it takes nevertheless, in words that hold lone surrogates, which no report can be sent with.
pytestmark = pytest.mark.filterwarnings("ignore")


def edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, gone, new in edits:
        start = place % (len(content) + 1)
        content = content[:start] + new + content[start + gone :]
    return content


@pytest.mark.parametrize("name", READERS)
def test_valid_files_are_read(name: str, tmp_path: Path) -> None:
    assert attempt(READERS[name], READERS[name].valid, tmp_path) is None


@pytest.mark.parametrize("name", READERS)
@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name: str, content: bytes, tmp_path: Path) -> None:
    error = attempt(READERS[name], content, tmp_path)
    assert error is None or str(error).count("\n") == 0


@pytest.mark.parametrize("name", READERS)
@FUZZ
@given(edits=st.lists(PLACES, min_size=1, max_size=4))
def test_damaged_files_are_read_or_refused(name: str, edits: list[tuple[int, int, bytes]], tmp_path: Path) -> None:
    error = attempt(READERS[name], edited(READERS[name].valid, edits), tmp_path)
    assert error is None or str(error).count("\n") == 0


@FUZZ
@given(st.text(max_size=60) | st.text(st.sampled_from("rank.steps=:[]{}*&!'\"#\n 1e-"), max_size=40))
def test_any_override_is_taken_or_refused(text: str) -> None:
    try:
        assert isinstance(apply_overrides({"rank": {"steps": 3}}, [text]), dict)
    except ConfigError as error:
        assert "override" in str(error)
