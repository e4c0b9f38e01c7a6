"""Several samples from one request, where a provider takes `n`: the prompt is billed once.

Each choice is a sample of its own, and is judged like any other. The first one has the tokens of the prompt, the others none.
How many tokens each of them wrote is told by no provider, only how many all did: these are shared out by the lengths of the
texts, so that a long reply is seen to be long.

Nothing is promised that a server does not do. One that brings fewer choices than were asked for, or knows nothing of `n`, is
asked for the others one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables.config import ensure_config

from maker_graph.core.red_flags import Sample, estimated_tokens
from maker_graph.models.requests import Request

MOST = 16
"""Samples of one request at most: a server may hold back all of them until the longest is written."""


def batched(indices: Iterable[int], *, several: bool, first_apart: bool) -> list[tuple[int, ...]]:
    """Return the numbers of a round's samples as they are asked for: each tuple is one request.

    >>> batched(range(5), several=True, first_apart=True)
    [(0,), (1, 2, 3, 4)]
    >>> batched(range(3), several=False, first_apart=True)
    [(0,), (1,), (2,)]

    Args:
        indices: of the samples.
        several: whether one request may be for several.
        first_apart: whether the first sample of a vote is asked otherwise than the others.
    """
    left = list(indices)
    first = [(left.pop(0),)] if left and left[0] == 0 and first_apart else []
    size = MOST if several else 1
    return first + [tuple(left[at : at + size]) for at in range(0, len(left), size)]


def replies_of(model: BaseChatModel, request: Request) -> Sequence[Any]:
    """Return the replies to a request: as many as came, of as many samples as it is for."""
    if "n" not in request.kwargs:
        return [model.invoke(request.messages, request.config, **request.kwargs)]
    return _choices(model.generate([[*request.messages]], **_told(request)))


async def areplies_of(model: BaseChatModel, request: Request) -> Sequence[Any]:
    """Return the replies to a request; see `replies_of`."""
    if "n" not in request.kwargs:
        return [await model.ainvoke(request.messages, request.config, **request.kwargs)]
    return _choices(await model.agenerate([[*request.messages]], **_told(request)))


def shared(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of one request, each of which has the tokens of all of them, with a share each.

    >>> [each.output_tokens for each in shared([Sample(0, "a" * 30, output_tokens=10), Sample(1, "b" * 70, output_tokens=10)])]
    [3, 7]
    """
    if len(samples) < 2:
        return list(samples)
    first, *others = samples
    alone = [first, *(replace(each, input_tokens=0, cached_tokens=0) for each in others)]
    if any(each.estimated for each in samples):  # then each was estimated by itself
        return alone
    weights = [estimated_tokens(each.text) or 1 for each in samples]
    written, done, shares = first.output_tokens, 0, []
    for weight in weights:
        before = written * done // sum(weights)
        done += weight
        shares.append(written * done // sum(weights) - before)
    return [replace(each, output_tokens=share) for each, share in zip(alone, shares, strict=True)]


def _told(request: Request) -> dict[str, Any]:
    """Return how a request is made, as `invoke` tells it."""
    config = ensure_config(request.config)
    about = {"callbacks": config.get("callbacks"), "tags": config.get("tags"), "metadata": config.get("metadata")}
    return {**about, "run_name": config.get("run_name"), **request.kwargs}


def _choices(result: LLMResult) -> Sequence[Any]:
    """Return the messages in a result; one that is empty, if there is no choice."""
    found = [getattr(each, "message", each) for each in result.generations[0]]
    return found or [AIMessage("")]
