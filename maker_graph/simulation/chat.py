"""Replies to any chat at all, so that a served or embedded microstep can be tried without a key."""

from maker_graph.simulation.rehearsal import Messages, Replies


class ChatRehearsal:
    """Says that it is simulated, and now and then something else."""

    def replies(self, prompt: Messages, /) -> Replies:
        """Return the replies to `prompt`, whatever it is."""
        asked = prompt[-1][1] if prompt else ""
        return Replies(
            f"I am a simulated model and know no answer to this: {asked}",
            ["I am sure that the answer is 42.", "Ask me tomorrow."],
        )
