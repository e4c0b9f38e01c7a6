"""A limit of time and memory for a verification: it runs in a separate process, and is cut off if it takes too long.

A computation that hangs cannot be stopped from inside its own process: Python runs no other thread in the middle of a long
operation of C code, and signals reach the main thread only. So a verifier that may hang runs in a child process. The child is
a fresh interpreter, started when it is first needed and kept for many answers, so that a verification costs milliseconds. If a
verification takes too long, the child is killed, and a new one is started for the next answer.

If a verification was cut off, or the child died, the verdict is `Unknown` with the reason: never valid, never invalid.
"""

import contextlib
import fcntl
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from functools import cache
from math import inf
from multiprocessing.connection import Connection
from typing import Any

from maker_graph.core import checks
from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid, UsageError
from maker_graph.verify.worker import GAVE_UP, READY, TAKEN

SECONDS = 5.0
"""How long a verification may take by default."""

MEGABYTES = 1_000
"""How much address space its process may use by default; the interpreter and its libraries count."""

_LEAST_MEGABYTES = 200  # an interpreter and the libraries of a verifier
_TO_START = 60.0  # seconds; a machine may be busy
_CHILD = """
import json, sys
sys.path[:], numbers, imports = json.loads(sys.argv[1])
from maker_graph.verify.worker import serve
serve(*numbers, *imports)
"""


