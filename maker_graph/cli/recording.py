"""Every prompt and reply of a run, in a file of JSON lines."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from maker_graph.errors import UsageError

if TYPE_CHECKING:
    from maker_graph.models.calls import Call


@contextmanager
def recording(path: Path | None) -> Iterator[IO[str] | None]:
    """Open `path` to append to it, for its owner alone; None if there is no path.

    Raises:
        UsageError: it cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        path.touch(mode=0o600)  # prompts and replies are for the owner's eyes, as the run is
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        yield file
    finally:
        with suppress(OSError):  # a line that found no room ended the run already
            file.close()


def record_to(file: IO[str], step: Callable[[], int], *, in_order: bool = True) -> "Callable[[Call], None]":
    """Return what writes every prompt and reply to `file`, one JSON object a line.

    `step` tells the last decided step. `in_order`: all samples are of the step that follows it; else nobody can say of which
    step one is.
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
