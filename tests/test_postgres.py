"""The Postgres of the tests: real, alone, and dead when it is killed."""

from collections.abc import Callable

import psycopg
import pytest

from tests.postgres import Postgres


def test_each_test_has_a_database_of_its_own(postgres: Postgres) -> None:
    with postgres.database() as one, postgres.database() as other, psycopg.connect(one) as db:
        db.execute("CREATE TABLE t (n integer)")
        db.commit()
        with psycopg.connect(other) as empty, pytest.raises(psycopg.errors.UndefinedTable):
            empty.execute("SELECT * FROM t")


def test_a_server_that_was_killed_has_no_process_left_and_can_be_started_again(new_postgres: Callable[..., Postgres]) -> None:
    server = new_postgres(max_connections="20")
    with psycopg.connect(server.address(), autocommit=True) as db:
        db.execute("CREATE TABLE t AS SELECT 1 AS n")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            db.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.address())
    server.start()
    assert server.execute("SELECT n FROM t") == [(1,)]
    assert server.execute("SHOW max_connections") == [("20",)]
