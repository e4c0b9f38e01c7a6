"""Samples and red flags: the signs of confusion for which a sample is discarded, never repaired.

A red flag is a name and a predicate over a sample: any plain function `(Sample) -> bool`, counted under its `__name__`.
One is counted under several names: `ended`, by how the reply ended (`ended_error`, `ended_abort`). They are as many as the ends
that are known (`core/ends.py`); any other is `ended_unknown`, so that no server can make up names.

Three more flags are raised where the replies of a vote are read (`core/judging.py`): *malformed*, the parser refuses the
reply; *invalid*, the answer breaks a rule of the domain; *copy*, the reply was given before (`core/copies.py`).
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
"""What is counted for an end that nobody here has heard of."""

_RESERVED = frozenset({"malformed", "invalid", "copy"})


class ToolCall(TypedDict):
    """A call of a tool in a reply, as plain JSON.

    Attributes:
        name: of the tool.
        args: what it is called with; the text of it if that could not be read, None if it is no plain JSON.
        id: by which the provider knows the call; empty if it gave none.
        error: why `args` could not be read; empty if they could.
    """

    name: str
    args: JSON
    id: str
    error: str


class Reasoned(TypedDict):
    """The first call of a sample that is two (`core/emitting.py`).

    Attributes:
        text: what it said.
        id: a digest of the id of its reply, as of a sample.
        input: tokens of its prompt, cached ones included.
        cached: those of them that the provider had in its cache.
        output: tokens of its reply.
    """

    text: str
    id: str
    input: int
    cached: int
    output: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply of a model, as the red flags see it.

    Attributes:
        index: the place of the sample in its microstep, in the order of launch, from 0.
        text: the reply.
        finish: how it ended: "stop" (by itself, and whole), "length" (cut short), "refused", "tool_calls", or another word of
            `core/ends.py`; "unknown" is none that is known.
        end: the provider's own word for it; empty if it gave none.
        input_tokens: tokens of the prompt, cached ones included.
        cached_tokens: those of them that the provider had in its cache.
        output_tokens: tokens of the reply, hidden reasoning included.
        estimated: True if the provider sent no counts, or nonsense, and these are `estimated_tokens` of the texts.
        garbled: True if the reply held control characters or lone surrogates; `text` has them as escapes that can be seen.
        seconds: how long the reply took, from its request.
        beside: what it holds beside text, in a word: "reasoning", "image"; empty if nothing.
        tool_calls: the tools that it calls, those included whose arguments could not be read.
        id: a digest of the id by which the provider knows the reply; empty if it gave none, or one so short that it repeats.
        from_cache: whether a cache says that it answered in the model's place.
        lost: requests for this sample that brought no reply, for a reason that may depend on what the reply would have said:
            a time-out, a body cut short. The request was made again, and only this reply counts.
        fallback: whether a model replied that stands in for the one that was asked first.
        call: of a sample that is two calls, which one all this is of: "second", or "first" if that was flagged and there
            was no second one; empty of any other sample. `seconds`, `lost`, `estimated` and `fallback` are of both.
        reasoned: the first of two calls; None if there was none, or it is the sample itself.
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


def truncated(sample: Sample) -> bool:
    """Say whether the provider cut the reply short."""
    return sample.finish == "length"


def too_long(limit: int | None, form: int | None = None) -> RedFlag:
    """Return the flag for replies of more than `limit` output tokens (750 in the paper, section 4.4).

    Of a sample that is two calls, `form` is the limit of the second one, if it has its own; then `limit` may be None, no limit.

    Tokens are counted as the provider counts them, or by `estimated_tokens` where it does not.

    >>> flag = too_long(750)
    >>> flag.__name__, flag(Sample(0, "...", output_tokens=751))
    ('too_long', True)
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
    """Say whether the reply calls a tool, beside its text or in its place: a vote on its text would lose the call."""
    return bool(sample.tool_calls) or sample.finish == "tool_calls"


def ended(sample: Sample) -> bool:
    """Say whether the reply ended in any other way that is not known to be good; it is counted by how, as `ended_error`."""
    return sample.finish not in TOLD_APART


def no_text(sample: Sample) -> bool:
    """Say whether the reply holds something else in place of text: reasoning, for example, or tokens that are not shown."""
    return not sample.text.strip() and bool(sample.beside or (not sample.text and sample.output_tokens))


def empty(sample: Sample) -> bool:
    """Say whether the reply holds nothing but white space."""
    return not sample.text.strip()


def estimated_tokens(text: str) -> int:
    """Return the estimate used where a provider counts no tokens: one per four bytes of UTF-8, rounded up.

    >>> estimated_tokens("move = [1, 0, 2]")
    4
    """
    return -(-len(text.encode(errors="surrogatepass")) // 4)


def named(red_flags: Sequence[RedFlag]) -> dict[str, RedFlag]:
    """Return `red_flags` under the names by which they are counted, in their order.

    Raises:
        UsageError: a flag is no function of a sample, has no name of its own, or two share one.
    """
    if isinstance(red_flags, str) or not isinstance(red_flags, Sequence):
        raise UsageError(f"red_flags is a list of functions, each from a Sample to True or False, not {red_flags!r}.")
    result: dict[str, RedFlag] = {}
    for flag in red_flags:
        given: object = flag
        name = getattr(flag, "__name__", type(flag).__name__)
        if not name.isidentifier():
            raise UsageError(f"A red flag is counted by its name, and {name} is none: write it with def.")
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
        UsageError: a flag fails, or says something else than True or False.
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
    """Return what is behind a red flag that ships, as a clause of a sentence, with what to do; empty for any other.

    >>> explained("ended_abort", Sample(0, "Par", finish="abort", end="abort"))
    "the provider says 'abort', which is not known as a good end"
    """
    if name.startswith("ended_"):
        return f"{_said(sample)}{', which is not known as a good end' if sample.end else ''}"
    explanation = _EXPLANATIONS.get(name)
    return "" if explanation is None else explanation(sample)


def _said(sample: Sample) -> str:
    return f"the provider says {sample.end!r}" if sample.end else "the provider does not say how it ended"


def _called(sample: Sample) -> str:
    tool = f"the tool {sample.tool_calls[0]['name']!r}" if sample.tool_calls else "a tool"
    return f"it calls {tool}, and the vote is on text: take the tools off the model, or give red_flags without tool_calls"


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
    "copy": lambda _: "it is the copy of an earlier reply: a cache answers in the model's place, so switch it off",
}
