"""Services that some tests need and that are no Python modules: `@pytest.mark.service("chromium")`.

Where one is missing its tests are skipped, and say how to get it. Where STRICT_SERVICES is set, as `.ci/run` does, they fail.
"""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from tests.postgres import programs


def _chromium() -> str | None:
    return None if shutil.which("chromium") else "there is no Chromium here: apt-get install -y chromium"


def _postgres() -> str | None:
    return None if programs() else "there is no Postgres here: pip install -e '.[dev]', or apt-get install -y postgresql"


def _ray() -> str | None:
    return None if find_spec("ray") else "there is no Ray here, which is large: pip install -e '.[dev,ray]'"


SERVICES: dict[str, Callable[[], str | None]] = {"chromium": _chromium, "postgres": _postgres, "ray": _ray}
"""What each service lacks on this machine; None if it is there."""

LARGE = {"ray"}
"""Services that the extra `dev` leaves out: without them a test is skipped, however strict services are."""


def see_to(item: pytest.Item) -> None:
    """Skip `item`, or fail it where services are strict, if one that it needs is missing."""
    for mark in item.iter_markers("service"):
        missing = SERVICES[mark.args[0]]()
        if missing and mark.args[0] not in LARGE and os.environ.get("STRICT_SERVICES"):
            pytest.fail(f"STRICT_SERVICES is set, and {missing}", pytrace=False)
        if missing:
            pytest.skip(missing)
