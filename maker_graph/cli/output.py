"""What the command line says: to a person on standard error, and the result on standard output.

Names, ballots, replies and errors come from outside, and a terminal may be anything. So all of it goes through this module:

- markup is shown and not obeyed, and a character that nobody can see, or that the terminal cannot show, is an escape;
- whoever has stopped to listen is no error: a closed stream, or a pipe that nobody reads, changes neither what happens nor the
  exit code. A result that finds no room on a full disk is told.
"""

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from maker_graph.core.characters import visible
from maker_graph.errors import LimitReached


class _Listener:
    """A standard stream that takes everything, in the place of the one that the process was given.

    What the stream cannot encode it gets as escapes. Once nobody reads it, it is silent. With `must`, no room is an error.
    """

    def __init__(self, stream: TextIO | None, *, must: bool) -> None:
        self._stream = stream
        self._must = must

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`.

        Raises:
            LimitReached: it must be written, and there is no room.
        """
        if self._stream is not None:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            with _heard(self._stream, must=self._must):
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """See that all of it is written, as `write` does."""
        if self._stream is not None:
            with _heard(self._stream, must=self._must):
                self._stream.flush()

    def isatty(self) -> bool:
        """Say whether a person reads it."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()


@contextmanager
def _heard(stream: TextIO, *, must: bool) -> Iterator[None]:
    """Write to `stream`; where that cannot be, what is left to be written goes nowhere, also at the end of the process."""
    try:
        yield
    except (OSError, ValueError) as error:  # a stream that was closed is a ValueError
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        if must and isinstance(error, OSError) and error.errno not in {errno.EPIPE, errno.EBADF}:
            raise LimitReached(f"The result cannot be written ({error.strerror}): make room, and ask again.") from None


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Let standard output and error take everything meanwhile, whoever writes to them."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", _Listener(out, must=True)), cast("TextIO", _Listener(err, must=False))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def see_streams() -> None:
    """See that no file that is opened later takes the place of a standard stream that was closed."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)


def console(*, err: bool = False) -> Console:
    """Return what draws on standard output, or on standard error."""
    return Console(stderr=err, markup=False, emoji=False, highlight=False)


def tell(text: str) -> None:
    """Say `text` to the person at the terminal."""
    _line(sys.stderr, text)


def say(text: str) -> None:
    """Write `text` as a result."""
    _line(sys.stdout, text)


def _line(stream: TextIO, text: str) -> None:
    stream.write(_seen(text) + "\n")
    stream.flush()


def _seen(text: str) -> str:
    return visible(text).replace("\r", "\\r")  # it would write over the beginning of the line


def counted(number: int, noun: str) -> str:
    """Return so many of a thing in words.

    >>> counted(1, "run"), counted(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def put(result: Mapping[str, Any]) -> None:
    """Write `result` as one JSON object on a line; what JSON has no word for (infinity, NaN) is null."""
    _line(sys.stdout, json.dumps(_finite(result), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and (value != value or value in {float("inf"), -float("inf")}) else value  # noqa: PLR0124  NaN


def shown(*parts: str | tuple[str, str]) -> Text:
    """Return a text for `console`: each part as it is, or with a style; what cannot be seen is an escape."""
    return Text.assemble(*(_seen(part) if isinstance(part, str) else (_seen(part[0]), part[1]) for part in parts))


def show(*lines: RenderableType) -> None:
    """Draw lines and tables as a result."""
    draws = console()
    for line in lines:
        draws.print(shown(line) if isinstance(line, str) else line)


def facts(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Return a table of two columns: what it is, and how much."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(shown(name), shown(value) if isinstance(value, str) else value)
    return table
