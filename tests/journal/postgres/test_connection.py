"""A connection: made again when it was lost, with errors that say what to do and never a password."""

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from maker_graph.errors import DamagedRun, LimitReached, OutOfReach, UnusableRun, UsageError
from maker_graph.journal.postgres.connection import Connection, see_address, shown
from maker_graph.journal.postgres.schema import FORM
from tests.postgres import Postgres
from tests.proxy import Proxy, Way, proxy

# ------------------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://h/d",
        "postgres://h:5432/d",
        "postgresql://me:p%40ss@h:5432/d?sslmode=require&password=secret",
        "postgresql://a:5432,b:5433/d?target_session_attrs=read-write",
        "postgresql://[::1]:5432/d",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/d",
        "postgresql://me@/d",
    ],
)
def test_an_address_of_libpq_is_one(address: str) -> None:
    assert see_address(address) == address
    with closing(Connection(address)):
        pass


CANARY = "s3cr3t"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{CANARY}",
        f"postgresql://me:{CANARY}/d",
        f"postgresql://me:p@{CANARY}@h/d",
        f"postgresql://me:a/{CANARY}@h/d",
        f"postgresql://me:{CANARY}%@h/d",
        f"postgresql://me:%zz{CANARY}@h/d",
        f"postgresql://me:x@h/d?passwort={CANARY}",
        f"postgresql://me:{CANARY}@h:port/d",
        f"postgresql://me:{CANARY}@h/d\n",
        f"mysql://me:{CANARY}@h/d",
        f"host=h password={CANARY}",
        CANARY,
        "",
    ],
)
def test_what_is_no_address_is_refused_and_its_password_is_not_shown(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        Connection(address)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown(address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"postgresql://me:{CANARY}@h:5432/d?password={CANARY}", "postgresql://me@h:5432/d"),
        (f"postgresql://:{CANARY}@h/d", "postgresql://h/d"),
        (f"postgres://a:1,b:2/d?passfile={CANARY}", "postgres://a:1,b:2/d"),
        (CANARY, "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_a_password(address: str, said: str) -> None:
    assert shown(address) == said


def test_no_error_of_the_database_shows_a_password(postgres: Postgres) -> None:
    refused = f"postgresql://nobody:{CANARY}@127.0.0.1:{postgres.port}/postgres"
    missing = f"postgresql://postgres:{CANARY}@127.0.0.1:{postgres.port}/none?password={CANARY}"
    nobody = f"postgresql://postgres:{CANARY}@127.0.0.1:1/postgres?password={CANARY}"
    for address, error in ((refused, UsageError), (missing, UsageError), (nobody, OutOfReach)):
        with pytest.raises(error, match="cannot be") as caught, closing(Connection(address)) as connection:
            connection.rows("SELECT 1")
        assert CANARY not in "".join(traceback.format_exception(caught.value))


# ----------------------------------------------------------------------------------------------------------- a lost connection


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with closing(Connection(database)) as found:
        found.prepare()
        yield found


@pytest.fixture(name="between")
def fixture_between(postgres: Postgres) -> Iterator[Proxy]:
    """Return the network between a connection and the database."""
    with proxy(postgres.port) as found:
        yield found


def through(between: Proxy, address: str) -> str:
    """Return the address by which a database is reached through a network."""
    return f"postgresql://postgres@127.0.0.1:{between.port}/{address.rpartition('/')[2]}"


def test_a_connection_that_was_lost_is_made_again(connection: Connection, postgres: Postgres) -> None:
    (before,) = connection.rows("SELECT pg_backend_pid()")
    postgres.execute(f"SELECT pg_terminate_backend({before[0]})")
    assert connection.rows("SELECT pg_backend_pid()") != [before]


def test_what_is_done_once_is_not_done_again(connection: Connection, postgres: Postgres) -> None:
    (pid,) = connection.row("SELECT pg_backend_pid()") or (0,)
    postgres.execute(f"SELECT pg_terminate_backend({pid})")
    with pytest.raises(OutOfReach):
        connection.once("SELECT 1")
    assert connection.once("SELECT 1") == [(1,)]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_transaction_that_loses_its_connection_anywhere_is_whole_or_nothing(
    postgres: Postgres, database: str, between: Proxy, way: Way
) -> None:
    postgres.execute("CREATE TABLE t (n integer)", database)
    with closing(Connection(database)) as own, closing(Connection(through(between, database))) as far:
        outcomes, after = Counter[str](), 1
        while outcomes["not cut"] < 2:
            (before,) = own.row("SELECT count(*) FROM t") or (0,)
            far.rows("SELECT 1")
            between.cut(way, after)
            outcome = "cut"
            with suppress(OutOfReach):
                with far.transaction():
                    for number in (1, 2, 3):
                        far.rows("INSERT INTO t VALUES (%(n)s) RETURNING n", {"n": number})
                outcome = "not cut"
            between.heal()
            found = own.rows("SELECT n FROM t OFFSET %(before)s", {"before": before})
            assert found == [(1,), (2,), (3,)] or (found == [] and outcome == "cut"), after
            outcomes[outcome if outcome == "not cut" or not found else "cut after the commit"] += 1
            after += 11
    assert outcomes["cut"] > 3
    assert (outcomes["cut after the commit"] > 0) == (way == "down")


def test_nobody_there_is_said_within_the_time_that_was_given() -> None:
    with closing(Connection("postgresql://me@127.0.0.1:1/d?connect_timeout=2")) as connection, pytest.raises(OutOfReach):
        connection.rows("SELECT 1")


def test_a_server_that_is_killed_and_started_again_is_reached_again(new_postgres: Callable[..., Postgres]) -> None:
    server = new_postgres()
    with closing(Connection(server.address())) as connection:
        connection.prepare()
        server.kill()
        for _ in range(2):
            with pytest.raises(OutOfReach, match="cannot be reached"):
                connection.rows("SELECT 1")
        server.start()
        connection.see_tables()


# ---------------------------------------------------------------------------------------------------------------------- tables


def test_many_may_make_the_tables_at_once(database: str) -> None:
    failed: list[BaseException] = []
    start = threading.Barrier(8)

    def make() -> None:
        try:
            with closing(Connection(database)) as connection:
                start.wait()
                connection.prepare()
                connection.see_tables()
        except BaseException as error:  # noqa: BLE001  it is told to the test
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_database_without_journals_says_so(database: str) -> None:
    with closing(Connection(database)) as connection:
        with pytest.raises(UnusableRun, match="no journal"):
            connection.see_tables()
        with pytest.raises(UnusableRun, match="no journal"):
            connection.rows("SELECT 1 FROM maker_graph.runs")


def test_tables_of_another_form_are_left_alone(connection: Connection) -> None:
    connection.once("UPDATE maker_graph.form SET form = form + 1 RETURNING 1")
    for look in (connection.prepare, connection.see_tables):
        with pytest.raises(UnusableRun, match=f"newer maker_graph .form {FORM + 1}"):
            look()
    connection.once("UPDATE maker_graph.form SET form = 0 RETURNING 1")
    for look in (connection.prepare, connection.see_tables):
        with pytest.raises(DamagedRun, match="its form is 0"):
            look()
    connection.once("DELETE FROM maker_graph.form RETURNING 1")
    with pytest.raises(DamagedRun, match="its form is 0"):
        connection.see_tables()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_is_refused(postgres: Postgres, encoding: str) -> None:
    with (
        postgres.database(f"ENCODING '{encoding}' TEMPLATE template0") as address,
        closing(Connection(address)) as connection,
        pytest.raises(UsageError, match=f"encoding {encoding}: create one with ENCODING 'UTF8'"),
    ):
        connection.prepare()


# -------------------------------------------------------------------------------------------------------- settings of a server


def set_up(postgres: Postgres, connection: Connection, setting: str) -> None:
    """Give a database a setting for all who connect to it from now on."""
    postgres.execute(f"ALTER DATABASE {connection.address.rpartition('/')[2]} SET {setting}")


@contextmanager
def role(postgres: Postgres, address: str, *grants: str) -> Iterator[str]:
    """Yield the address for a role of its own that may do this."""
    name = f"role_of_{address.rpartition('/')[2]}"
    postgres.execute(f"CREATE ROLE {name} LOGIN")
    for grant in grants:
        postgres.execute(f"{grant} TO {name}", address)
    try:
        yield postgres.address(address.rpartition("/")[2], name)
    finally:
        postgres.execute(f"DROP OWNED BY {name}; DROP ROLE {name}", address)


def test_a_role_that_may_not_make_tables_says_what_to_do(postgres: Postgres, database: str) -> None:
    refused = pytest.raises(LimitReached, match=r"cannot be used .*give access, and resume")
    with role(postgres, database) as address, closing(Connection(address)) as connection, refused:
        connection.prepare()


def test_a_role_that_may_only_read_reads(postgres: Postgres, connection: Connection) -> None:
    grants = ("GRANT USAGE ON SCHEMA maker_graph", "GRANT SELECT ON ALL TABLES IN SCHEMA maker_graph")
    with role(postgres, connection.address, *grants) as address, closing(Connection(address)) as reader:
        reader.see_tables()
        reader.prepare()
        assert reader.rows("SELECT name FROM maker_graph.runs") == []
        with pytest.raises(LimitReached, match=r"cannot be used .*denied.*give access"):
            reader.once("DELETE FROM maker_graph.runs RETURNING 1")


def test_a_server_that_takes_no_writes_says_so(connection: Connection, postgres: Postgres) -> None:
    set_up(postgres, connection, "default_transaction_read_only = on")
    with closing(Connection(connection.address)) as standby:
        standby.see_tables()
        with pytest.raises(LimitReached, match="read-only"):
            standby.once("DELETE FROM maker_graph.runs RETURNING 1")


def test_a_server_that_has_no_room_for_a_connection_is_out_of_reach_and_the_address_is_right(
    postgres: Postgres, connection: Connection
) -> None:
    name = connection.address.rpartition("/")[2]
    with role(postgres, connection.address) as address:
        for setting in (f"DATABASE {name} CONNECTION LIMIT 0", f"ROLE role_of_{name} CONNECTION LIMIT 0"):
            postgres.execute(f"ALTER {setting}")
            with closing(Connection(address)) as refused, pytest.raises(OutOfReach, match="too many connections"):
                refused.rows("SELECT 1")
            postgres.execute(f"ALTER {setting.replace(' 0', ' -1')}")
        postgres.execute(f"ALTER ROLE role_of_{name} NOLOGIN")
        with closing(Connection(address)) as refused, pytest.raises(UsageError, match="give the right user"):
            refused.rows("SELECT 1")


def test_a_text_that_postgres_does_not_keep_is_no_damage(connection: Connection) -> None:
    with pytest.raises(UsageError, match="cannot be kept"):
        connection.rows("SELECT %(text)s::text", {"text": "a\0b"})


@pytest.mark.parametrize(
    "setting", ["extra_float_digits = -10", "bytea_output = 'escape'", "client_encoding = 'LATIN1'", "search_path = ''"]
)
def test_no_setting_of_a_database_changes_what_is_read(postgres: Postgres, connection: Connection, setting: str) -> None:
    set_up(postgres, connection, setting)
    with closing(Connection(connection.address)) as other:
        values = {"cost": 0.1 + 0.2, "bytes": b"\x00\\x\xff", "text": "€😀"}
        statement = "SELECT ARRAY[%(cost)s::float8], %(bytes)s::bytea, %(text)s::text"
        assert other.rows(statement, values) == [([0.1 + 0.2], b"\x00\\x\xff", "€😀")]


def test_the_surroundings_do_not_say_how_text_is_written(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with closing(Connection(connection.address)) as other:
        assert other.rows("SELECT %(text)s::text", {"text": "€😀"}) == [("€😀",)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [("", "on"), ("?options=-csynchronous_commit%3Doff", "off"), ("?options=-csynchronous_commit%3Dlocal", "local")],
)
def test_a_commit_waits_for_the_disk_unless_the_address_says_otherwise(
    postgres: Postgres, connection: Connection, asked: str, found: str
) -> None:
    set_up(postgres, connection, "synchronous_commit = off")
    with closing(Connection(f"{connection.address}{asked}")) as other:
        assert other.rows("SHOW synchronous_commit") == [(found,)]


def test_a_process_that_sleeps_within_a_transaction_keeps_nobody_waiting_for_long(connection: Connection) -> None:
    assert connection.rows("SHOW idle_in_transaction_session_timeout") == [("1min",)]
    with closing(Connection(f"{connection.address}?options=-cidle_in_transaction_session_timeout%3D50")) as sleepy:
        with pytest.raises(OutOfReach), sleepy.transaction():
            time.sleep(0.3)
        assert sleepy.rows("SELECT 1") == [(1,)]


def test_a_machine_that_is_gone_leaves_no_connection_behind(connection: Connection) -> None:
    names = ("idle", "interval", "count")
    assert [connection.rows(f"SHOW tcp_keepalives_{name}")[0][0] for name in names] == ["30", "10", "3"]


def test_a_statement_sees_what_was_committed_before_it(postgres: Postgres, connection: Connection) -> None:
    set_up(postgres, connection, "default_transaction_isolation = serializable")
    with closing(Connection(connection.address)) as other:
        assert other.rows("SHOW transaction_isolation") == [("read committed",)]


@pytest.mark.parametrize("lost", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_a_pooler_that_forgets_prepared_statements_is_coped_with(connection: Connection, lost: str) -> None:
    def five() -> None:
        for _ in range(8):
            assert connection.rows("SELECT %(n)s::int", {"n": 1}) == [(1,)]

    five()
    assert connection._connection is not None
    with connection._connection.cursor() as behind:  # as a pooler gives the connection of another
        behind.execute(lost.encode())
    five()


def test_a_pooler_that_has_the_prepared_statements_of_another_is_coped_with(connection: Connection) -> None:
    connection.rows("SELECT 1")
    assert connection._connection is not None
    for number in range(3):
        connection._connection.execute(f'PREPARE "_pg3_{number}" AS SELECT 2'.encode())
    for _ in range(8):
        assert connection.rows("SELECT %(n)s::int", {"n": 1}) == [(1,)]


def test_what_takes_longer_than_the_server_lets_it_is_out_of_reach_and_no_damage(connection: Connection) -> None:
    with closing(Connection(f"{connection.address}?options=-cstatement_timeout%3D50")) as hurried, pytest.raises(OutOfReach):
        hurried.rows("SELECT pg_sleep(2)")


# ------------------------------------------------------------------------------------------------------------------ a full disk


def test_a_full_disk_is_said_and_nothing_is_lost(new_postgres: Callable[..., Postgres], small_disk: Path) -> None:
    server, written = new_postgres(), 0
    server.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    with server.database("TABLESPACE small") as address, closing(Connection(address)) as connection:
        server.execute("CREATE TABLE t (x text)", address)
        (small_disk / "ballast").write_bytes(bytes(4_000_000))
        statement = "INSERT INTO t SELECT string_agg(md5(n::text), '') FROM generate_series(1, 3e4) AS n RETURNING 1"
        while written < 1000:
            try:
                written += len(connection.once(statement))
            except LimitReached as error:
                assert "make room, or give access, and resume" in str(error)  # noqa: PT017  it comes when the disk is full
                break
        (small_disk / "ballast").unlink()
        assert connection.rows("SELECT count(*) FROM t") == [(written,)]
        assert 0 < written < 1000
        assert connection.once(statement) == [(1,)]
