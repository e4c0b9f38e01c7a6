"""The fork server, and the run that nothing happened to: one of each."""

from collections.abc import Iterator

import pytest

from tests.survival.harness import Children, Whole, settings_of, whole


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    """Return the fork server."""
    server = Children()
    yield server
    server.close()


@pytest.fixture(scope="session")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Return the run of `settings_of()` that nothing happened to."""
    return whole(tmp_path_factory.mktemp("unharmed") / "whole", settings_of())
