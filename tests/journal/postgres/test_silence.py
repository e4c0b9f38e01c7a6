"""A server that does not answer is not waited for without end."""

import socket
import time
from contextlib import closing

import pytest

from maker_graph.errors import OutOfReach
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.silence import no_longer_than


def test_a_socket_is_shut_when_its_time_is_over_and_not_before() -> None:
    here, there = socket.socketpair()
    with closing(here), closing(there):
        with no_longer_than(30, here.fileno()):
            there.sendall(b"answer")
            assert here.recv(9) == b"answer"
        with no_longer_than(0.1, here.fileno()):
            assert here.recv(9) == b"", "nobody answers"


def test_an_answer_in_time_leaves_the_socket_open() -> None:
    here, there = socket.socketpair()
    with closing(here), closing(there):
        with no_longer_than(0.1, here.fileno()):
            pass
        time.sleep(0.6)
        there.sendall(b"later")
        assert here.recv(9) == b"later"


@pytest.mark.service("postgres")
def test_a_database_that_is_silent_is_out_of_reach_and_is_asked_again_later(database: str) -> None:
    with closing(Connection(database, silence=0.5)) as connection:
        with pytest.raises(OutOfReach, match="cannot be reached"):
            connection.once("SELECT pg_sleep(60)")
        assert connection.rows("SELECT 1") == [(1,)]
