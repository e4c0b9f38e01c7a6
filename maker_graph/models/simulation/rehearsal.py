"""What a simulated model must know of a task: the right reply to a prompt, and plausible wrong ones.

Nothing on the path of a run imports this: a run knows a task by its contract only (`task.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

Messages: TypeAlias = Sequence[tuple[str, str]]
"""A prompt as a model sees it: (role, text) in order."""


class Replies(NamedTuple):
    """What a model may reply to one prompt.

    Attributes:
        right: the right reply.
        wrong: wrong ones, at least one; the first is the favourite, and one that the rules of the task allow.
    """

    right: str
    wrong: Sequence[str]


class Rehearsal(Protocol):
    """Knows the replies to the prompts of one task."""

    def replies(self, prompt: Messages, /) -> Replies | None:
        """Return the replies to `prompt`, or None if it is not one of this task."""
        ...


@runtime_checkable
class DraftRehearsal(Protocol):
    """Knows also how to list the next answers of its task."""

    def draft(self, prompt: Messages, slips: Callable[[], bool], /) -> Iterable[str] | None:
        """Return the lines of a draft, wrong wherever `slips()` says so; None if `prompt` asks for no draft.

        Lines that are made as they are taken need no limit: the simulator takes as many as a reply may hold.
        """
        ...
