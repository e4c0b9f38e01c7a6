"""The only place that calls a chat model.

A sampler is one fixed procedure that turns a prompt and a sample index into a sample. It fixes which model is asked (if there
are several, one is drawn by index), at which temperature (the first sample may have its own), and with which output cap and
seed. All samples of a ballot come from one sampler.

The differences between providers, and those within LangChain, are handled in these modules and nowhere else:
- `configured.py`: the copy of a model that is called, with its temperature and its output cap;
- `openai.py`: what OpenAI's models and LangChain's client for them need, and `transfer.py`, the HTTP beneath;
- `replies.py`: how any reply becomes a sample;
- `faults.py`: why a request failed;
- `gate.py`: the gate before all requests of all callers, and `retrying.py`: when a failed request is made again.
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
    """One request: its replies, once they have come, and the samples made from them."""

    replies: Sequence[Any]
    samples: list[Sample]


_Clients: TypeAlias = list[list[BaseChatModel]]
"""For each turn, the models that are asked one after the other until one replies."""


class Sampler:
    """Draws samples, the first at its own temperature. If there are several models, each sample asks one, drawn by its number.

    The draw is a hash of the prompt and the number of the sample. So the samples of a step are independent draws from one
    mixture, as the law of the votes requires. If models took turns, the first sample would always be from the first model, and
    the law would not hold.

    Attributes:
        copies: counts the copies among the samples that `look` is given.
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
            models: chat models, or other runnables that `wrapped.py` takes. Each sample asks one of them.
            temperature: the temperature of all samples, or a pair: that of the first sample and that of the others. None
                leaves it to the models.
            max_tokens: the output cap of a sample; None leaves it to the models.
            seed: the number from which each sample's own seed is made. None sends no seeds, and a request that takes none gets
                none.
            stop: texts before the first of which a reply ends; the models, or their providers, see to that.
            schema: the schema of the JSON in a reply; None leaves replies free. The providers make the models keep to it.
            calls: how requests are made; see `Calls`.
            name: the name of a reply in traces.
            salt: samplers with different salts draw different models for the same sample. Each rung has its own salt, because
                it votes from zero.

        Raises:
            UsageError: there is no model, a temperature is negative, a cap is below 1, a model does not take `stop` or
                `schema`, a time is not above 0, or a key in `calls` is unknown.
        """
        if not models:
            raise UsageError("At least one model is needed.")
        first, others = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        for value in (first, others):
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                raise UsageError(f"A temperature must be a number of at least 0, or a tuple of two, not {value!r}.")
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
        self._gates = [gate, *(Gate() for _ in range(max(len(chain.links) for chain in chains) - 1))]  # one for each provider
        self._for_threads: _Clients | None = None
        self._per_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._requests = Requests(name, seed, calls.get("afresh") or (lambda: 0))
        self._models = len(chains)
        self._batch = checks.switch("calls batch", calls.get("batch") or False)
        if self._batch and seed is not None:
            raise UsageError(
                "With batch the samples of a round are one request, so they cannot have their own seeds: leave seed out. For a "
                "simulated model or tiny, which always have a seed, leave batch out."
            )
        self._salt = salt

    def draw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; `metadata` goes into its trace.

        Raises:
            ProviderFailure: the provider refuses the request, or fails again and again.
        """
        return self.draw_all(prompt, (index,), **metadata)[0]

    def draw_all(self, prompt: Prompt, indices: Sequence[int], **metadata: Any) -> list[Sample]:
        """Return samples of `prompt` that are asked for together; `batched` says which may be. See `draw`."""
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
        except Failed as failure:  # the loop below decides whether to try again; most requests never need it
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
                        async with asyncio.timeout(self._limit()):  # a client times single reads only, so a trickle never ends
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
        """Return the numbers of a round's samples, divided into tuples, each for one call of `draw_all`."""
        several = self._batch and self._models == 1 and self._links[0][0].several
        return batched(indices, several=several, first_apart=not self._one_temperature)

    async def aclose(self) -> None:
        """Close the connections that were made for the running event loop; those of a user's own clients stay open."""
        for models in self._per_loop.pop(asyncio.get_running_loop(), []):
            for model in models:
                await close_async_client(model)

    def of_one_model(self, prompt: Prompt, number: int) -> list[int]:
        """Return the numbers of `number` samples of `prompt`, not the first one, that ask the same model."""
        asked = self._turn(prompt, 1)
        return [*islice((index for index in count(1) if self._turn(prompt, index) == asked), number)]

    def model_of(self, prompt: Prompt, index: int) -> int:
        """Return which of the models is asked for sample `index`, counted from 0."""
        return self._turn(prompt, index) % self._models

    @cached_property
    def simulated(self) -> "list[SimulatedChatModel]":
        """The simulated models among the models."""
        chats = [setting.model for links in self._links[: self._models] for setting in links]
        if not any(type(chat).__module__.startswith("maker_graph.models.simulation") for chat in chats):
            return []  # a real run does not need the simulation
        from maker_graph.models.simulation.model import SimulatedChatModel  # noqa: PLC0415  only if one is asked

        return [chat for chat in chats if isinstance(chat, SimulatedChatModel)]

    def draws(self, index: int) -> bool:
        """Say whether sample `index` is drawn at a temperature that is not known to be 0, from a model that does not ship."""
        settings = [links[0] for links in (self._links[self._models :] if index else self._links[: self._models])]
        return all(setting.temperature != 0 and not setting.ships for setting in settings)

    def look(self, samples: Sequence[Sample], earlier: Sequence[Sample] = ()) -> bool:
        """Look for copies among `samples` of one step; `earlier` are those of the step that were looked at before.

        Return whether different replies of the provider are known to have different ids.
        """
        return self.copies.look(samples, earlier, drawn=self.draws)

    def _turn(self, prompt: Prompt, index: int) -> int:
        """Return the place, among the settings, of the model for sample `index`; the first half is for the first sample."""
        model = 0 if self._models == 1 else drawn(f"{self._salt}{self._requests.text(prompt)}", index, self._models)
        return model + (self._models if index else 0)

    def _blocking(self) -> _Clients:
        """Return the models with their own clients for blocking calls."""
        with self._lock:
            if self._for_threads is None:
                self._for_threads = self._with_clients(blocking=True)
        return self._for_threads

    def _on_this_loop(self) -> _Clients:
        """Return the models with their own clients for the running event loop, because an async client dies with its loop."""
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
        """Account for one request before it is made and after it has ended in any way; the gate and the meter learn how."""
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
                    raise NoReply(f"what came back is not a message of a model, but of type {type(reply).__name__}")  # noqa: TRY301
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
    """Return samples, marked as those of a stand-in model if other models had failed before."""
    lost = sum(map(_lost_by, failures))
    return [replace(sample, fallback=True, lost=lost) for sample in samples] if failures else samples


def _handles(kinds: tuple[type[BaseException], ...], failure: Failed) -> bool:
    """Say whether a fallback handles this failure. A fallback for the client's time-out also handles our own time-out."""
    cut = failure.fault.timed_out and any(told_by_name(kind) for kind in kinds)
    return cut or isinstance(failure.error, kinds)


def _worst(failures: Sequence[Failed]) -> Failed:
    """Return the failure to report: one that may go away, if there is one, because then another try is worthwhile."""
    return next((each for each in failures if each.fault.kind in {"slow_down", "transient"}), failures[0])


def _lost_by(failure: Failed) -> int:
    """Return 1 if the request may have failed because of what the reply would have said, else 0."""
    return int(failure.fault.depends_on_answer)


def _limit_of(timeout: float | Auto | None, gate: Gate) -> Limit:
    """Return a function that gives the seconds for the next request: None leaves it to the model, "auto" asks the gate."""
    if timeout == "auto":
        return gate.timeout
    seconds = _seconds("timeout", timeout)
    return lambda: seconds


def _seconds(what: str, seconds: float | None) -> float | None:
    if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
        raise UsageError(f"{what} must be a number of seconds above 0, not {seconds!r}.")
    return seconds
