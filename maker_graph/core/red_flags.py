"""Samples and red flags: the signs of confusion for which a sample is discarded, never repaired.

A red flag is a name and a predicate over a sample: any plain function `(Sample) -> bool`, counted under its `__name__`.
Two more flags need the task and are raised where the reply is read (`core/decision.py`): *malformed*, the parser refuses
the reply, and *invalid*, the answer breaks a rule of the domain.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from maker_graph.core.checks import failed, function, truth, whole
from maker_graph.errors import UsageError

Finish: TypeAlias = Literal["stop", "length", "refused"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply of a model, as the red flags see it.

    Attributes:
        index: the place of the sample in its microstep, in the order of launch, from 0.
        text: the reply.
        finish: how the provider says it ended: by itself, cut short, or refused.
        input_tokens: tokens of the prompt, cached ones included.
        cached_tokens: those of them that the provider had in its cache.
        output_tokens: tokens of the reply, hidden reasoning included.
        estimated: True if the provider sent no counts, or nonsense, and these are `estimated_tokens` of the texts.
        garbled: True if the reply held control characters or lone surrogates; `text` has them as escapes that can be seen.
        seconds: how long the reply took, from its request.
        lost: requests for this sample that brought no reply, for a reason that may depend on what the reply would have said:
            a time-out, a body cut short. The request was made again, and only this reply counts.
    """

    index: int
    text: str
    finish: Finish = "stop"
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    garbled: bool = False
    seconds: float = 0.0
    lost: int = 0


RedFlag: TypeAlias = Callable[[Sample], bool]


def truncated(sample: Sample) -> bool:
    """Say whether the provider cut the reply short."""
    return sample.finish == "length"


def too_long(limit: int) -> RedFlag:
    """Return the flag for replies of more than `limit` output tokens (750 in the paper, section 4.4).

    Tokens are counted as the provider counts them, or by `estimated_tokens` where it does not.

    >>> flag = too_long(750)
    >>> flag.__name__, flag(Sample(0, "...", output_tokens=751))
    ('too_long', True)
    """
    whole("The limit of too_long, in tokens,", limit)

    def too_long(sample: Sample) -> bool:
        return sample.output_tokens > limit

    return too_long


def refused(sample: Sample) -> bool:
    """Say whether the model or the provider's filter refused to answer."""
    return sample.finish == "refused"


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
        if name in result or name in {"malformed", "invalid"}:
            raise UsageError(f"The name {name!r} is taken by another red flag: give each a name of its own.")
        result[name] = flag
    return result


def raised(red_flags: Mapping[str, RedFlag], sample: Sample) -> str | None:
    """Return the name of the first of `red_flags` that `sample` raises.

    Raises:
        UsageError: a flag fails, or says something else than True or False.
    """
    for name, flag in red_flags.items():
        try:
            said = flag(sample)
        except Exception as error:
            raise failed(f"The red flag {name}, on sample {sample.index},", error) from error
        if said is not False and truth(f"The red flag {name}", said):
            return name
    return None
