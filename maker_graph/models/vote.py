"""A voted decision without a graph: `vote` and `avote` draw replies from any function.

    from maker_graph import vote
    decision = vote(lambda i: client.responses.create(model="...", input="17 * 23 = ? Digits only.").output_text, k=3)
    decision["answer"]

The rule, the red flags, the rounds and the decision are those of the microstep (`core/decision.py`). The same promise holds, if
each call of the function asks the same question in the same way.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeAlias

from langchain_core.messages import AIMessage
from langchain_core.runnables.config import ContextThreadPoolExecutor

from maker_graph.core import checks
from maker_graph.core.answers import reader_of, see_key
from maker_graph.core.characters import without_controls
from maker_graph.core.decision import Decision
from maker_graph.core.decision import undecided as error_of
from maker_graph.core.judging import Reader
from maker_graph.core.red_flags import RedFlag, Sample
from maker_graph.core.rules import StoppingRule
from maker_graph.core.verifying import Verification
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, K, Voting
from maker_graph.errors import UsageError
from maker_graph.models.copies import Copies
from maker_graph.models.counting import VoteCount
from maker_graph.models.replies import sample_of

Reply: TypeAlias = str | AIMessage | Sample
"""What a draw returns: the text of a reply, a message of a model, or a Sample, which says how it ended and what it cost."""

MOST_THREADS = 32
"""The most replies that `vote` draws at once."""


def vote(
    draw: Callable[[int], Reply],
    *,
    k: int | StoppingRule = K,
    answer: Any = None,
    key: Callable[[Any], Any] | None = None,
    check: Callable[[Any], bool] | None = None,
    verify: Callable[[Any], Verification] | None = None,
    red_flags: Sequence[RedFlag] | None = None,
    max_tokens: int | None = None,
    max_samples: int = MAX_SAMPLES,
    stuck_after: int = STUCK_AFTER,
    on_undecided: Literal["raise", "return"] = "raise",
) -> Decision:
    """Return the decision of a vote on replies from `draw`; the replies of a round are drawn in parallel, in threads.

    >>> vote(lambda i: "42", k=2)["answer"]
    '42'

    Args:
        draw: takes the number of a sample, from 0, and returns a reply: its text, an AIMessage, or a `Sample`. Each call must
            ask the same question. A text alone does not say that it was cut short, so a message or a Sample is safer. An error
            that it raises ends the vote.
        k: the lead that decides, or a stopping rule.
        answer: a type, or a function from the text of a reply to the answer; as in `create_microstep`.
        key: returns what is voted on in an answer.
        check: returns True for an answer, or False if it breaks a rule of the domain. It may raise `Invalid`.
        verify: returns `Valid` or `Unknown` for an answer, or raises `Invalid`. The first answer that is `Valid` and conclusive
            decides alone. A vote with a verifier begins with one sample.
        red_flags: the red flags for which a reply is discarded; as in `create_microstep`.
        max_tokens: replies with more tokens get a red flag; None sets no limit. It does not cap replies, which `draw` must do.
        max_samples: a vote that needs more samples than this is undecided.
        stuck_after: a vote that ends with so many red flags in a row is undecided too.
        on_undecided: "raise" raises `Undecided`; "return" returns the decision, which says why it is undecided.

    Raises:
        Undecided: no candidate won.
        UsageError: a setting is wrong, or `draw` returns something other than a reply.
    """
    voting = Voting(k=k, max_tokens=max_tokens, max_samples=max_samples, stuck_after=stuck_after, red_flags=red_flags)
    taken = _Vote(draw, voting, _reader(voting, answer, key, check, verify), on_undecided, awaited=False)
    with ContextThreadPoolExecutor(min(MOST_THREADS, taken.count.more), thread_name_prefix="maker-graph-vote") as pool:
        while taken.count.more:
            taken.count.take(taken.samples(list(pool.map(partial(_called, draw), taken.count.next))))
    return taken.decision()


async def avote(
    draw: Callable[[int], Awaitable[Reply]],
    *,
    k: int | StoppingRule = K,
    answer: Any = None,
    key: Callable[[Any], Any] | None = None,
    check: Callable[[Any], bool] | None = None,
    verify: Callable[[Any], Verification] | None = None,
    red_flags: Sequence[RedFlag] | None = None,
    max_tokens: int | None = None,
    max_samples: int = MAX_SAMPLES,
    stuck_after: int = STUCK_AFTER,
    on_undecided: Literal["raise", "return"] = "raise",
) -> Decision:
    """Return the decision of a vote on replies from `draw`, which are awaited; everything else is as in `vote`."""
    voting = Voting(k=k, max_tokens=max_tokens, max_samples=max_samples, stuck_after=stuck_after, red_flags=red_flags)
    taken = _Vote(draw, voting, _reader(voting, answer, key, check, verify), on_undecided, awaited=True)
    while taken.count.more:
        drawing = [asyncio.ensure_future(_awaited(draw, i)) for i in taken.count.next]
        try:
            await taken.count.atake(taken.samples(await asyncio.gather(*drawing)))
        finally:
            for each in drawing:
                each.cancel()
            await asyncio.gather(*drawing, return_exceptions=True)
    return taken.decision()


def _reader(
    voting: Voting,
    answer: Any,
    key: Callable[[Any], Any] | None,
    check: Callable[[Any], bool] | None,
    verify: Callable[[Any], Verification] | None,
) -> Reader:
    if key is not None:
        see_key(key)
    if check is not None:
        checks.function("check", check, "answer")
    if verify is not None:
        checks.function("verify", verify, "answer")
    read = reader_of(answer)
    return Reader(read.parse, key, check, voting.flags, read.instances, verify=verify)


async def _awaited(draw: Callable[[int], Awaitable[Reply]], index: int) -> Reply:
    drawing: Any = _called(draw, index)
    if not inspect.isawaitable(drawing):
        raise UsageError(f"avote awaits what draw returns, but for sample {index} it returned no awaitable: call vote.")
    try:
        reply: Reply = await drawing
    except StopAsyncIteration as error:
        raise _no_more(index) from error
    return reply


def _called(draw: Callable[[int], Any], index: int) -> Any:
    try:
        return draw(index)
    except StopIteration as error:
        raise _no_more(index) from error


def _no_more(index: int) -> UsageError:
    return UsageError(
        f"draw has no reply for sample {index}: it raised StopIteration. Make it return a reply for every sample."
    )


class _Vote:
    """A vote on the replies of a function.

    Attributes:
        count: the count of its samples.
    """

    def __init__(self, draw: object, voting: Voting, reader: Reader, on_undecided: str, *, awaited: bool) -> None:
        checks.function("draw", draw, "sample", awaited=True)
        if checks.awaits(draw) and not awaited:
            raise UsageError("draw is a coroutine function, but vote does not await it: call avote.")
        checks.one_of("on_undecided", on_undecided, ("raise", "return"))
        self._raises = on_undecided == "raise"
        self.count = VoteCount(voting, reader, partial(Copies().look, drawn=lambda _: True))

    def samples(self, replies: Sequence[Any]) -> list[Sample]:
        """Return the replies of a round as samples, in the order of their numbers."""
        _see_awaited(replies)
        return [_sample(reply, index) for reply, index in zip(replies, self.count.next, strict=True)]

    def decision(self) -> Decision:
        """Return how the vote ended."""
        result = self.count.decision()
        if result["status"] == "undecided" and self._raises:
            raise error_of(result)
        return result


def _see_awaited(replies: Sequence[Any]) -> None:
    """Make sure that no reply is a coroutine.

    Raises:
        UsageError: one is.
    """
    coroutines = [reply for reply in replies if inspect.iscoroutine(reply)]
    for each in coroutines:
        each.close()
    if coroutines:
        raise UsageError("draw returned a coroutine, but vote does not await it: call avote.")


def _sample(reply: Any, index: int) -> Sample:
    """Return what a draw returned as a sample.

    Raises:
        UsageError: it is not a reply.
    """
    if isinstance(reply, Sample):
        text = without_controls(reply.text)
        return replace(reply, index=index, text=text, garbled=reply.garbled or text != reply.text)
    if isinstance(reply, str):
        return sample_of(AIMessage(reply), index, [])
    if isinstance(reply, AIMessage):
        return sample_of(reply, index, [])
    hint = " (its text is in .choices[0].message.content)" if hasattr(reply, "choices") else ""
    raise UsageError(
        "draw must return the text of a reply, an AIMessage or a Sample, but for sample "
        f"{index} it returned {type(reply).__name__}{hint}."
    )
