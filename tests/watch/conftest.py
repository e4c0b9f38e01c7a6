"""A browser, and the command that serves the page, for all tests of it."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.report.conftest import CHROMIUM, FLAGS
from tests.survival.harness import Child, Children, wait_until

Serving = Callable[..., str]
"""Serves the runs in the test's folder; returns the address of the page."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def command(children: Children, folder: Path, *args: str) -> Child:
    """Start `maker-graph ARGS` in a folder."""
    return children.start(folder, "command", args=list(args))


@pytest.fixture
def serving(children: Children, tmp_path: Path) -> Iterator[Serving]:
    started: list[Child] = []

    def serve(*args: str) -> str:
        child = command(children, tmp_path, "watch", "--port", "0", *args)
        started.append(child)
        wait_until(lambda: "\n" in child.said[0])
        found = re.search(r"http://\S+", child.said[0])
        assert found, child.said
        return found[0]

    yield serve
    for child in started:
        child.send(signal.SIGTERM)
        child.wait()


@contextmanager
def opened_tab(chromium: Browser, url: str, **settings: Any) -> Iterator[tuple[Page, list[str], list[str]]]:
    """Open the page; give it, what its console said and failed at, and what it asked of others than its server."""
    context = chromium.new_context(**settings)
    tab, said, asked = context.new_page(), list[str](), list[str]()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(url)
    own = url.partition("/?")[0]
    yield tab, said, [each for each in asked if not each.startswith((own, "data:"))]
    context.close()
