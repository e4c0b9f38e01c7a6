"""What a simulated model must know of a task: the right reply to a prompt, and plausible wrong ones.

A task says it in one of two ways.

`rehearse(state) -> Replies` is a function of a task, of a voted part, or of an items task (`rehearse(item)`). It sees the
state, so nothing has to be read back from the text of a prompt. A task of parts may have it too: it serves the parts without
their own. When a step is asked of a simulated model in this process, the model is told of the prompt and of this function
(`models/rehearsing.py`), and calls it when it replies. `maker-graph check-task` calls it too. A real model is told nothing, and
no vote sees it.

`rehearsal` is an attribute of a task: an object with `replies(prompt)`, which sees what a model sees. It is what a model behind
HTTP (`maker-graph simulate`) can be given, for there is no state. Where a task has both, `rehearse` is asked.

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
        error: how hard this step is: the probability that a valid sample of it is wrong, in place of the profile's `error`. All
            else is as in the profile: `rho` scatters it, `flagged` and `favourite` hold. A profile whose own error is 0, as
            `sim:perfect`, finds no step hard, and stays without an error. None: as the profile says.
    """

    right: str
    wrong: Sequence[str]
    error: float | None = None


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
