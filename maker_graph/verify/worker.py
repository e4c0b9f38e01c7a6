"""The separate process in which verifications run: the child's side of `limits.py`.

It is a fresh interpreter. It gets functions to call over one pipe, and answers in JSON over another. What the functions print
is thrown away. The process ends when the pipe closes, and also when its parent is gone while it is busy.
"""

import contextlib
import importlib
import json
import os
import pickle
import resource
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from maker_graph.core.verifying import Unknown, verification_of
from maker_graph.errors import UsageError

READY, TAKEN, GAVE_UP = "ready", "taken", "gave up"
"""The child says the first when it can be asked, the second when it has a question, the third when it must be replaced."""

_LOOK_EVERY = 0.5  # seconds between looks at whether the parent is there


def serve(asks: int, answers: int, parent: int, megabytes: int, *imports: str) -> None:
    """Answer until the pipe closes.

    Args:
        asks: the descriptor from which functions and arguments come.
        answers: the descriptor to which answers go.
        parent: the process that asks.
        megabytes: how much address space this process may use.
        imports: modules to load before it is ready, so that the first verification does not wait for them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when a run ends
    with contextlib.suppress(ValueError, OSError):  # a system may not have such a limit, or have a lower one
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from_parent, to_parent = Connection(asks, writable=False), Connection(answers, readable=False)
    with contextlib.suppress(EOFError, OSError):
        to_parent.send_bytes(json.dumps(_loaded(megabytes, imports)).encode())
        while True:
            asked = from_parent.recv_bytes()
            to_parent.send_bytes(json.dumps((TAKEN, "")).encode())
            to_parent.send_bytes(json.dumps(_answer(megabytes, asked)).encode())


def _loaded(megabytes: int, imports: Sequence[str]) -> tuple[str, object]:
    """Load modules, and return READY, or why one cannot be loaded, so that a missing module is reported at once."""
    for module in imports:
        try:
            importlib.import_module(module)
        except MemoryError:
            return "failed", f"The module {module} of a verifier needs more than {megabytes:,} megabytes: raise its limit."
        except Exception as error:  # noqa: BLE001  a module may fail in any way
            why = f"{type(error).__name__}: {str(error)[:200]}"
            return "failed", f"The module {module} of a verifier cannot be imported by another process ({why})."
    return READY, ""


def _answer(megabytes: int, asked: bytes) -> tuple[str, object]:
    """Return the kind of an answer and its parts, all of them plain data."""
    try:
        function, given, seconds = pickle.loads(asked)  # noqa: S301  from the parent
    except MemoryError:
        return GAVE_UP, _Bounded.too_large(megabytes)
    except Exception as error:  # noqa: BLE001  and so may what pickle calls
        why = f"{type(error).__name__}: {str(error)[:200]}"
        return "failed", (
            f"A verifier was called with something that another process cannot import ({why}): move the classes of the state "
            "and of the answer from the script into a module."
        )
    _limit_processor(seconds)
    try:
        found = verification_of(_Bounded(function, megabytes), *given)
    except UsageError as error:
        return "failed", str(error)
    if isinstance(found, str):
        return "invalid", found
    if isinstance(found, Unknown):
        return (GAVE_UP if found.why == _Bounded.too_large(megabytes) else "unknown"), found.why
    return "valid", (found.evidence, found.conclusive)


class _Bounded:
    """A verifier that returns `Unknown` if it runs out of memory, because that is not a mistake in the verifier."""

    def __init__(self, function: Callable[..., object], megabytes: int) -> None:
        self._function = function
        self._megabytes = megabytes

    def __call__(self, *given: object) -> object:
        try:
            return self._function(*given)
        except MemoryError:
            return Unknown(self.too_large(self._megabytes))
        except RecursionError:
            return Unknown("the verification went too deep and was cut off")

    @staticmethod
    def too_large(megabytes: int) -> str:
        """Return the reason for a verification that needed more memory than allowed."""
        return f"the verification needed more than {megabytes:,} megabytes and was cut off"


def _limit_processor(seconds: float) -> None:
    """Let the system end this process if it is busy for much too long, because its parent may be gone or stopped."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _end_with(parent: int) -> None:
    """End this process as soon as its parent is gone."""
    while os.getppid() == parent:
        threading.Event().wait(_LOOK_EVERY)
    os._exit(1)
