"""Replies to a few questions, so that an embedded microstep can be tried without a key."""

from collections.abc import Mapping, Sequence

from maker_graph.models.simulation.rehearsal import Messages, Replies


class Answers:
    """Knows a few questions: to a prompt whose last message holds a key, the first value is right and the others are wrong."""

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        """Take `answers`: from a part of the question to the right reply and at least one wrong one."""
        self._answers = {part: Replies(right, wrong) for part, (right, *wrong) in answers.items()}

    def replies(self, prompt: Messages, /) -> Replies | None:
        """Return the replies to `prompt`, or None if no part of it is known."""
        asked = prompt[-1][1] if prompt else ""
        return next((replies for part, replies in self._answers.items() if part in asked), None)
