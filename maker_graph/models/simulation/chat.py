"""Replies to a few questions, so that a microstep in a graph can be tried without an API key."""

from collections.abc import Mapping, Sequence

from maker_graph.models.simulation.rehearsal import Messages, Replies


class Answers:
    """Knows the right reply and wrong ones to prompts whose last message contains one of a few texts."""

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        """Take `answers`: a part of a question -> the right reply, followed by at least one wrong one."""
        self._answers = {part: Replies(right, wrong) for part, (right, *wrong) in answers.items()}

    def replies(self, prompt: Messages, /) -> Replies | None:
        """Return the replies to `prompt`, or None if no part of it is known."""
        asked = prompt[-1][1] if prompt else ""
        return next((replies for part, replies in self._answers.items() if part in asked), None)
