"""Real processes that are really killed, and what must be true of a run afterwards.

Starting Python and importing everything takes more than a second, and a hundred kills need a hundred processes. So a fork
server imports once and forks a child for each attempt. A child works on a run and tells what happens, line by line, in a file
beside it, so that what it had done before it died is on record:

    417 begin 4 0be3...      where a session found the run
    417 sample 5 0 325 988   sample 0 of step 5 was drawn, and paid for: tokens in and out
    417 step 5 7c1e...       step 5 is committed; the digest after it
    417 end 0                the session came to its own end
    417 LimitReached 0 ...   or to this error

A child may also be a whole command (`command`): what it says is then in files beside the runs.
"""

import asyncio
import gc
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from maker_graph.cli import EXIT_CODES, main
from maker_graph.cli.process import until_signal
from maker_graph.core.machine import MakerOutput
from maker_graph.errors import MakerError
from maker_graph.journal.entry import encode
from maker_graph.models.calls import Call
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.directory import opened
from maker_graph.run.home import Run
from maker_graph.run.options import Prices, RunOptions
from maker_graph.run.settings import Settings
from maker_graph.run.solving import Watcher, solve
from maker_graph.run.summary import summary
from tests.made import created, new_settings

MODEL = "sim:gpt-oss-20b,latency=0.002"


def settings_of(disks: int = 5, *, seed: int = 1, model: str = MODEL, k: int = 2) -> Settings:
    """Return the settings of a Hanoi with a weak model: wrong votes and red flags are part of every test."""
    return new_settings("hanoi", {"disks": disks}, model, k=k, seed=seed)


class Whole(NamedTuple):
    """A run that nothing happened to: what every other one of the same settings must be equal to."""

    entries: list[str]
    digests: list[str]
    samples: int


def entries(run: Run) -> list[str]:
    """Return what the journal holds, with every vote: equal for equal runs, whatever happened to them."""
    return [encode(decision) for decision in run.journal.decisions()]


def whole(directory: Path, settings: Settings) -> Whole:
    """Run to the end, undisturbed."""
    with created(directory, settings) as run:
        asyncio.run(solve(run))
        digests = [run.machine.begin()["digest"], *(after["digest"] for _, _, after in run.journal.replay(run.machine))]
        return Whole(entries(run), digests, summary(run)["samples"])


class Event(NamedTuple):
    """One line of what a child told."""

    pid: int
    kind: str
    step: int
    text: str


def events(directory: Path) -> list[Event]:
    """Return what all the children that worked on a run have told, in order."""
    path = told(directory)
    lines = path.read_text().splitlines() if path.exists() else []
    return [Event(int(pid), kind, int(step), text) for pid, kind, step, text in (line.split(" ", 3) for line in lines)]


def told(directory: Path) -> Path:
    """Return the file in which the children that work on a run tell what happens."""
    return directory.with_name(f"{directory.name}.told")


def assert_nothing_lost_or_doubled(directory: Path, expected: Whole, *, finished: bool = True, ahead: bool = False) -> None:
    """Compare a run, and all that was told of it, with the run that nothing happened to.

    With lookahead (`ahead`) nobody can say of which step a sample is, and several steps are committed at once.
    """
    with opened(directory) as run:
        assert entries(run) == expected.entries[: None if finished else run.journal.step]
        assert [after["digest"] for _, _, after in run.journal.replay(run.machine)] == expected.digests[
            1 : run.journal.step + 1
        ]
        step, samples = run.journal.step, summary(run)["samples"]
    found, committed, drawn, now = 0, 0, set[tuple[int, str]](), set[tuple[int, str]]()
    for event in events(directory):
        match event.kind:
            case "begin":
                assert event.step >= committed, "a committed step was lost"
                found, committed, now = event.step, event.step, set()
            case "sample" if not ahead:
                assert event.step == committed + 1, "a committed step was sampled again"
                assert (event.step, event.text) not in drawn or event.step == found + 1, (
                    "more was sampled again than was in flight"
                )
                assert (event.step, event.text) not in now, "sampled twice in one session"
                drawn.add((event.step, event.text))
                now.add((event.step, event.text))
            case "step":
                assert event.step == committed + 1 or (ahead and event.step > committed), (
                    "a step was committed twice, or left out"
                )
                assert event.text == expected.digests[event.step]
                committed = event.step
            case _:
                pass
    assert step >= committed, "a committed step was lost"
    if events(directory):
        assert samples <= sum(event.kind == "sample" for event in events(directory)), "what was not drawn cannot have been paid"


