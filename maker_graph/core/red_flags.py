"""Samples and red flags: the signs of confusion for which a sample is discarded, never repaired.

A red flag is a name and a predicate over a sample: any plain function `(Sample) -> bool`, counted under its `__name__`.
Only `ended` is counted under several names, one for each way in which a reply can end (`ended_error`, `ended_abort`). These are
the ends that are known (`core/ends.py`). Any other end is counted as `ended_unknown`, so that no server can make up names.

Three more flags are raised where the replies of a vote are read (`core/judging.py`): *malformed* if the parser refuses the
reply, *invalid* if the answer breaks a rule of the task, *copy* if the model did not make the reply anew (`core/copies.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON
from maker_graph.core.checks import failed, function, truth, whole
from maker_graph.core.ends import OTHER_ENDS, TOLD_APART
from maker_graph.errors import UsageError

UNKNOWN = "unknown"
"""The word under which an end is counted that is not known here."""

_RESERVED = frozenset({"malformed", "invalid", "copy"})


class ToolCall(TypedDict):
    """A call of a tool in a reply, as plain JSON.

    Attributes:
        name: the name of the tool.
        args: the arguments; their text if it could not be read; None if they are not plain JSON.
        id: the provider's id of the call; empty if it gave none.
        error: why `args` could not be read; empty if they could.
    """

    name: str
    args: JSON
    id: str
    error: str


class Reasoned(TypedDict):
    """The first call of a sample that consists of two calls (`core/emitting.py`).

    Attributes:
        text: the reply to the first call.
        id: a digest of the provider's id of the reply, as in a sample.
        input: tokens of the prompt, cached ones included.
        cached: tokens of the prompt that the provider had in its cache.
        output: tokens of the reply.
    """

    text: str
    id: str
    input: int
    cached: int
    output: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply of a model, as the red flags see it. To try a red flag by hand, `index` and `text` are enough.

    >>> empty(Sample(0, "yes")), truncated(Sample(0, "The ans", finish="length"))
    (False, True)

    Attributes:
        index: the place of the sample in its microstep, in the order of launch, from 0.
        text: the reply.
        finish: how the reply ended: "stop" (by itself, and whole), "length" (cut short), "refused", "tool_calls", or another
            bad end, such as "error", "abort" or "timeout"; "unknown" if the provider's word for it is not known.
        end: the provider's own word for the end; empty if it gave none.
        input_tokens: tokens of the prompt, cached ones included.
        cached_tokens: tokens of the prompt that the provider had in its cache.
        output_tokens: tokens of the reply, hidden reasoning included.
        estimated: True if the provider sent no usable counts. Then one token is counted for every four bytes.
        garbled: True if the reply held control characters or lone surrogates. In `text` these are visible escapes.
        seconds: how long the reply took, from its request.
        beside: what the reply holds besides text, in a word: "reasoning", "image"; empty if nothing.
        tool_calls: the tools that the reply calls, also those whose arguments could not be read.
        id: a digest of the provider's id of the reply; empty if it gave none, or one so short that it repeats.
        from_cache: whether a cache says that it answered in the model's place.
        lost: requests for this sample that brought no reply, for a reason that may depend on what the reply would have said,
            such as a time-out or a body cut short. The request was made again, and only this reply counts.
        fallback: whether the reply is from a model that stands in for the one that was asked first.
        call: which of two calls the reply is from: "second", or "first" if the first was flagged and there was no second; empty
            for a sample of one call. `seconds`, `lost`, `estimated` and `fallback` are about both calls together.
        reasoned: the first of two calls, with its text, id and tokens; None if there was only one.
    """

    index: int
    text: str
    finish: str = "stop"
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    garbled: bool = False
    seconds: float = 0.0
    end: str = ""
    beside: str = ""
    tool_calls: Sequence[ToolCall] = ()
    id: str = ""
    from_cache: bool = False
    lost: int = 0
    fallback: bool = False
    call: Literal["", "first", "second"] = ""
    reasoned: Reasoned | None = None


RedFlag: TypeAlias = Callable[[Sample], bool]
"""A function that takes a `Sample` and returns True if the sample is to be discarded, else False.

Discarded samples are counted under the name of the function. For example, `def hedged(sample): return "maybe" in sample.text`
discards replies with the word "maybe", and counts them as `hedged`.
"""


def truncated(sample: Sample) -> bool:
    """Say whether the provider cut the reply short."""
    return sample.finish == "length"


def too_long(limit: int | None, form: int | None = None) -> RedFlag:
    """Return the red flag for replies of more than `limit` output tokens.

    The provider's own count is used. If it sends none, one token is counted for every four bytes.

    >>> flag = too_long(750)
    >>> flag(Sample(0, "...", output_tokens=750)), flag(Sample(0, "...", output_tokens=751))
    (False, True)

    Args:
        limit: the most tokens of a reply, at least 1; the paper takes 750 (arXiv 2511.09030, section 4.4). None is no limit, if
            `form` is given.
        form: the most tokens of the second call of a sample of two calls (`Emit`), if that differs from `limit`.

    Raises:
        UsageError: a limit is not a whole number of at least 1, or neither is given.
    """
    limits: list[Any] = [each for each in (limit, form) if each is not None]
    for each in limits or [limit]:
        whole("The limit of too_long, in tokens,", each)

    def too_long(sample: Sample) -> bool:
        most = form if sample.call == "second" and form is not None else limit
        return most is not None and sample.output_tokens > most

    return too_long


