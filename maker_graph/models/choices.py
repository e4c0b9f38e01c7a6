"""Several samples from one request, if a provider takes `n`: the prompt is billed once.

Each choice is a sample, and is judged like any other. The first one has the tokens of the prompt, the others have none.
Providers do not say how many tokens each choice has, but only how many all have together. These are divided by the lengths of
the texts, so that a long reply counts as long.

If a server returns fewer choices than were asked for, or does not know `n`, it is asked for the others one by one.
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
"""The most samples of one request, because a server may hold back all of them until the longest is written."""


def batched(indices: Iterable[int], *, several: bool, first_apart: bool) -> list[tuple[int, ...]]:
    """Return the numbers of a round's samples, divided into requests: each tuple is one request.

    >>> batched(range(5), several=True, first_apart=True)
    [(0,), (1, 2, 3, 4)]
    >>> batched(range(3), several=False, first_apart=True)
    [(0,), (1,), (2,)]

    Args:
        indices: the numbers of the samples.
        several: whether one request may be for several samples.
        first_apart: whether the first sample of a vote is asked in another way than the others.
    """
    left = list(indices)
    first = [(left.pop(0),)] if left and left[0] == 0 and first_apart else []
    size = MOST if several else 1
    return first + [tuple(left[at : at + size]) for at in range(0, len(left), size)]


def replies_of(model: BaseChatModel, request: Request) -> Sequence[Any]:
    """Return the replies to a request; fewer may come than it asks for."""
    if "n" not in request.kwargs:
        return [model.invoke(request.messages, request.config, **request.kwargs)]
    return _choices(model.generate([[*request.messages]], **_told(request)))


async def areplies_of(model: BaseChatModel, request: Request) -> Sequence[Any]:
    """Return the replies to a request; see `replies_of`."""
    if "n" not in request.kwargs:
        return [await model.ainvoke(request.messages, request.config, **request.kwargs)]
    return _choices(await model.agenerate([[*request.messages]], **_told(request)))


def shared(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of one request, which come with the tokens of all of them together, each with its share.

    >>> [each.output_tokens for each in shared([Sample(0, "a" * 30, output_tokens=10), Sample(1, "b" * 70, output_tokens=10)])]
    [3, 7]
    """
    if len(samples) < 2:
        return list(samples)
    first, *others = samples
    alone = [first, *(replace(each, input_tokens=0, cached_tokens=0) for each in others)]
    if any(each.estimated for each in samples):  # then the tokens of each were estimated from its own text
        return alone
    weights = [estimated_tokens(each.text) or 1 for each in samples]
    written, done, shares = first.output_tokens, 0, []
    for weight in weights:
        before = written * done // sum(weights)
        done += weight
        shares.append(written * done // sum(weights) - before)
    return [replace(each, output_tokens=share) for each, share in zip(alone, shares, strict=True)]


def _told(request: Request) -> dict[str, Any]:
    """Return the settings of a request in the form in which `invoke` passes them on."""
    config = ensure_config(request.config)
    about = {"callbacks": config.get("callbacks"), "tags": config.get("tags"), "metadata": config.get("metadata")}
    return {**about, "run_name": config.get("run_name"), **request.kwargs}


def _choices(result: LLMResult) -> Sequence[Any]:
    """Return the messages in a result; one empty message if there are no choices."""
    found = [getattr(each, "message", each) for each in result.generations[0]]
    return found or [AIMessage("")]
