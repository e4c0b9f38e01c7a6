"""Requests to models: the record of a request, the meter that counts requests, and the settings for making them."""

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
    """One request to a model, for accounts and records.

    Attributes:
        prompt: the messages, as (role, content).
        model: the name of the model.
        temperature: the temperature that was asked for; None if the model chooses.
        sample: the reply.
        name: the purpose: "sample", "form" (the second call of a sample of two calls), "draft" or "probe".
    """

    prompt: list[tuple[str, Any]]
    model: str
    temperature: float | None
    sample: Sample
    name: str = "sample"

    @property
    def usage(self) -> Usage:
        """The tokens that the request took."""
        sample = self.sample
        return Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)


class Meter(Protocol):
    """Counts requests: it is told of every request before it is made, and of how it ended.

    Each `reserve` that returns is followed by exactly one `settle` or `abandon`, also if something fails in between.
    """

    def reserve(self, most: Usage, /) -> None:
        """Set aside what a request can use at most. If it raises `LimitReached`, the request is not made."""
        ...

    def settle(self, most: Usage, call: Call, /) -> None:
        """Replace what was set aside by what a sample used."""
        ...

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Release what was set aside for a request that failed; `billed` says whether the provider may bill it all the same."""
        ...


class Calls(TypedDict, total=False):
    """How requests are made: settings that all samplers of an app or a run may share. A key that is left out is None.

    Attributes:
        meter: is told of every request, such as a `Budget`. None keeps no account.
        gate: the gate that all requests go through; None makes a new one. Samplers of one provider should share one.
        copies: counts the copies among the replies, and reports them; None makes a new one, which writes to the log.
        patience: the seconds for which a failed request is tried again, counted from its first failure or from the begin of
            the outage. The seconds that a 429 asks for do not count. But if a provider asks for a longer wait than this at
            once, the request fails. None means six attempts, and at most ten minutes for one wait.
        timeout: the seconds after which a request is given up; None leaves it to the model. "auto" begins with two minutes,
            and then is several times the latency of the replies so far, of all samplers that share the gate. Blocking calls
            have a time-out with ChatOpenAI only; there it limits the wait for the first byte, and the wait for all the others.
        afresh: returns how often the current step was given up before. With a seed, a step that is tried again must draw other
            samples, or it would be given up again for the same ones. None means never.
        batch: whether the samples of a round are asked for in one request (`n`), if that is known to work. It works with
            ChatOpenAI, and so with servers that have its API. The prompt is billed once then. Other models, several models, and
            variants of a question are asked once for each sample. In the accounts each sample is a call. It cannot be combined
            with a seed. None means False.
    """

    meter: Meter | None
    gate: "Gate | None"
    copies: "Copies | None"
    patience: float | None
    timeout: float | Auto | None
    afresh: Callable[[], int] | None
    batch: bool | None