def refused(sample: Sample) -> bool:
    """Say whether the model or the provider's filter refused to answer."""
    return sample.finish == "refused"


def tool_calls(sample: Sample) -> bool:
    """Say whether the reply calls a tool, with or without a text. A vote on the text alone would lose the call."""
    return bool(sample.tool_calls) or sample.finish == "tool_calls"


def ended(sample: Sample) -> bool:
    """Say whether the reply ended in another way that is not known to be good. It is counted as `ended_error`, for example."""
    return sample.finish not in TOLD_APART


def no_text(sample: Sample) -> bool:
    """Say whether the reply has no text, but something else, such as reasoning or tokens that are not shown."""
    return not sample.text.strip() and bool(sample.beside or (not sample.text and sample.output_tokens))


def empty(sample: Sample) -> bool:
    """Say whether the reply holds nothing but white space."""
    return not sample.text.strip()


def estimated_tokens(text: str) -> int:
    """Return an estimate of the tokens of a text, for providers that count none: one per four bytes of UTF-8, rounded up.

    >>> estimated_tokens("move = [1, 0, 2]")
    4
    """
    return -(-len(text.encode(errors="surrogatepass")) // 4)


def named(red_flags: Sequence[RedFlag]) -> dict[str, RedFlag]:
    """Return `red_flags` under the names by which they are counted, in their order.

    Raises:
        UsageError: a flag is not a function of a sample, has no name, or has the name of another flag.
    """
    if isinstance(red_flags, str) or not isinstance(red_flags, Sequence):
        raise UsageError(f"red_flags must be a list of functions, each from a Sample to True or False, not {red_flags!r}.")
    result: dict[str, RedFlag] = {}
    for flag in red_flags:
        given: object = flag
        name = getattr(flag, "__name__", type(flag).__name__)
        if not name.isidentifier():
            raise UsageError(f"A red flag is counted by its name, but {name} is not a name: write the function with def.")
        if given is too_long:
            raise UsageError("too_long needs its limit, in tokens: too_long(750).")
        function(f"The red flag {name}" if callable(given) else "A red flag", given, "sample")
        if name in result or name in _RESERVED:
            raise UsageError(f"The name {name!r} is taken by another red flag: give each a name of its own.")
        result[name] = flag
    return result


def raised(red_flags: Mapping[str, RedFlag], sample: Sample) -> str | None:
    """Return the name under which `sample` is counted for the first of `red_flags` that it raises; None if it raises none.

    Raises:
        UsageError: a flag fails, or returns something other than True or False.
    """
    for name, flag in red_flags.items():
        try:
            said = flag(sample)
        except Exception as error:
            raise failed(f"The red flag {name}, on sample {sample.index},", error) from error
        if said is not False and truth(f"The red flag {name}", said):
            return _counted(sample) if flag is ended else name
    return None


def _counted(sample: Sample) -> str:
    return f"ended_{sample.finish if sample.finish in OTHER_ENDS else UNKNOWN}"


def explained(name: str, sample: Sample) -> str:
    """Return, as a clause, why a red flag that ships was raised and what to do; empty for any other flag.

    >>> explained("ended_abort", Sample(0, "Par", finish="abort", end="abort"))
    "the provider says 'abort', which is not known to be a good end"
    """
    if name.startswith("ended_"):
        return f"{_said(sample)}{', which is not known to be a good end' if sample.end else ''}"
    explanation = _EXPLANATIONS.get(name)
    return "" if explanation is None else explanation(sample)


def _said(sample: Sample) -> str:
    return f"the provider says {sample.end!r}" if sample.end else "the provider does not say how it ended"


def _called(sample: Sample) -> str:
    tool = f"the tool {sample.tool_calls[0]['name']!r}" if sample.tool_calls else "a tool"
    return f"it calls {tool}, but the vote is on text: take the tools off the model, or give red_flags without tool_calls"


def _held(sample: Sample) -> str:
    held = sample.beside or f"{sample.output_tokens:,} tokens that are not shown"
    cap = "emit's max_tokens" if sample.call == "second" else "max_tokens"
    return f"it holds {held} and no text: raise {cap}, or have the model reason less"


_EXPLANATIONS: Mapping[str, Callable[[Sample], str]] = {
    "truncated": lambda sample: _said(sample) if sample.end else "",
    "refused": lambda sample: _said(sample) if sample.end else "",
    "tool_calls": _called,
    "no_text": _held,
    "empty": lambda sample: "it holds white space only" if sample.text else "it holds no text at all",
    "copy": lambda _: "it is the copy of an earlier reply: a cache answers in the model's place, so switch the cache off",
}
