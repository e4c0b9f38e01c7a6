"""Asking a person at the terminal: the question is on standard error, and the answer is a line that is typed."""

import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from maker_graph.core.characters import visible


def read_anything() -> None:
    """Let standard input hold bytes that are no text: they are refused as an answer later, and are no crash here."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")


def typed_line() -> str | None:
    """Return a line that a person typed; None at the end of the input."""
    sys.stderr.write("> ")
    sys.stderr.flush()
    line = "" if sys.stdin is None else sys.stdin.readline()
    return line.strip() if line else None


def question_lines(question: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Yield the lines of the last message of a question, indented for the terminal."""
    for _, content in question[-1:]:
        for line in str(content).splitlines():
            yield f"  {visible(line)}"
