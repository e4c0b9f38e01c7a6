"""Drafts: predictions of the next states, made by the task itself or from the answers that a model lists."""

from itertools import islice
from typing import Any

from maker_graph.core.canonical import JSON, plain
from maker_graph.core.guarding import Guarded, draftable
from maker_graph.core.task import Predicts, Prompt
from maker_graph.errors import LimitReached, MakerError, ProviderFailure
from maker_graph.models.sampler import Sampler

TOKENS_PER_ANSWER = 32
"""The most output tokens that a drafted answer may take; a drafted move of Hanoi takes about 15."""

SHORTEST_DRAFT = 8
"""The fewest states in a draft: each call has a fixed cost, so a shorter draft is not worth it."""

LONGEST_DRAFT = 64
"""The most states in a draft: every model accepts the output cap that this needs."""


class Drafter:
    """Predicts the states that follow one, with the task's own function or from the answers that a model lists."""

    def __init__(self, task: Guarded, sampler: Sampler | None) -> None:
        """Draft for `task`, with `sampler` unless the task predicts by itself.

        Raises:
            UsageError: the task can do neither.
        """
        draftable(task)
        self._task: Any = task
        self._sampler = None if isinstance(task, Predicts) else sampler

    def draft(self, state: JSON, n: int) -> list[JSON]:
        """Return at most `n` states that follow `state`; none if the draft is of no use."""
        if self._sampler is None:
            return self._predicted(state, n)
        if (prompt := self._prompt(state, n)) is None:
            return []
        try:
            sample = self._sampler.draw(prompt, 0)
        except MakerError as error:
            return _none_if_passing(error)
        return self._listed(state, sample.text, n)

    async def adraft(self, state: JSON, n: int) -> list[JSON]:
        """Return at most `n` states that follow `state`; see `draft`."""
        if self._sampler is None:
            return self._predicted(state, n)
        if (prompt := self._prompt(state, n)) is None:
            return []
        try:
            sample = await self._sampler.adraw(prompt, 0)
        except MakerError as error:
            return _none_if_passing(error)
        return self._listed(state, sample.text, n)

    def _predicted(self, state: JSON, n: int) -> list[JSON]:
        try:
            return [plain(each, own=True) for each in islice(self._task.draft(state, n), n)]
        except Exception:  # noqa: BLE001  a draft may fail, as it may be wrong: neither stops the run
            return []

    def _prompt(self, state: JSON, n: int) -> Prompt | None:
        try:
            prompt: Prompt = self._task.draft_prompt(state, n)
        except Exception:  # noqa: BLE001  as above
            return None
        return prompt

    def _listed(self, state: JSON, text: str, n: int) -> list[JSON]:
        states: list[JSON] = []
        try:
            for answer in islice(self._task.parse_draft(text), n):
                state = plain(self._task.apply(state, answer), own=True)
                states.append(state)
        except Exception:  # noqa: BLE001  a model wrote it: what was read so far is as good as any draft
            return states
        return states


def _none_if_passing(error: MakerError) -> list[JSON]:
    """Return no draft after an error that stops no vote; if it was a limit, the votes reach it too and report it."""
    if isinstance(error, LimitReached) or (isinstance(error, ProviderFailure) and error.scope == "step"):
        return []
    raise error
