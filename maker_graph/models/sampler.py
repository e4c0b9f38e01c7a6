"""The one place that calls a chat model.

A sampler is one fixed procedure that turns a prompt and a sample index into a sample: which model (of several, one is drawn by
index), at which temperature (the first sample at one, the others at another), with which output cap and seed. All samples of
a ballot come from one sampler.

What providers and LangChain do differently is settled beside it, and nowhere else:
- `configured.py`: the copy of a model that is called, with its temperature and its output cap;
- `openai.py`: what OpenAI's models and LangChain's client for them need, and `transfer.py`, the HTTP beneath;
- `replies.py`: how a reply becomes a sample, whatever it holds;
- `faults.py`: what a failed request failed for;
- `gate.py`: the gate before all requests of all callers, and `retrying.py`: when a request that failed is made again.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from tenacity import AsyncRetrying, Retrying

from maker_graph.core import checks
from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.core.schema import Schema
from maker_graph.core.task import Prompt
from maker_graph.core.voting import Auto
from maker_graph.errors import UsageError
from maker_graph.models.accounting import Accounting
from maker_graph.models.agents import AgentModel, see_settings
from maker_graph.models.calls import Calls
from maker_graph.models.choices import MOST, areplies_of, batched, replies_of, shared
from maker_graph.models.configured import Configured, configured
from maker_graph.models.copies import Copies
from maker_graph.models.envelopes import NoReply
from maker_graph.models.faults import Failed, Fault, fault_of, raise_failure, said, told_by_name
from maker_graph.models.gate import Gate, Pass
from maker_graph.models.openai import close_async_client, no_choices, with_own_clients
from maker_graph.models.redaction import message_without_keys, without_keys
from maker_graph.models.replies import sample_of
from maker_graph.models.requests import Request, Requests, drawn
from maker_graph.models.retrying import longest_asked, retry_settings
from maker_graph.models.transfer import Limit
from maker_graph.models.wrapped import chain_of

if TYPE_CHECKING:
    from maker_graph.models.simulation.model import SimulatedChatModel


@dataclass(slots=True)
class _Attempt:
    """One request: its replies once there are some, and the samples that were made of them."""

    replies: Sequence[Any]
    samples: list[Sample]


_Clients: TypeAlias = list[list[BaseChatModel]]
"""For each turn, the models that are asked one after the other until one replies."""


class Sampler:
    """Draws samples, the first at its own temperature. Of several models, each sample asks one, drawn by its number.

    The draw is a hash of the prompt and the number of the sample. So the samples of a step are independent draws of one
    mixture, for which the law of the votes holds. Models that took turns would have another law, as the first sample would
    always be that of the first model.

    Attributes:
        copies: told by `look` which samples a step had.
    """

    def __init__(
        self,
        models: Sequence[Runnable[Any, Any]],
        *,
        temperature: float | tuple[float, float] | None,
        max_tokens: int | None,
        seed: int | None,
        stop: Sequence[str] = (),
        schema: Schema | None = None,
        calls: Calls | None = None,
        name: str = "sample",
        salt: str = "",
    ) -> None:
        """Make a sampler.

        Args:
            models: each sample asks one of them: chat models, or what `wrapped.py` takes.
            temperature: of the first sample and of all others, or one for all; None leaves it to the models.
            max_tokens: the output cap of a sample; None leaves it to the models.
            seed: from which each sample's own seed is made; None sends none, and none is sent where a request takes none.
            stop: a reply ends before the first of these texts; the models, or their providers, see to that.
            schema: of the JSON that a reply must be; None leaves replies free. The providers hold the models to it.
            calls: how requests are made; see `Calls`.
            name: what a reply is called in traces.
            salt: of several models, samplers with another one draw otherwise: those of other rungs, which vote from zero.

        Raises:
            UsageError: no model, a negative temperature, a cap below 1, a `stop` or `schema` that a model does not take, no
                time to wait, or an unknown key in `calls`.
        """
        if not models:
            raise UsageError("At least one model is needed.")
        first, others = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        for value in (first, others):
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                raise UsageError(f"A temperature is a number of at least 0, or a tuple of two, not {value!r}.")
        if max_tokens is not None and max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, not {max_tokens!r}.")
        stop = checks.texts("stop", stop)
        calls = calls or {}
        if unknown := sorted(set(calls) - set(Calls.__annotations__)):
            raise UsageError(f"calls has no {unknown[0]!r}: it takes {', '.join(Calls.__annotations__)}.")
        self._account = Accounting(calls.get("meter"), max_tokens, name)
        gate = calls.get("gate") or Gate()
        self.copies = calls.get("copies") or Copies()
        self._patience = _seconds("patience", calls.get("patience"))
        self._limit = _limit_of(calls.get("timeout"), gate)
        chains = [chain_of(model) for model in models]
        if any(isinstance(link.model, AgentModel) for chain in chains for link in chain.links):
            see_settings(temperature=(first, others), max_tokens=max_tokens, seed=seed, stop=stop, structured=schema or ())
        self._links: list[list[Configured]] = [
            [configured(link, each, max_tokens, stop, schema) for link in chain.links]
            for each in (first, others)
            for chain in chains
        ]
        self._one_temperature = first == others
        self._handled = [chain.handled for chain in (*chains, *chains)]
        self._gates = [gate, *(Gate() for _ in range(max(len(chain.links) for chain in chains) - 1))]  # each its own provider
        self._for_threads: _Clients | None = None
        self._per_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._requests = Requests(name, seed, calls.get("afresh") or (lambda: 0))
        self._models = len(chains)
        self._batch = checks.switch("calls batch", calls.get("batch") or False)
        if self._batch and seed is not None:
            raise UsageError(
                "With batch the samples of a round are one request, in which none can have a seed of its own: leave seed out."
            )
        self._salt = salt

    def draw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; `metadata` goes into its trace.

        Raises:
            ProviderFailure: the provider refuses, or fails again and again.
        """
        return self.draw_all(prompt, (index,), **metadata)[0]

    def draw_all(self, prompt: Prompt, indices: Sequence[int], **metadata: Any) -> list[Sample]:
        """Return samples of `prompt` that are asked for together, as `batched` says which may be; see `draw`."""
        turn = self._turn(prompt, indices[0])
        requests = self._requests.of(prompt, indices, self._links[turn], self._gates, metadata)
        models = self._blocking()[turn]

        def once() -> list[Sample]:
            failures: list[Failed] = []
            for request, model in zip(requests, models, strict=True):
                try:
                    with self._attempt(request, request.gate.enter()) as attempt:
                        attempt.replies = replies_of(model, request)
                except Failed as failure:
                    failures.append(failure)
                    if not _handles(self._handled[turn], failure):
                        break
                else:
                    return _stood_in(attempt.samples, failures)
            raise _worst(failures)

        drawn = self._patiently(once, turn)
        return drawn + [self.draw(prompt, index, **metadata) for index in indices[len(drawn) :]]

    def _patiently(self, once: Callable[[], list[Sample]], turn: int) -> list[Sample]:
        try:
            return once()
        except Failed as failure:  # the loop below tells what may pass; most requests never need it
            failed, lost = [failure], _lost_by(failure)

        def again() -> list[Sample]:
            nonlocal lost
            if failed:
                raise failed.pop()
            try:
                return [replace(sample, lost=sample.lost + lost) for sample in once()]
            except Failed as failure:
                lost += _lost_by(failure)
                raise

        tries = Retrying(**retry_settings(self._gates[0], self._patience))
        try:
            return tries(again)
        except Failed as failure:
            self._raise_failure(failure, self._links[turn][0], tries.statistics)

    async def adraw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; see `draw`."""
        return (await self.adraw_all(prompt, (index,), **metadata))[0]

    async def adraw_all(self, prompt: Prompt, indices: Sequence[int], **metadata: Any) -> list[Sample]:
        """Return samples of `prompt` that are asked for together; see `draw_all`."""
        turn = self._turn(prompt, indices[0])
        requests = self._requests.of(prompt, indices, self._links[turn], self._gates, metadata)
        models = self._on_this_loop()[turn]

        async def once() -> list[Sample]:
            failures: list[Failed] = []
            for request, model in zip(requests, models, strict=True):
                try:
                    leave = await request.gate.aenter()
                    with self._attempt(request, leave) as attempt:
                        async with asyncio.timeout(self._limit()):  # a client times single reads, and a trickle would never end
                            attempt.replies = await areplies_of(model, request)
                except Failed as failure:
                    failures.append(failure)
                    if not _handles(self._handled[turn], failure):
                        break
                else:
                    return _stood_in(attempt.samples, failures)
            raise _worst(failures)

        drawn = await self._apatiently(once, turn)
        return drawn + [await self.adraw(prompt, index, **metadata) for index in indices[len(drawn) :]]

    async def _apatiently(self, once: Callable[[], Awaitable[list[Sample]]], turn: int) -> list[Sample]:
        try:
            return await once()
        except Failed as failure:  # as in `_patiently`
            failed, lost = [failure], _lost_by(failure)

        async def again() -> list[Sample]:
            nonlocal lost
            if failed:
                raise failed.pop()
            try:
                return [replace(sample, lost=sample.lost + lost) for sample in await once()]
            except Failed as failure:
                lost += _lost_by(failure)
                raise

        tries = AsyncRetrying(**retry_settings(self._gates[0], self._patience))
        try:
            return await tries(again)
        except Failed as failure:
            self._raise_failure(failure, self._links[turn][0], tries.statistics)

    def batched(self, indices: Iterable[int]) -> list[tuple[int, ...]]:
        """Return the numbers of a round's samples as they are asked for: each tuple is for one call of `draw_all`."""
        several = self._batch and self._models == 1 and self._links[0][0].several
        return batched(indices, several=several, first_apart=not self._one_temperature)

    async def aclose(self) -> None:
        """Close the connections that were made for the running event loop; those of the user's own clients stay open."""
        for models in self._per_loop.pop(asyncio.get_running_loop(), []):
            for model in models:
                await close_async_client(model)

    def of_one_model(self, prompt: Prompt, number: int) -> list[int]:
        """Return so many samples of `prompt`, none of them the first, for which the same model is asked."""
        asked = self._turn(prompt, 1)
        return [*islice((index for index in count(1) if self._turn(prompt, index) == asked), number)]

    def model_of(self, prompt: Prompt, index: int) -> int:
        """Return which of the models is asked for sample `index`, counted from 0."""
        return self._turn(prompt, index) % self._models

    @cached_property
    def simulated(self) -> "list[SimulatedChatModel]":
        """The simulated ones among the models."""
        chats = [setting.model for links in self._links[: self._models] for setting in links]
        if not any(type(chat).__module__.startswith("maker_graph.models.simulation") for chat in chats):
            return []  # a real run knows nothing of the simulation
        from maker_graph.models.simulation.model import SimulatedChatModel  # noqa: PLC0415  only if one is asked

        return [chat for chat in chats if isinstance(chat, SimulatedChatModel)]

    def draws(self, index: int) -> bool:
        """Say whether sample `index` is drawn at a temperature above 0, as far as that is known, from a model elsewhere."""
        settings = [links[0] for links in (self._links[self._models :] if index else self._links[: self._models])]
        return all(setting.temperature != 0 and not setting.ships for setting in settings)

    def look(self, samples: Sequence[Sample], earlier: Sequence[Sample] = ()) -> bool:
        """Look for copies among `samples`, which are of one step, as `earlier` ones that were looked at before.

        Return whether the ids of the provider's replies are known to differ.
        """
        return self.copies.look(samples, earlier, drawn=self.draws)

    def _turn(self, prompt: Prompt, index: int) -> int:
        """Return who is asked for sample `index`: a place among the settings, of which the first are for a first sample."""
        model = 0 if self._models == 1 else drawn(f"{self._salt}{self._requests.text(prompt)}", index, self._models)
        return model + (self._models if index else 0)

    def _blocking(self) -> _Clients:
        """Return the models with clients of their own for blocking calls."""
        with self._lock:
            if self._for_threads is None:
                self._for_threads = self._with_clients(blocking=True)
        return self._for_threads

    def _on_this_loop(self) -> _Clients:
        """Return the models with clients of their own for the running event loop: an async client dies with its loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._per_loop:
            self._per_loop[loop] = self._with_clients(blocking=False)
        return self._per_loop[loop]

    def _with_clients(self, *, blocking: bool) -> _Clients:
        models = iter(
            with_own_clients(
                [link.model for links in self._links for link in links],
                self._limit,
                blocking=blocking,
                choices=MOST if self._batch else 1,
            )
        )
        return [[next(models) for _ in links] for links in self._links]

    @contextmanager
    def _attempt(self, request: Request, leave: Pass) -> Iterator[_Attempt]:
        """Account for one request, before it and after, however it ends; the gate and the meter learn what came of it."""
        plain, setting, gate = request.forms.plain, request.setting, request.gate
        try:
            mosts = self._account.reserve(request)
        except BaseException:
            gate.left(leave)
            raise
        attempt = _Attempt([AIMessage("")], [])
        began = gate.clock()
        try:
            try:
                yield attempt
            except Exception as error:
                if not (setting.openai and no_choices(error)):
                    raise
            seconds, samples = gate.clock() - began, []
            for choice, (reply, index) in enumerate(zip(attempt.replies, request.samples, strict=False)):
                if not isinstance(reply, AIMessage):  # an integration may return anything
                    raise NoReply(f"what came back is no message of a model's but of type {type(reply).__name__}")  # noqa: TRY301
                sample = sample_of(message_without_keys(reply, setting.keys), index, plain, seconds, choice=choice)
                samples.append(replace(sample, text=without_keys(sample.text, setting.keys)))
            attempt.samples = shared(samples)
        except Exception as error:
            fault = fault_of(error, openai=setting.openai, seconds=gate.clock() - began)
            self._lost(error, fault, leave, mosts, request)
            if fault is None:
                raise
            raise Failed(error, fault) from error
        except BaseException as error:
            self._lost(error, None, leave, mosts, request)
            raise
        gate.answered(leave)
        self._account.settle(request, mosts, attempt.samples)

    def _lost(self, error: BaseException, fault: Fault | None, leave: Pass, mosts: Sequence[Usage], request: Request) -> None:
        """Tell the meter and the gate of a request that brought no reply."""
        setting, gate = request.setting, request.gate
        self._account.lost(request, mosts, error, billed=fault is None or fault.billed)
        if fault is None or fault.kind == "unknown":
            gate.left(leave)
        elif not fault.passes(longest_asked(self._patience)):
            gate.refused(leave)
        elif fault.kind == "slow_down":
            gate.slowed(leave, fault.told, f"{setting.name}: {said(error, setting.keys)}")
        else:
            what = f"{setting.name}: {said(error, setting.keys)}"
            gate.failed(leave, fault.told, what, late=fault.timed_out)

    def _raise_failure(self, failure: Failed, setting: Configured, statistics: dict[str, Any]) -> NoReturn:
        attempts = statistics.get("attempt_number", 1)
        raise_failure(failure, setting.name, setting.keys, attempts=attempts, longest=longest_asked(self._patience))


def _stood_in(samples: list[Sample], failures: Sequence[Failed]) -> list[Sample]:
    """Return samples that came after others had failed to bring them: by a model that stands in for them."""
    lost = sum(map(_lost_by, failures))
    return [replace(sample, fallback=True, lost=lost) for sample in samples] if failures else samples


def _handles(kinds: tuple[type[BaseException], ...], failure: Failed) -> bool:
    """Say whether a fallback is for this failure. One for the client's time-out is for what our own limit cut off, too."""
    cut = failure.fault.timed_out and any(told_by_name(kind) for kind in kinds)
    return cut or isinstance(failure.error, kinds)


def _worst(failures: Sequence[Failed]) -> Failed:
    """Return the failure that is told of all: one that may pass, if there is one, for then it is worth another try."""
    return next((each for each in failures if each.fault.kind in {"slow_down", "transient"}), failures[0])


def _lost_by(failure: Failed) -> int:
    """Return 1 if the request may have failed because of what the reply would have said, else 0."""
    return int(failure.fault.depends_on_answer)


def _limit_of(timeout: float | Auto | None, gate: Gate) -> Limit:
    """Return what tells the seconds that the next request may take: None leaves it to the model, "auto" follows the replies."""
    if timeout == "auto":
        return gate.timeout
    seconds = _seconds("timeout", timeout)
    return lambda: seconds


def _seconds(what: str, seconds: float | None) -> float | None:
    if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
        raise UsageError(f"{what} must be a number of seconds above 0, not {seconds!r}.")
    return seconds
