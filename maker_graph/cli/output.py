"""All output of the command line: what is told to a person on standard error, and the result on standard output.

Names, ballots, replies and errors come from outside, and nobody knows what the terminal can do. So this module sees to it that

- markup is shown and not obeyed, and a character that nobody can see, or that the terminal cannot show, becomes an escape;
- a closed stream, or a pipe that nobody reads, is not an error. It changes neither what happens nor the exit code;
- a result that finds no room on a full disk is an error.
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
    """A stream that takes any text, and writes it to the standard stream that it replaces.

    Characters that the stream cannot encode are written as escapes. Once nobody reads the stream, nothing is written any more.
    With `must`, a full disk is an error.
    """

    def __init__(self, stream: TextIO | None, *, must: bool) -> None:
        self._stream = stream
        self._must = must

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`.

        Raises:
            LimitReached: `text` must be written, and there is no room on the disk.
        """
        if self._stream is not None:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            with _heard(self._stream, must=self._must):
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Write what is left in the buffer; it raises like `write`."""
        if self._stream is not None:
            with _heard(self._stream, must=self._must):
                self._stream.flush()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()


@contextmanager
def _heard(stream: TextIO, *, must: bool) -> Iterator[None]:
    """Let the block write to `stream`. If that fails, all that is still unwritten is dropped, also when the process ends."""
    try:
        yield
    except (OSError, ValueError) as error:  # a stream that was closed is a ValueError
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        if must and isinstance(error, OSError) and error.errno not in {errno.EPIPE, errno.EBADF}:
            raise LimitReached(
                f"The result cannot be written ({error.strerror}): make room, and give the command again."
            ) from None


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """Let standard output and standard error take any text during the block, whoever writes to them."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", _Listener(out, must=True)), cast("TextIO", _Listener(err, must=False))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def see_streams() -> None:
    """Fill the places of closed standard streams, so that no file that is opened later gets the number of one."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)


def console(*, err: bool = False) -> Console:
    """Return a console that draws on standard output, or on standard error."""
    return Console(stderr=err, markup=False, emoji=False, highlight=False)


def tell(text: str) -> None:
    """Tell `text` to the person at the terminal, on standard error."""
    _line(sys.stderr, text)


def say(text: str) -> None:
    """Write `text` as a result, on standard output."""
    _line(sys.stdout, text)


def _line(stream: TextIO, text: str) -> None:
    stream.write(_seen(text) + "\n")
    stream.flush()


def _seen(text: str) -> str:
    return visible(text).replace("\r", "\\r")  # it would write over the beginning of the line


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural if it is not 1.

    >>> counted(1, "run"), counted(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def put(result: Mapping[str, Any]) -> None:
    """Write `result` as one JSON object on a line. Infinity and NaN, which JSON does not have, become null."""
    _line(sys.stdout, json.dumps(_finite(result), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and (value != value or value in {float("inf"), -float("inf")}) else value  # noqa: PLR0124  NaN


def shown(*parts: str | tuple[str, str]) -> Text:
    """Return a text for `console`. Each part is a text, or a text and its style. What cannot be seen becomes an escape."""
    return Text.assemble(*(_seen(part) if isinstance(part, str) else (_seen(part[0]), part[1]) for part in parts))


def show(*lines: RenderableType) -> None:
    """Draw lines and tables as a result."""
    draws = console()
    for line in lines:
        draws.print(shown(line) if isinstance(line, str) else line)


def facts(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Return a table of two columns, the name and the value of each fact."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(shown(name), shown(value) if isinstance(value, str) else value)
    return table