def limited(verify: Callable[..., object], *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> "Limited":
    """Return `verify` with a limit of time and memory, running in a separate process.

    ```python
    create_microstep(model, verify=limited(my_module.verify, seconds=2))
    ```

    Args:
        verify: a verifier that another process can import: a function of a module, or an object that can be pickled.
        seconds: how long one verification may take; the start of the process does not count.
        megabytes: how much address space the process may use.

    Raises:
        UsageError: another process cannot import the verifier, or a limit is out of range.
    """
    return Limited(verify, seconds=seconds, megabytes=megabytes)


class Limited:
    """A verifier that runs in a separate process; see `limited`.

    It may be called from many threads, which wait for each other. Each copy, also a pickled one, has its own process.
    """

    def __init__(self, verify: Callable[..., object], *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        _see_importable(verify)
        self._verify = verify
        self._seconds = see_seconds(seconds)
        self._worker = Worker(megabytes, imports=(getattr(verify, "__module__", None) or type(verify).__module__,))

    def __call__(self, *given: object) -> Verification:
        """Return what the verifier says of an answer, or `Unknown` if it was cut off.

        Raises:
            Invalid: the verifier calls the answer invalid.
            UsageError: the verifier failed in another way.
        """
        return self._worker.ask(self._verify, *given, seconds=self._seconds)

    def close(self) -> None:
        """End the process. The next call starts another one."""
        self._worker.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._verify, self._seconds, self._worker.megabytes)


def _again(verify: Callable[..., object], seconds: float, megabytes: int) -> Limited:
    return Limited(verify, seconds=seconds, megabytes=megabytes)


def see_seconds(seconds: float) -> float:
    """Return a limit of time, in seconds.

    Raises:
        UsageError: it is not a number above 0.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < inf:
        raise UsageError(f"seconds, the time that a verification may take, must be a number above 0, not {seconds!r}.")
    return float(seconds)


def _see_importable(verify: Callable[..., object]) -> None:
    """Make sure that another process can import `verify`.

    Raises:
        UsageError: it cannot.
    """
    if not callable(verify):
        raise UsageError(f"limited needs a verifier, a function of the state and the answer, not {checks.shown(verify)}.")
    try:
        found = pickle.dumps(verify)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"limited needs a verifier that another process can import, not a lambda or a local function ({why})."
        ) from error
    if b"__main__" in found:
        raise UsageError("limited needs a verifier that another process can import: move it from the script into a module.")


class Worker:
    """A child process that calls functions, within limits. It starts when it is first asked, and again after it was killed.

    Attributes:
        megabytes: how much address space the child may use.

    Args:
        megabytes: how much address space the child may use.
        imports: modules that the child loads at its start. That time does not count as part of a verification.
    """

    def __init__(self, megabytes: int = MEGABYTES, *, imports: tuple[str, ...] = ()) -> None:
        self.megabytes = checks.whole("megabytes", megabytes, _LEAST_MEGABYTES)
        self._imports = imports
        self._child: _Child | None = None
        self.renew()
        _WORKERS.add(self)

    def renew(self) -> None:
        """Forget the child, which belongs to the process that this one was forked from."""
        self._lock = threading.Lock()
        if self._child is not None:
            self._child.forget()
            self._child = None

    def ask(self, function: Callable[..., object], *given: object, seconds: float) -> Verification:
        """Return what a verifier says, or `Unknown` if it was cut off.

        Args:
            function: the verifier, which the child imports.
            given: the arguments of the verifier.
            seconds: how long it may take.

        Raises:
            Invalid: the verifier calls the answer invalid.
            UsageError: the verifier failed in another way.
        """
        try:
            asked = pickle.dumps((function, given, seconds))
        except Exception as error:
            why = f"{type(error).__name__}: {str(error)[:200]}"
            raise UsageError(
                f"A verifier was called with something that cannot be sent to another process ({why}): give it plain data."
            ) from error
        with self._lock:
            try:
                used = self._child is not None
                found = self._ask(asked, seconds)
                if used and found is not None and found[0] == _UNTAKEN:  # it was killed between two questions
                    found = self._ask(asked, seconds)
            except OSError as error:  # the machine has no room for another process
                return Unknown(f"the process of the verification could not be started ({error})")
        return _verdict(found, seconds)

    def _ask(self, asked: bytes, seconds: float) -> tuple[str, Any] | None:
        if self._child is None or not self._child.alive:
            self.close()
            self._child = _Child(self.megabytes, self._imports)
        found: tuple[str, Any] | None = None
        try:
            found = self._child.ask(asked, seconds)
        finally:  # also when this thread is interrupted, so that a late answer is never taken for that to another question
            if found is None or found[0] in {GAVE_UP, _DIED, _UNTAKEN} or not self._child.ready:
                self.close()
        return found

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None


@cache
def shared_worker(megabytes: int, *imports: str) -> Worker:
    """Return the worker that all adapters of a kind share, because one process for each of many tasks would be too many."""
    return Worker(megabytes, imports=imports)


_DIED, _UNTAKEN = "died", "untaken"
"""A child that ended while it was at work on a question, and one that ended before it took the question."""


def _verdict(found: tuple[str, Any] | None, seconds: float) -> Verification:
    """Return what a child said, as a verifier would say it."""
    if found is None:
        return Unknown(f"the verification was cut off after {seconds:g} seconds")
    kind, said = found
    if kind == "invalid":
        raise Invalid(said)
    if kind == "failed":
        raise UsageError(said)
    return Valid(*said) if kind == "valid" else Unknown(said)


class _Child:
    """One child process and the pipes to and from it."""

    def __init__(self, megabytes: int, imports: tuple[str, ...]) -> None:
        if not sys.executable:
            raise UsageError(
                "A verifier with limits runs in another interpreter, but sys.executable does not say where one is."
            )
        child_reads, self._asks = _pipe()
        self._answers, child_writes = _pipe()
        path = [os.path.abspath(folder) for folder in sys.path]  # noqa: PTH100  "" is the folder that we are in
        numbers = [child_reads.fileno(), child_writes.fileno(), os.getpid(), megabytes]
        with child_reads, child_writes:
            self._process = subprocess.Popen(  # noqa: S603  this very interpreter, and what it runs is ours
                [sys.executable, "-P", "-c", _CHILD, json.dumps([path, numbers, imports])],
                pass_fds=numbers[:2],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.ready = False
        self._finish = weakref.finalize(self, _end, self._process, os.getpid(), self._asks, self._answers)

    @property
    def alive(self) -> bool:
        """Whether the child can be asked."""
        return self._process.poll() is None

    def ask(self, asked: bytes, seconds: float) -> tuple[str, Any] | None:
        """Return the child's answer; None if it takes too long."""
        taken = False
        try:
            if not self.ready:
                if not self._answers.poll(_TO_START):
                    return _DIED, f"the process of the verification was not ready after {_TO_START:g} seconds"
                if (first := self._answer())[0] != READY:
                    return first
                self.ready = True
            self._asks.send_bytes(asked)
            if not self._answers.poll(seconds):
                return None
            taken = self._answer()[0] == TAKEN
            if not self._answers.poll(seconds):
                return None
            found = self._answer()
        except (EOFError, OSError):
            return _DIED if taken else _UNTAKEN, self._how_it_died()
        return found

    def _answer(self) -> tuple[str, Any]:
        kind, said = json.loads(self._answers.recv_bytes())
        return kind, said

    def _how_it_died(self) -> str:
        status = self._process.wait()
        if status == -signal.SIGXCPU:
            return "the verification was cut off because it took too much processor time"
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return f"the process of the verification ended {how}"

    def end(self) -> None:
        """End the child and all processes that it has started."""
        self._finish()

    def forget(self) -> None:
        """Close the pipes of a child that belongs to the process that this one was forked from."""
        self._finish()


def _pipe() -> tuple[Connection, Connection]:
    """Return a pipe whose ends do not take the numbers of standard streams, which are free if those were closed."""
    ends = os.pipe()
    try:
        reads, writes = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return Connection(reads, writable=False), Connection(writes, readable=False)


def _end(process: subprocess.Popen[bytes], parent: int, *pipes: Connection) -> None:
    if os.getpid() == parent:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone
            os.killpg(process.pid, signal.SIGKILL)  # it leads its own group, so what it started ends with it
        process.wait()
    else:
        process.returncode = 0  # it is not a child of this process, which cannot wait for it
    for pipe in pipes:
        pipe.close()


_WORKERS: "weakref.WeakSet[Worker]" = weakref.WeakSet()


def _after_fork() -> None:
    for worker in _WORKERS:
        worker.renew()


os.register_at_fork(after_in_child=_after_fork)
