"""`--record`: every prompt and reply of a run, in a file of JSON Lines."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from maker_graph.errors import UsageError
from maker_graph.files import PRIVATE, destination

if TYPE_CHECKING:
    from maker_graph.models.calls import Call


@contextmanager
def recording(path: Path | None) -> Iterator[IO[str] | None]:
    """Open the file at `path` to append to it; yield None if there is no path. Only its owner can read a new file.

    Raises:
        UsageError: the file cannot be written, or holds something else than a record.
    """
    if path is None:
        yield None
        return
    try:
        file = _opened(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        yield file
    finally:
        with suppress(OSError):  # if a line finds no room, that has ended the run already
            file.close()


def _opened(path: Path) -> IO[str]:
    """Open a record to append to it. The file is new, empty, or begins like a record."""
    target = destination(path)
    target.touch(mode=PRIVATE)  # prompts and replies are for the owner's eyes, as the run is
    with target.open("rb") as there:
        first = there.readline()
        whole = there.seek(0, os.SEEK_END) == 0 or (there.seek(-1, os.SEEK_END), there.read(1))[1] == b"\n"
    if first.strip() and not _is_line(first):
        raise UsageError(f"{path} holds something other than prompts and replies: give another file to --record.")
    file = target.open("a", encoding="utf-8")
    if not whole:
        file.write("\n")  # a run that was killed may have left half a line
    return file


def _is_line(text: bytes) -> bool:
    """Return whether `text` is a line of a record."""
    try:
        line = json.loads(text)
    except ValueError:
        return False
    return isinstance(line, dict) and {"model", "prompt", "reply"} <= set(line)


def record_to(file: IO[str], step: Callable[[], int], *, in_order: bool = True) -> "Callable[[Call], None]":
    """Return a function that writes every prompt and reply to `file`, one JSON object a line.

    Args:
        file: the record.
        step: returns the number of the last decided step.
        in_order: whether all samples are of the step that follows it. If not, nobody knows the step of a sample: it is null.
    """

    def record(call: "Call") -> None:
        sample = call.sample
        line = {
            "step": step() + 1 if in_order else None,
            call.name: sample.index,
            "model": call.model,
            "temperature": call.temperature,
            "prompt": [{"role": role, "content": content} for role, content in call.prompt],
            "reply": sample.text,
            "finish": sample.finish,
            "tokens": {"input": sample.input_tokens, "cached": sample.cached_tokens, "output": sample.output_tokens},
        }
        file.write(json.dumps(line) + "\n")
        file.flush()

    return record
