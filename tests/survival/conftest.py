"""The run that nothing happened to."""

import pytest

from tests.survival.harness import Whole, settings_of, whole


@pytest.fixture(scope="session")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Return the run of `settings_of()` that nothing happened to."""
    return whole(tmp_path_factory.mktemp("unharmed") / "whole", settings_of())
