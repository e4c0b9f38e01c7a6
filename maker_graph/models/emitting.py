"""A sampler whose samples are two calls each: one reasons freely, the other writes the answer in its form (`core/emitting.py`).

Each of the two calls has its own `Sampler`, so retries, limits, the account, seeds and time-outs work as for any request. The
sample has the text of the second call, and the tokens of both.

If the first reply has a red flag, it is the whole sample. The second call is not made, because it would cost money and change
nothing. If a second call fails, the cost of the first one is booked, and the sample is drawn anew with its step, like any that
fails.

The second call sees the first reply between two lines that do not occur in the reply, so no reply can pretend to end early. The
reply is in the user's turn, because a model must not be told that it said what another model said.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import Runnable

from maker_graph.core.canonical import MAX_CHARACTERS
from maker_graph.core.emitting import Emit, fenced
from maker_graph.core.red_flags import Reasoned, RedFlag, Sample, raised
from maker_graph.core.schema import Schema
from maker_graph.core.task import Prompt
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.models.agents import AgentModel
from maker_graph.models.calls import Calls
from maker_graph.models.copies import Copies
from maker_graph.models.prompts import as_messages
from maker_graph.models.requests import sample_seed
from maker_graph.models.resolving import resolve_models
from maker_graph.models.sampler import Sampler
from maker_graph.models.wrapped import chain_of


class EmittingSampler:
    """Draws samples of two calls; see the top of the file. It is used like a `Sampler`.

    Attributes:
        copies: counts the copies among the samples that `look` is given.
    """

    def __init__(self, first: Sampler, seconds: Sequence[Sampler], emit: Emit, red_flags: Mapping[str, RedFlag]) -> None:
        """Make a sampler.

        Args:
            first: makes the calls that reason.
            seconds: make the second calls: one sampler for each model of `first`, or one for all.
            emit: the prompts of both calls.
            red_flags: name -> red flag for which a first reply is discarded.
        """
        self._first = first
        self._seconds = seconds
        self._emit = emit
        self._red_flags = red_flags
        self.copies: Copies = first.copies

    def draw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; see `Sampler.draw`.

        Raises:
            ProviderFailure: the provider refuses one of the calls, or fails again and again.
        """
        return self.draw_all(prompt, (index,), **metadata)[0]

    def draw_all(self, prompt: Prompt, indices: Sequence[int], **metadata: Any) -> list[Sample]:
        """Return samples of `prompt`. Their first calls are made together. There is a second call for each sample."""
        asked = self._asked(prompt)
        return [
            self._whole(each, None if to is None else to[0].draw(to[1], each.index, **metadata))
            for each in self._first.draw_all(asked, indices, **metadata)
            for to in [self._second(prompt, asked, each)]
        ]

    async def adraw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; see `draw`."""
        return (await self.adraw_all(prompt, (index,), **metadata))[0]

    async def adraw_all(self, prompt: Prompt, indices: Sequence[int], **metadata: Any) -> list[Sample]:
        """Return samples of `prompt`; see `draw_all`."""
        asked = self._asked(prompt)
        firsts = await self._first.adraw_all(asked, indices, **metadata)

        async def whole(first: Sample) -> Sample:
            to = self._second(prompt, asked, first)
            return self._whole(first, None if to is None else await to[0].adraw(to[1], first.index, **metadata))

        found = await asyncio.gather(*map(whole, firsts), return_exceptions=True)
        failures = [each for each in found if isinstance(each, BaseException)]
        if failures:
            raise failures[0]
        return [each for each in found if isinstance(each, Sample)]

    def batched(self, indices: Iterable[int]) -> list[tuple[int, ...]]:
        """Return the numbers of a round's samples, divided into requests of first calls; see `Sampler.batched`."""
        return self._first.batched(indices)

    def look(self, samples: Sequence[Sample], earlier: Sequence[Sample] = ()) -> bool:
        """Look for copies among `samples`; see `Sampler.look`."""
        return self._first.look(samples, earlier)

    async def aclose(self) -> None:
        """Close the connections that were made for the running event loop."""
        for sampler in (self._first, *self._seconds):
            await sampler.aclose()

    def _asked(self, prompt: Prompt) -> Prompt:
        """Return the messages of the first call."""
        messages = as_messages(prompt)
        asked = with_text(messages, self._emit.reason)
        for model in self._first.simulated:
            model.reason(asked, messages)
        return asked

    def _second(self, prompt: Prompt, asked: Prompt, first: Sample) -> tuple[Sampler, Prompt] | None:
        """Return the sampler that writes the answer of `first`, and its messages; None if the sample is discarded already."""
        if first.garbled or len(first.text) > MAX_CHARACTERS or raised(self._red_flags, first) is not None:
            return None
        sampler = self._seconds[self._first.model_of(asked, first.index) if len(self._seconds) > 1 else 0]
        sent = with_text(as_messages(prompt), f"{fenced(first.text)}\n\n{self._emit.prompt}")
        return sampler, sent

    def _whole(self, first: Sample, second: Sample | None) -> Sample:
        """Return the sample made from two calls."""
        if second is None:
            return replace(first, call="first")
        reasoned = Reasoned(
            text=first.text, id=first.id, input=first.input_tokens, cached=first.cached_tokens, output=first.output_tokens
        )
        return replace(
            second,
            call="second",
            reasoned=reasoned,
            estimated=first.estimated or second.estimated,
            seconds=first.seconds + second.seconds,
            from_cache=first.from_cache or second.from_cache,
            lost=first.lost + second.lost,
            fallback=first.fallback or second.fallback,
        )


