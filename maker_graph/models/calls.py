"""Requests to models: what one was, who is told of it, and how they are made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import TypedDict

from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.core.voting import Auto

if TYPE_CHECKING:
    from maker_graph.models.copies import Copies
    from maker_graph.models.gate import Gate


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model, for whoever keeps accounts or a record.

    Attributes:
        prompt: the messages, as (role, content).
        model: the name that the model goes by.
        temperature: what was asked for; None if the model chooses.
        sample: the reply.
        name: what it is for: "sample", "form" (the second call of a sample that is two), "draft" or "probe".
    """

    prompt: list[tuple[str, Any]]
    model: str
    temperature: float | None
    sample: Sample
    name: str = "sample"

    @property
    def usage(self) -> Usage:
        """The tokens that it took."""
        sample = self.sample
        return Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)


class Meter(Protocol):
    """Keeps accounts: is told of every request before it is made, and what became of it.

    Each `reserve` that returns is followed by exactly one `settle` or `abandon`, whatever happens in between.
    """

    def reserve(self, most: Usage, /) -> None:
        """Set aside what a request can use at most; may raise `LimitReached`, and then the request is not made."""
        ...

    def settle(self, most: Usage, call: Call, /) -> None:
        """Put what a sample used in the place of what was set aside."""
        ...

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Release what was set aside for a request that failed; `billed`: the provider may bill it all the same."""
        ...


class Calls(TypedDict, total=False):
    """How requests are made: what all samplers of an app or a run may share. A key that is left out is None.

    Attributes:
        meter: told of every request: a `Budget`, for example. None keeps no account.
        gate: what all requests go through; None makes a new one. Samplers of one provider should share one.
        copies: counts the copies among the replies, and says so; None makes a new one, which tells the log.
        patience: the seconds for which a request that fails is tried again, however often, since it or the outage began. The
            seconds that a 429 asks for do not count, but a provider that asks to wait longer than this at once is not waited
            for. None tries six times, and waits for ten minutes at once.
        timeout: the seconds after which a request is given up; None leaves it to the model. "auto" begins with two minutes and
            is several times what replies took so far, of all that share the gate. The plain, blocking call knows it for
            ChatOpenAI only, and there it limits the wait for the first byte and for all the others.
        afresh: how often the step at hand was given up before. With a seed, a step that is tried again draws other samples, or
            it would be given up for the same ones. None is never.
        batch: whether the samples of a round are asked for in one request (`n`) where that is known to work: of ChatOpenAI, and
            so of the servers that speak its API. The prompt is billed once then. Others are asked once for each sample, and so
            are several models and variants of a question. In the accounts each sample is a call. A seed is refused beside it.
            None is no.
    """

    meter: Meter | None
    gate: "Gate | None"
    copies: "Copies | None"
    patience: float | None
    timeout: float | Auto | None
    afresh: Callable[[], int] | None
    batch: bool | None
