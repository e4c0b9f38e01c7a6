"""Asks a person at the terminal: shows a question on standard error, and reads a typed line."""

import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from maker_graph.core.characters import visible


def read_anything() -> None:
    """Let standard input hold bytes that are no text. Such an answer is refused later, without a crash."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")


def typed_line() -> str | None:
    """Return a line that a person typed; None at the end of the input."""
    sys.stderr.write("> ")
    sys.stderr.flush()
    line = "" if sys.stdin is None else sys.stdin.readline()
    return line.strip() if line else None


def question_lines(question: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Yield the lines of the last message of a question, ready to be shown."""
    for _, content in question[-1:]:
        for line in str(content).splitlines():
            yield f"  {visible(line)}"