AnySampler: TypeAlias = Sampler | EmittingSampler
"""A sampler for the samples of a vote."""


def sampler_for(
    models: Sequence[Runnable[Any, Any]],
    voting: Voting,
    *,
    schema: Schema | None = None,
    calls: Calls | None = None,
    salt: str = "",
) -> AnySampler:
    """Return the sampler for a vote, whose samples are one call each, or two with `voting.emit`.

    The stop sequences and the schema concern the form of an answer, so they go to the call that writes it.

    Raises:
        UsageError: a setting is wrong; the error says which one, and what to do.
    """
    emit = voting.emit
    first = Sampler(
        models,
        temperature=voting.temperatures,
        max_tokens=voting.output_cap,
        seed=voting.seed,
        stop=voting.stop if emit is None else emit.stop,
        schema=schema if emit is None else None,
        calls=calls,
        salt=salt,
    )
    if emit is None:
        return first
    writers = [[each] for each in models] if emit.model is None else [resolve_models(emit.model, seed=voting.seed)]
    if any(isinstance(link.model, AgentModel) for each in (*models, *writers[0]) for link in chain_of(each).links):
        raise UsageError("An agent reasons and writes its answer by itself: leave emit out.")
    own: Any = (emit.calls or {}) if emit.model is not None else {}
    of_second = Calls(**{**(calls or {}), **own, "batch": False, "copies": first.copies})
    seconds = [
        Sampler(
            each,
            temperature=emit.temperature,
            max_tokens=emit.max_tokens,
            seed=None if voting.seed is None else sample_seed(voting.seed, "form", 0),
            stop=voting.stop,
            schema=schema,
            calls=of_second,
            name="form",
            salt=salt,
        )
        for each in writers
    ]
    return EmittingSampler(first, seconds, emit, voting.flags)


def with_text(messages: Sequence[BaseMessage], text: str) -> list[BaseMessage]:
    r"""Return messages with `text` added to the user's last turn, because not all models take two user turns in a row.

    >>> with_text([HumanMessage("1 + 1?")], "Think.")[0].content
    '1 + 1?\n\nThink.'
    """
    *before, last = messages
    if not isinstance(last, HumanMessage):
        return [*messages, HumanMessage(text)]
    content: Any = (
        f"{last.content}\n\n{text}" if isinstance(last.content, str) else [*last.content, {"type": "text", "text": text}]
    )
    return [*before, last.model_copy(update={"content": content})]
