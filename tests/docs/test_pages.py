"""The documentation: every command and every piece of Python in it runs as it stands, and the site builds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.run_page import BLOCK

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
RUNNABLE = [page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT / "docs").as_posix()


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    settings = {
        **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    call = [sys.executable, str(Path(__file__).with_name("run_page.py")), str(page)]
    log = tmp_path / "page.log"
    with open(log, "w") as out:
        running = subprocess.Popen(
            call, cwd=tmp_path, env=settings, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = running.wait(timeout=600)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGTERM)  # a server that the page has started is in its group
    assert code == 0, log.read_text()


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [name for name in map(name_of, PAGES) if name not in menu] == []


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "api" / "classifier" / "index.html").read_text(encoding="utf-8")
    assert "predict_names" in page and "save_pretrained" in page
    outside = re.findall(r'<(?:script|link)[^>]+(?:src|href)="(https?://(?!127\.0\.0\.1)[^"]+)"', page)
    assert [one for one in outside if "canonical" not in one] == []
