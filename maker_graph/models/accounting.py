"""Tells the meter of a sampler of each request: before it is made, and how it ended.

A request may be for several samples (`choices.py`). The meter counts each of them as a call. The first one has the tokens of
the prompt.
"""

from collections.abc import Sequence

from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.models.agents import tokens_of
from maker_graph.models.calls import Call, Meter
from maker_graph.models.prompts import prompt_tokens
from maker_graph.models.requests import Request


class Accounting:
    """Tells a meter, if there is one, of the requests of one sampler."""

    def __init__(self, meter: Meter | None, max_tokens: int | None, name: str) -> None:
        """Tell `meter` of requests that are called `name` and whose replies are capped at `max_tokens`."""
        self._meter = meter
        self._max_tokens = max_tokens
        self._name = name

    def reserve(self, request: Request) -> list[Usage]:
        """Set aside what each sample of a request can use at most, and return it; if the meter raises, nothing is set aside."""
        read, written = prompt_tokens(request.forms.plain), self._max_tokens or 0
        mosts = [Usage(input=0 if place else read, cached=0, output=written) for place in range(len(request.samples))]
        if self._meter is None:
            return mosts
        reserved: list[Usage] = []
        try:
            for most in mosts:
                self._meter.reserve(most)
                reserved.append(most)
        except BaseException:
            self._abandon(reserved, billed=False)
            raise
        return mosts

    def settle(self, request: Request, mosts: Sequence[Usage], samples: Sequence[Sample]) -> None:
        """Replace what was set aside by what the samples used. Fewer may have come than were asked for."""
        if self._meter is None:
            return
        for place, (most, sample) in enumerate(zip(mosts, samples, strict=False), start=1):
            try:
                self._meter.settle(most, self._call(request, sample))
            except BaseException:  # for example, there is no room for a record
                self._abandon(mosts[place:], billed=True)
                raise
        self._abandon(mosts[len(samples) :], billed=False)

    def lost(self, request: Request, mosts: Sequence[Usage], error: BaseException, *, billed: bool) -> None:
        """Release what was set aside for a request that brought no reply. What an agent's models used until then is counted."""
        if self._meter is None:
            return
        if (used := tokens_of(error)) is None:
            self._abandon(mosts, billed=billed)
            return
        lost = Sample(request.samples[0], "", input_tokens=used["input_tokens"], output_tokens=used["output_tokens"])
        self.settle(request, mosts, [lost])

    def _abandon(self, mosts: Sequence[Usage], *, billed: bool) -> None:
        if self._meter is not None:
            for most in mosts:
                self._meter.abandon(most, billed=billed)

    def _call(self, request: Request, sample: Sample) -> Call:
        return Call(request.forms.plain, request.setting.name, request.setting.temperature, sample, self._name)