# ---------------------------------------------------------------------------------------------------------- the test's side


@dataclass(frozen=True, slots=True)
class Child:
    """A process that works on a run."""

    pid: int
    server: "Children"
    directory: Path

    @property
    def said(self) -> tuple[str, str]:
        """What a command has said so far, to standard output and to standard error; nothing before it has begun."""
        files = (self.directory / f"{self.pid}.{name}" for name in ("out", "err"))
        out, err = (file.read_text() if file.exists() else "" for file in files)
        return out, err

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended already keeps its number until `wait`."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 30) -> int:
        """Return how it ended: its exit code, or minus the signal that killed it."""
        status = self.server.ask(wait=self.pid, seconds=seconds)
        assert status is not None, f"process {self.pid} did not end within {seconds} s"
        return int(status)

    def kill(self) -> int:
        """Kill it with SIGKILL, if it is still there, and return how it ended."""
        self.send(signal.SIGKILL)
        return self.wait()


class Children:
    """The fork server, seen from the test."""

    def __init__(self) -> None:
        command = [sys.executable, __file__]
        root = Path(__file__).parents[2]
        path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": path}
        )

    def ask(self, **request: Any) -> Any:
        """Send one request and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, directory: Path, job: str = "work", **args: Any) -> Child:
        """Start a child that does `job` on the run in `directory`."""
        return Child(self.ask(job=job, directory=str(directory), **args), self, directory)

    def run(self, directory: Path, job: str = "work", **args: Any) -> int:
        """Start a child and return how it ended."""
        return self.start(directory, job, **args).wait()

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Return as soon as something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -------------------------------------------------------------------------------------------------------- the child's side


@dataclass(slots=True)
class Teller:
    """Tells what happens, in a file to which many append: one system call a line, so that a kill cuts none."""

    file: int
    run: Run
    crash: "Crash"
    begun: bool = False

    def progress(self, at: MakerOutput) -> None:
        """Tell where the run stood at first, then each committed step."""
        tell(self.file, "step" if self.begun else "begin", at["step"], at["digest"])
        if self.begun:
            self.crash.reached("committed", at["step"])
        self.begun = True

    def record(self, call: Call) -> None:
        """Tell that a sample was drawn."""
        step = self.run.journal.step + 1
        sample = call.sample
        tell(self.file, "sample", step, f"{sample.index} {sample.input_tokens} {sample.output_tokens}")
        self.crash.reached("sampled", step)


def _telling(directory: str) -> int:
    return os.open(told(Path(directory)), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def tell(file: int, kind: str, step: int, text: str) -> None:
    """Append one line."""
    os.write(file, f"{os.getpid()} {kind} {step} {' '.join(text.split())}\n".encode())


@dataclass(slots=True)
class Crash:
    """Kills this process when it reaches a named point for the n-th time; without a point it only tells them.

    Points are `sampled` and `committed`; each file that is opened, made or renamed in the run; and each SQL statement, named by
    its file and first words; all just before it happens. An audit hook sees files and connections, SQLite tells its statements.
    """

    directory: str
    point: str | None
    times: int
    file: int
    tells: bool

    def reached(self, point: str, step: int = 0) -> None:
        """Die, if this is the point."""
        if self.tells:
            tell(self.file, "point", step, point)
        if point == self.point:
            self.times -= 1
            if self.times == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """See every statement of every connection that is made from now on."""
        names: list[str] = []
        run = Path(self.directory)
        birth = str(run.with_name(f".{run.name}.making-"))

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event == "sqlite3.connect":
                names.append(Path(str(args[0])).name)
            elif event == "sqlite3.connect/handle":
                sys.setprofile(lambda *_: watched(names[-1], args[0]))  # the connection is not yet made: as soon as it is
            elif event in {"open", "os.mkdir", "os.rename"} and str(args[0]).startswith((self.directory, birth)):
                place = Path(str(args[0]))
                name = "the new run" if place.parent == run.parent and str(place).startswith(birth) else place.name
                self.reached(f"{event} {re.sub(r'^[.][0-9a-f]{16}[.]draft$', 'a draft', name)}")

        def watched(name: str, connection: sqlite3.Connection) -> None:
            with suppress(sqlite3.ProgrammingError):
                connection.set_trace_callback(lambda statement: self.reached(f"{name}: {' '.join(statement.split()[:3])}"))
                sys.setprofile(None)

        if self.point is not None or self.tells:
            sys.addaudithook(hook)


def work(
    directory: str,
    *,
    crash: str | None = None,
    times: int = 1,
    tells: bool = False,
    room: int | None = None,
    price: tuple[float, float] | None = None,
    limits: dict[str, float] | None = None,
    **settings: Any,
) -> int:
    """Work on a run as the command line does.

    Args:
        directory: the run.
        crash: the point at which to die.
        times: at the how-manieth time.
        tells: whether all such points are told.
        room: bytes that a file may have; a write beyond fails as on a full disk.
        price: what samples cost.
        limits: where to stop.
        settings: of `solve`.
    """
    file = _telling(directory)
    dying = Crash(directory, crash, times, file, tells)
    dying.watch()
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        with opened(Path(directory)) as run:
            teller = Teller(file, run, dying)
            watcher = Watcher(
                progress=teller.progress,
                record=teller.record,
                warn=lambda text: tell(file, "warning", run.journal.step, text),
            )
            own = {name: settings.pop(name) for name in ("lookahead", "draft_model", "max_samples") if name in settings}
            options = RunOptions.of(**{f"max_{name}": limit for name, limit in (limits or {}).items()}, **own)
            prices = Prices(None if price is None else FlatPrice(*price))
            finished = until_signal(solve(run, options, prices=prices, watcher=watcher, **settings))
    except MakerError as error:
        tell(file, type(error).__name__, 0, str(error))
        return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    tell(file, "end", 0, "")
    return 0 if finished else 130


def create(directory: str, *, disks: int = 5, crash: str | None = None, times: int = 1, tells: bool = False) -> int:
    """Make a run."""
    Crash(directory, crash, times, _telling(directory), tells).watch()
    with created(Path(directory), settings_of(disks)):
        return 0


def command(directory: str, *, args: list[str], room: int | None = None) -> int:
    """Be `maker-graph ARGS` in a folder: all of the process but the start of Python."""
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    sys.argv = ["maker-graph", *args]
    return _as_a_process(directory, main)


def script(directory: str, *, source: str, path: str = "<script>", env: dict[str, str] | None = None) -> int:
    """Be a script that Python is given: `path` stands in its tracebacks, and its folder is where its imports begin."""
    os.environ.update(env or {})
    sys.path[0] = str(Path(path).parent.absolute())
    sys.modules["__main__"] = module = ModuleType("__main__")
    module.__file__ = path
    return _as_a_process(directory, lambda: exec(compile(source, path, "exec"), vars(module)))  # noqa: S102  a script of ours


def _as_a_process(directory: str, run: Callable[[], None]) -> int:
    os.chdir(directory)
    for name, number in (("out", sys.stdout.fileno()), ("err", sys.stderr.fileno())):
        os.dup2(os.open(f"{os.getpid()}.{name}", os.O_WRONLY | os.O_CREAT, 0o600), number)
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  as Python does
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


JOBS: dict[str, Callable[..., int]] = {"work": work, "create": create, "command": command, "script": script}


def serve() -> None:
    """Fork a child for each job that is asked for on standard input."""
    for line in sys.stdin:
        request = json.loads(line)
        answer: int | None = _waited(request["wait"], request["seconds"]) if "wait" in request else _forked(request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _forked(request: dict[str, Any]) -> int:
    assert threading.active_count() == 1, "a fork takes only its own thread along"
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = JOBS[request.pop("job")](**request)
        except BaseException as error:  # noqa: BLE001  a child tells how it ended, whatever it was
            with suppress(OSError):
                tell(_telling(request["directory"]), "uncaught", 0, repr(error))
        finally:
            os._exit(code)
    return pid


def _waited(pid: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0005)
    return None


def warm_up() -> None:
    """Import all that a run imports as it goes, so that a child does not."""
    import tempfile  # noqa: PLC0415  only here

    import psycopg  # noqa: F401, PLC0415  it would be imported by each child that needs it

    import maker_graph.journal.postgres.journal  # noqa: F401, PLC0415

    with tempfile.TemporaryDirectory() as folder:
        whole(Path(folder) / "warm", settings_of(2))


if __name__ == "__main__":
    assert sqlite3.sqlite_version_info
    warm_up()
    gc.collect()
    gc.freeze()  # a child that goes over all of this has to copy it first: most of what a child cost
    serve()
