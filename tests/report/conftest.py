"""One run, its report, and a browser, for all tests of the report."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from maker_graph.report.page import write
from maker_graph.run import directory as runs
from tests.conftest import run_here
from tests.report.making import CERTIFICATE

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def hanoi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a run of 63 steps with wrong votes and red flags, as an older version would have left it."""
    model = "sim:perfect,error=.1,flagged=.1"
    folder = tmp_path_factory.mktemp("hanoi")
    run_here(folder, "run", "hanoi", "--disks", "6", "--model", model, "--k", "3", "--run", "made", "--quiet")
    directory = folder / "runs" / "made"
    with runs.opened(directory) as run:
        run.journal.set_note("pace", json.dumps({"points": [[1, 0.5], [40, 9.0], [63, 20.0]], "latencies": {"40": 9, "60": 3}}))
        plan = {"k": 3, "p": 0.9, "rho": None, "p_full": 0.9171, "samples": 260.4, "cost_usd": 1.25, "model_of_errors": "paper"}
        run.journal.set_note("plan", json.dumps(plan))
    return directory


@pytest.fixture(scope="session")
def written(hanoi: Path) -> list[Path]:
    with runs.opened(hanoi) as run:
        return write(run, CERTIFICATE)


@pytest.fixture(scope="module")
def browser(written: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """Open a browser; after the run is made, for Playwright keeps an event loop in this thread as long as it is open."""
    assert written
    with sync_playwright() as playwright:
        folder = str(tmp_path_factory.mktemp("profile"))
        context = playwright.chromium.launch_persistent_context(folder, executable_path=CHROMIUM, args=FLAGS)
        yield context
        context.close()
