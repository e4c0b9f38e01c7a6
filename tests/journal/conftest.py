"""The journals that the tests of this folder share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.journal.kept import InPostgres, InSqlite, Kept


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.service("postgres"))])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Return where journals are kept: each test is of both."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield InSqlite(tmp_path, stack)
        else:
            yield InPostgres(tmp_path, stack, request.getfixturevalue("database"))


@pytest.fixture
def in_postgres(tmp_path: Path, database: str) -> Iterator[InPostgres]:
    """Return a database for journals."""
    with ExitStack() as stack:
        yield InPostgres(tmp_path, stack, database)
