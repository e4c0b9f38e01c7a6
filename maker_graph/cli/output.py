"""Everything that the command line prints: messages for people on standard error, the result on standard output.

Names, ballots, replies and errors come from outside, and terminals differ. So all output goes through this module:

- Markup is shown as text. A character that is invisible, or that the terminal cannot show, becomes an escape.
- A closed stream, or a pipe that nobody reads any more, changes neither what happens nor the exit code. A result that does not
  fit on a full disk is an error.
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
    """Stands in for a standard stream, and accepts every text.

    Characters that the stream cannot encode become escapes. Once nobody reads the stream, output is dropped. With
    `must`, a full disk is an error.
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
        """Flush the stream; errors as in `write`."""
        if self._stream is not None:
            with _heard(self._stream, must=self._must):
                self._stream.flush()

    def isatty(self) -> bool:
        """Say whether a person reads it."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()


@contextmanager
def _heard(stream: TextIO, *, must: bool) -> Iterator[None]:
    """Write to `stream`. If that fails, drop what is left to write, also at the end of the process."""
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
    """Within the block, let standard output and standard error accept every text from everybody."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", _Listener(out, must=True)), cast("TextIO", _Listener(err, must=False))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def see_streams() -> None:
    """Make sure that no file which is opened later takes the number of a closed standard stream."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)


def console(*, err: bool = False) -> Console:
    """Return a console that draws on standard output, or on standard error."""
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


def put(result: Mapping[str, Any]) -> None:
    """Write `result` as one JSON object on a line. Infinity and NaN, which JSON lacks, become null."""
    _line(sys.stdout, json.dumps(_finite(result), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and (value != value or value in {float("inf"), -float("inf")}) else value  # noqa: PLR0124  NaN


def shown(*parts: str | tuple[str, str]) -> Text:
    """Return a text for `console`: each part plain, or with its style. Invisible characters become escapes."""
    return Text.assemble(*(_seen(part) if isinstance(part, str) else (_seen(part[0]), part[1]) for part in parts))


def show(*lines: RenderableType) -> None:
    """Draw lines and tables as a result."""
    draws = console()
    for line in lines:
        draws.print(shown(line) if isinstance(line, str) else line)


def facts(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Return a table of two columns, a name and its value."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(shown(name), shown(value) if isinstance(value, str) else value)
    return table
