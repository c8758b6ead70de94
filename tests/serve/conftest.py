"""Servers over tiny models of three methods, started once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from eclare_py import EclareClassifier
from tests.integration.test_all_recipes import small
from tests.serve.live import Live, serving


@pytest.fixture(scope="session")
def live(tiny: Any) -> Iterator[Live]:
    """The method of the default recipe."""
    with serving(tiny.classifier) as one:
        yield one


@pytest.fixture(scope="session", params=["xr_linear", "elias"])
def plain(request: pytest.FixtureRequest, tiny: Any) -> Iterator[tuple[Live, EclareClassifier]]:
    """Methods without label vectors or graph to explain a score by."""
    classifier = EclareClassifier(request.param, overrides=small(), device="cpu").fit(tiny.folder)
    with serving(classifier) as one:
        yield one, classifier
