"""What a simulated model must know of a task: the right reply to a prompt, and plausible wrong ones.

A task says it in one of two ways.

`rehearse(state) -> Replies` is a function of a task, of a voted part, or of an items task (`rehearse(item)`). It sees the
state, so nothing has to be read back from the text of a prompt. A task of parts may have it too: it serves the parts without
their own. When a step is asked of a simulated model in this process, the model is told of the prompt and of this function
(`models/rehearsing.py`), and calls it when it replies. `maker-graph check-task` calls it too. A real model is told nothing, and
no vote sees it. A part that acts on the world may have it as well: there it returns what the action would come to, and only
`check-task` asks, which performs no action.

`rehearsal` is an attribute of a task: an object with `replies(prompt)`, which sees what a model sees. It is what a model behind
HTTP (`maker-graph simulate`) can be given, for there is no state. Where a task has both, `rehearse` is asked.

Nothing on the path of a run imports this: a run knows a task by its contract only (`task.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from maker_graph.errors import UsageError

Messages: TypeAlias = Sequence[tuple[str, str]]
"""A prompt as a model sees it: (role, text) in order."""


class Replies(NamedTuple):
    """What a model may reply to one prompt.

    Attributes:
        right: the right reply.
        wrong: wrong ones, at least one; the first is the favourite, and one that the rules of the task allow.
        error: how hard this step is: the probability that a valid sample of it is wrong, in place of the profile's `error`. All
            else is as in the profile: `rho` scatters it, `flagged` and `favourite` hold. A profile whose own error is 0, as
            `sim:perfect`, finds no step hard, and stays without an error. None: as the profile says.
    """

    right: str
    wrong: Sequence[str]
    error: float | None = None


def replies_of(said: object) -> Replies:
    """Return what a task rehearsed as `Replies`; a list or a tuple of the same will do.

    >>> replies_of(("yes", ["no"]))
    Replies(right='yes', wrong=['no'], error=None)

    Raises:
        UsageError: it is something else.
    """
    if isinstance(said, tuple | list) and len(said) in {2, 3}:
        replies = Replies(*said)
        texts = isinstance(replies.wrong, Sequence) and not isinstance(replies.wrong, str)
        if texts and all(isinstance(text, str) for text in (replies.right, *replies.wrong)):
            _see_probability(replies.error)
            return replies
    raise UsageError(
        "What is rehearsed must be Replies(right, wrong), or Replies(right, wrong, error): a text, a list of texts, and a "
        f"probability (see maker_graph.simulation), not {said!r:.100}."
    )


def _see_probability(error: object) -> None:
    number = isinstance(error, int | float) and not isinstance(error, bool)
    if error is not None and not (number and 0 <= error <= 1):  # type: ignore[operator]  # it is a number
        raise UsageError(f"The error of a rehearsed step must lie between 0 and 1, not {error!r}.")


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
