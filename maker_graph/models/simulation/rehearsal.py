"""What a simulated model must know of a task: the right reply to a prompt, and plausible wrong ones.

A task can say this in two ways.

`rehearse(state) -> Replies` is a function of a task, of a voted part, or of an items task (`rehearse(item)`). It gets the
state, so it need not read anything from the text of a prompt. A task of parts may have it for the parts without their own. When
a simulated model in this process is asked, it is told of the prompt and of this function (`models/rehearsing.py`), and calls
the function when it replies. `maker-graph check-task` calls it too. Real models and votes never see it. A part that acts on the
world may have it as well. There it returns the result that the action would have, and only `check-task` calls it, which
performs no actions.

`rehearsal` is an attribute of a task: an object with `replies(prompt)`, which gets what a model sees. A model behind HTTP
(`maker-graph simulate`) can only be given this, because there is no state. If a task has both, `rehearse` is used.

The code of a run does not import this module, because a run knows a task by its contract only (`task.py`).
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
        wrong: wrong replies, at least one. The first is the most frequent one, and should keep the rules of the task.
        error: the probability that a valid sample of this step is wrong, in place of the profile's `error`. The profile's `rho`
            still scatters it, and `flagged` and `favourite` hold. A profile with an error of 0, such as `sim:perfect`, still
            makes no errors. None leaves it to the profile.
    """

    right: str
    wrong: Sequence[str]
    error: float | None = None


def replies_of(said: object) -> Replies:
    """Return what a task rehearsed as `Replies`; it may be a list or a tuple of the same values.

    >>> replies_of(("yes", ["no"]))
    Replies(right='yes', wrong=['no'], error=None)

    Raises:
        UsageError: it is anything else.
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
    """A rehearsal that can also list the next answers of its task."""

    def draft(self, prompt: Messages, slips: Callable[[], bool], /) -> Iterable[str] | None:
        """Return the lines of a draft, wrong whenever `slips()` is true; None if `prompt` asks for no draft.

        It may be a generator without end, because the simulator takes only as many lines as a reply may hold.
        """
        ...
