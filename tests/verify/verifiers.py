"""Verifiers that another process imports, good ones and bad ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maker_graph.core.verifying import Unknown, Valid, Verification
from maker_graph.errors import Invalid


def process(state: object, answer: object) -> Verification:  # noqa: ARG001
    """Say in which process it runs."""
    return Valid(str(os.getpid()))


def even(state: object, answer: int) -> Verification:  # noqa: ARG001
    """Prove that a number is even; it does not know 0."""
    if answer == 0:
        return Unknown("0 is not for me")
    if answer % 2:
        raise Invalid(f"{answer} is odd")
    return Valid(f"{answer} is even", conclusive=True)


def loud(state: object, answer: object) -> Verification:
    """Print before it answers, in three ways, and read."""
    print("hello", state, answer)  # noqa: T201
    print("hello", file=sys.stderr)  # noqa: T201
    os.write(1, b"hello")
    return Unknown(f"read {sys.stdin.read()!r}")


def sleeps(state: object, answer: object) -> Verification:  # noqa: ARG001
    """Say in a file who runs, then wait for ever."""
    if isinstance(state, str):
        Path(state).write_text(str(os.getpid()))
    while True:
        time.sleep(1)


def spawns(state: str, answer: object) -> Verification:
    """Start a process, say in a file which, and wait for ever, deaf to polite signals."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with subprocess.Popen(["sleep", "1000"]) as started:  # noqa: S607  wherever it is
        Path(state).write_text(f"{os.getpid()} {started.pid}")
        return sleeps(None, answer)


def busy(state: object, answer: object) -> Verification:
    """Say in a file who runs, then compute in C code, where Python runs no other thread."""
    if isinstance(state, str):
        Path(state).write_text(str(os.getpid()))
    return Valid(str(9**9**9 + int(str(answer))))


def hungry(state: object, answer: object) -> Verification:  # noqa: ARG001
    """Take more memory than there is."""
    return Valid(str(len(bytearray(10**13))))


def deep(state: Any, answer: object) -> Verification:
    """Never stop calling itself."""
    return deep([state], answer)


def killed(state: object, answer: object) -> Verification:  # noqa: ARG001
    """Die as by the killer of processes that take too much memory, or by a fault in C code."""
    os.kill(os.getpid(), getattr(signal, str(answer)))
    raise AssertionError


def leaves(state: object, answer: int) -> Verification:  # noqa: ARG001
    """End its process."""
    os._exit(answer)


def wrong(state: object, answer: object) -> bool:  # noqa: ARG001
    """Say what no verifier may say."""
    return True


def broken(state: object, answer: object) -> Verification:  # noqa: ARG001
    """Fail."""
    raise KeyError("price")


class Above:
    """A verifier with a setting."""

    def __init__(self, least: int) -> None:
        self.least = least

    def __call__(self, state: object, answer: int) -> Verification:  # noqa: ARG002
        """Say whether a number is large."""
        return Valid("it is") if answer > self.least else Unknown("it is not")


def local() -> Callable[..., Verification]:
    """Return a verifier that no other process can import."""

    def inside(state: object, answer: object) -> Verification:  # noqa: ARG001
        return Unknown()

    return inside
