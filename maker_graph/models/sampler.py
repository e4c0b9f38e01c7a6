"""The one place that calls a chat model.

A sampler is one fixed procedure that turns a prompt and a sample index into a sample: which model (several take turns by
index), at which temperature (the first sample at one, the others at another), with which output cap and seed. All samples of
a ballot come from one sampler.

What providers and LangChain do differently is settled here and nowhere else:
- caches: LangChain's global cache would turn k samples into one; the sampler's copy of a model has `cache=False`;
- streaming: k replies would be streamed into a chat at once; the copy does not stream and is tagged `nostream`;
- temperature and output cap are set as fields of the copy, under the name that the integration has for them;
- models that fix their own temperature (OpenAI's o and gpt-5 series) are sent none;
- ChatOpenAI's async client dies with its event loop: each loop gets one of its own;
- its own retries are switched off, for layers of them multiply;
- how a reply ended is `finish_reason`, `stop_reason`, `done_reason` or `status`, in a dozen spellings;
- the client walks over the types of each message before it sends them: those of ChatOpenAI it sends as they are;
- usage is read once per request; where there is none, tokens are estimated and marked as such;
- what may pass is tried again, in this one loop, behind a gate that all callers share (`provider.py`);
- a reply without any choice raises inside of LangChain; it becomes an empty sample, and `empty` discards it.
"""

import asyncio
import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception
from typing_extensions import TypedDict

from maker_graph.core.canonical import MAX_CHARACTERS, sorted_json
from maker_graph.core.characters import without_controls
from maker_graph.core.decision import Usage
from maker_graph.core.red_flags import Finish, Sample, estimated_tokens
from maker_graph.core.task import Prompt
from maker_graph.errors import ProviderFailure, UsageError
from maker_graph.models.prompts import as_messages, pairs_of
from maker_graph.models.provider import Fault, Gate, Pass, fault_of, keys_of, no_choices, redacted, said

ATTEMPTS = 6
"""A request that fails for a passing reason is made at most so many times, unless a `patience` is set."""

REMEMBERED = 256
"""Prompts of which a sampler remembers the forms, for the other samples of the same step."""

_MOST_TOKENS = 1_000_000_000  # a count beyond is nonsense

_CUT = {"length", "max_tokens", "max_output_tokens", "incomplete", "model_length"}
_REFUSED = {
    "content_filter",
    "refusal",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "guardrail_intervened",
}
_FIXED_TEMPERATURE = re.compile(r"(o[0-9]|gpt-5(?!.*chat))")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a model, for whoever keeps accounts or a record.

    Attributes:
        prompt: the messages, as (role, content).
        model: the name that the model goes by.
        temperature: what was asked for; None if the model chooses.
        sample: the reply.
        name: what it is for: "sample", or "draft".
    """

    prompt: list[tuple[str, Any]]
    model: str
    temperature: float | None
    sample: Sample
    name: str = "sample"


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
    """How requests are made: what all samplers of an app or a run may share. Each key is as in `Sampler`."""

    meter: Meter | None
    gate: Gate | None
    patience: float | None
    timeout: float | None


@dataclass(frozen=True, slots=True)
class _Setting:
    """A model, copied with one temperature and cap."""

    model: BaseChatModel
    name: str
    temperature: float | None
    openai: bool
    keys: Sequence[str]


@dataclass(slots=True)
class _Attempt:
    """One request: its reply once there is one, and the sample that was made of it."""

    reply: AIMessage
    sample: Sample


class _Asked(NamedTuple):
    """A prompt in the forms that are needed of it: the samples of a round are asked the same object."""

    prompt: Prompt
    messages: Sequence[BaseMessage]
    plain: list[tuple[str, Any]]
    text: str


class Sampler:
    """Draws samples: model `i mod n` answers sample i, the first sample at its own temperature."""

    def __init__(
        self,
        models: Sequence[BaseChatModel],
        *,
        temperature: float | tuple[float, float] | None,
        max_tokens: int | None,
        seed: int | None,
        meter: Meter | None = None,
        gate: Gate | None = None,
        patience: float | None = None,
        timeout: float | None = None,
        rpm: float | None = None,
        notice: Callable[[str], None] | None = None,
        name: str = "sample",
    ) -> None:
        """Make a sampler.

        Args:
            models: they take turns by sample index.
            temperature: of the first sample and of all others, or one for all; None leaves it to the models.
            max_tokens: the output cap of a sample; None leaves it to the models.
            seed: from which each sample's own seed is made; None sends none.
            meter: told of every request.
            gate: what all requests go through; a new one if None. Samplers of one provider share one.
            patience: the seconds for which a request that fails is tried again, however often, since it or the outage began,
                not counting those that a 429 asks for; None tries `ATTEMPTS` times.
            timeout: the seconds after which a request is given up; None leaves it to the models. Plain `draw` knows it for
                ChatOpenAI only, and there it limits the wait for the next byte.
            rpm: requests per minute of the new gate.
            notice: told by the new gate in a sentence when an outage begins, and when it is over.
            name: what a reply is called in traces.

        Raises:
            UsageError: no model, a negative temperature, a cap below 1, no time to wait, or `rpm` beside a gate.
        """
        if not models:
            raise UsageError("At least one model is needed.")
        first, others = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        for value in (first, others):
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                raise UsageError(f"A temperature is a number of at least 0, or a tuple of two, not {value!r}.")
        if max_tokens is not None and max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, not {max_tokens!r}.")
        for what, seconds in (("patience", patience), ("timeout", timeout)):
            if seconds is not None and not seconds > 0:
                raise UsageError(f"{what} must be a number of seconds above 0, not {seconds!r}.")
        if gate is not None and (rpm is not None or notice is not None):
            raise UsageError("rpm and notice are settings of the gate: give them to the one that is handed in.")
        self._settings = [
            _setting(model, degree, max_tokens, timeout)
            for model, degree in [(models[0], first), *((model, others) for model in models)]
        ]
        self._per_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, list[BaseChatModel]] = WeakKeyDictionary()
        self._name = name
        self._asked: dict[int, _Asked] = {}
        self._lock = threading.Lock()
        self._seed = seed
        self._max_tokens = max_tokens
        self._meter = meter
        self._gate = Gate(rpm=rpm, notice=notice) if gate is None else gate
        self._patience = patience
        self._timeout = timeout

    def draw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; `metadata` goes into its trace.

        Raises:
            ProviderFailure: the provider refuses, or fails again and again.
        """
        setting = self._settings[self._turn(index)]
        messages, plain, kwargs = self._request(prompt, index)
        config = _config(self._name, index, setting, metadata)

        def once() -> Sample:
            with self._attempt(self._gate.enter(), index, plain, setting) as attempt:
                attempt.reply = setting.model.invoke(messages, config, **kwargs)
            return attempt.sample

        try:
            return once()
        except Exception as error:  # noqa: BLE001  the loop below tells what may pass; most requests never need it
            failed = [error]

        def again() -> Sample:
            if failed:
                raise failed.pop()
            return once()

        tries = Retrying(**self._retry(setting))
        try:
            return tries(again)
        except Exception as error:
            _raise_failure(error, setting, tries.statistics)
            raise

    async def adraw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; see `draw`."""
        setting = self._settings[self._turn(index)]
        messages, plain, kwargs = self._request(prompt, index)
        config = _config(self._name, index, setting, metadata)
        model = self._on_this_loop()[self._turn(index)]

        async def once() -> Sample:
            leave = await self._gate.aenter()
            with self._attempt(leave, index, plain, setting) as attempt:
                async with asyncio.timeout(self._timeout):  # a client times single reads, and a trickle would never end
                    attempt.reply = await model.ainvoke(messages, config, **kwargs)
            return attempt.sample

        try:
            return await once()
        except Exception as error:  # noqa: BLE001  as in `draw`
            failed = [error]

        async def again() -> Sample:
            if failed:
                raise failed.pop()
            return await once()

        tries = AsyncRetrying(**self._retry(setting))
        try:
            return await tries(again)
        except Exception as error:
            _raise_failure(error, setting, tries.statistics)
            raise

    def _turn(self, index: int) -> int:
        """Return whose turn sample `index` is: a place among the settings, of which the first is that of the first sample."""
        return 1 + index % (len(self._settings) - 1) if index else 0

    def _on_this_loop(self) -> list[BaseChatModel]:
        """Return the models with clients of their own for the running event loop: an async client dies with its loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._per_loop:
            self._per_loop[loop] = [_with_new_async_client(setting.model) for setting in self._settings]
        return self._per_loop[loop]

    def _request(self, prompt: Prompt, index: int) -> tuple[Sequence[BaseMessage], list[tuple[str, Any]], dict[str, Any]]:
        asked = self._asked.get(id(prompt))
        if asked is None or asked.prompt is not prompt:
            messages = as_messages(prompt)
            plain = pairs_of(messages)
            asked = _Asked(prompt, messages, plain, "" if self._seed is None else sorted_json(plain))
            with self._lock:
                if len(self._asked) >= REMEMBERED:
                    del self._asked[next(iter(self._asked))]
                self._asked[id(prompt)] = asked
        kwargs: dict[str, Any] = {} if self._seed is None else {"seed": _seed_of(self._seed, asked.text, index)}
        return asked.messages, asked.plain, kwargs

    @contextmanager
    def _attempt(self, leave: Pass, index: int, plain: list[tuple[str, Any]], setting: _Setting) -> Iterator[_Attempt]:
        """Account for one request, before it and after, however it ends; the gate and the meter learn what came of it."""
        most = Usage(input=_prompt_tokens(plain), cached=0, output=self._max_tokens or 0)
        if self._meter is not None:
            try:
                self._meter.reserve(most)
            except BaseException:
                self._gate.left(leave)
                raise
        attempt = _Attempt(AIMessage(""), Sample(index, ""))
        began = self._gate.clock()
        try:
            try:
                yield attempt
            except Exception as error:
                if not (setting.openai and no_choices(error)):
                    raise
            attempt.sample = sample_of(attempt.reply, index, plain, self._gate.clock() - began)
        except BaseException as error:
            self._lost(error, leave, most, setting)
            raise
        self._gate.answered(leave)
        if self._meter is not None:
            self._meter.settle(most, Call(plain, setting.name, setting.temperature, attempt.sample, self._name))

    def _lost(self, error: BaseException, leave: Pass, most: Usage, setting: _Setting) -> None:
        """Tell the meter and the gate of a request that brought no reply."""
        fault = fault_of(error, openai=setting.openai)
        if self._meter is not None:
            self._meter.abandon(most, billed=fault is None or fault.billed)
        what = f"{setting.name}: {said(error, setting.keys)}"
        match fault:
            case None:
                self._gate.left(leave)
            case Fault("slow_down"):
                self._gate.slowed(leave, fault.told, what)
            case Fault("transient"):
                self._gate.failed(leave, fault.told, what)
            case _:
                self._gate.answered(leave)

    def _retry(self, setting: _Setting) -> dict[str, Any]:
        """Return the settings of the one retry loop, plain or async, for one sample."""
        began: float | None = None
        failures = 0

        def passes(error: BaseException) -> bool:
            fault = fault_of(error, openai=setting.openai)
            return fault is not None and fault.kind in {"slow_down", "transient"}

        def stop(state: RetryCallState) -> bool:
            nonlocal began
            if self._patience is None:
                return state.attempt_number >= ATTEMPTS
            now, fault = self._gate.clock(), fault_in(state)
            began = now if began is None else began
            over = now - min(began, self._gate.down_since or began) >= self._patience
            if fault is not None and fault.kind == "slow_down":
                began += fault.told or 0.0  # a wait that it asks for tries nobody's patience
            return over

        def fault_in(state: RetryCallState) -> Fault | None:
            error = state.outcome.exception() if state.outcome is not None else None
            return None if error is None else fault_of(error, openai=setting.openai)

        def wait(state: RetryCallState) -> float:
            nonlocal failures
            fault = fault_in(state)
            if fault is None or fault.kind == "slow_down" or self._gate.down_since is not None:
                return 0.0  # the gate knows better
            failures += 1
            return self._gate.back_off(failures) if fault.told is None else fault.told

        return {"stop": stop, "wait": wait, "retry": retry_if_exception(passes), "reraise": True}


def sample_seed(seed: int, prompt: object, index: int) -> int:
    """Return the seed of sample `index` of `prompt` in a run with `seed`: 31 bits, the same in any order of calls."""
    return _seed_of(seed, sorted_json(prompt), index)


def _seed_of(seed: int, prompt: str, index: int) -> int:
    text = f"[{seed},{index},{prompt}]"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def sample_of(reply: AIMessage, index: int, prompt: list[tuple[str, Any]], seconds: float = 0.0) -> Sample:
    """Return a provider's reply, which took so long, as a sample, whatever the reply holds.

    Its text goes through checkpoints, traces and files before it is judged, so what they cannot hold is made visible and marked
    as garbled here, and no more of it is kept than `judge` needs to see that it is too long.
    """
    try:
        raw = str(reply.text)
    except (AttributeError, TypeError):  # content blocks that are none
        raw = ""
    kept = raw[: MAX_CHARACTERS + 1]
    text = without_controls(kept)
    tokens = _tokens(reply.usage_metadata)
    estimated = tokens is None
    if tokens is None:
        tokens = _prompt_tokens(prompt), 0, estimated_tokens(raw)
    return Sample(index, text, _finish(reply), *tokens, estimated=estimated, garbled=text != kept, seconds=seconds)


def _tokens(usage: Any) -> tuple[int, int, int] | None:
    """Return the tokens read, cached and written as the provider counts them; None if it does not, or counts nonsense."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("input_token_details")
    read, written = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    if read is None or written is None:
        return None
    cached = _count(details.get("cache_read")) if isinstance(details, Mapping) else None
    return read, min(cached or 0, read), written


def _count(tokens: object) -> int | None:
    return tokens if isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= _MOST_TOKENS else None


def _prompt_tokens(prompt: list[tuple[str, Any]]) -> int:
    return estimated_tokens("".join(str(content) for _, content in prompt))


def model_name(model: BaseChatModel) -> str:
    """Return the name by which the provider knows `model`, or its class's."""
    for field in ("model_name", "model", "model_id"):
        value = getattr(model, field, None)
        if isinstance(value, str) and value:
            return value
    return type(model).__name__


def fixes_temperature(name: str) -> bool:
    """Say whether the model of this name takes no temperature.

    >>> fixes_temperature("gpt-5-mini"), fixes_temperature("o3-mini"), fixes_temperature("gpt-4.1-mini")
    (True, True, False)
    """
    return _FIXED_TEMPERATURE.match(name.rsplit("/", 1)[-1]) is not None


def _setting(model: BaseChatModel, temperature: float | None, max_tokens: int | None, timeout: float | None) -> _Setting:
    fields = type(model).model_fields
    name = model_name(model)
    update: dict[str, Any] = {"cache": False, "disable_streaming": True}
    if temperature is None or "temperature" not in fields or fixes_temperature(name):
        temperature = None
    else:
        update["temperature"] = temperature
    cap = next((field for field in ("max_tokens", "max_output_tokens", "num_predict") if field in fields), None)
    if max_tokens is not None and cap is not None:
        update[cap] = max_tokens
    if _is_openai(model):
        update |= _openai_update(model, name, max_tokens, timeout)
    return _Setting(model.model_copy(update=update), name, temperature, _is_openai(model), keys_of(model))


def _is_openai(model: BaseChatModel) -> bool:
    return any(kind.__module__.startswith("langchain_openai.") for kind in type(model).__mro__)


def _openai_update(model: Any, name: str, max_tokens: int | None, timeout: float | None) -> dict[str, Any]:
    """Return what a copy of a ChatOpenAI must have beside temperature and cap: no retries, and a cap that its server reads.

    The integration sends the cap as max_completion_tokens. Servers of one's own (Ollama, LM Studio, llama.cpp) read max_tokens
    only and would go on for ever; OpenAI refuses both at once, and max_tokens for models that reason.
    """
    update: dict[str, Any] = {}
    address = "" if model.root_client is None else str(model.root_client.base_url)  # wherever it was set
    own_server = bool(address) and "openai.com" not in address and "azure.com" not in address
    if max_tokens is not None and own_server and not fixes_temperature(name):
        update = {"max_tokens": None, "extra_body": {**(model.extra_body or {}), "max_tokens": max_tokens}}
    options = {"max_retries": 0} | ({} if timeout is None else {"timeout": timeout})
    for root, chat in (("root_client", "client"), ("root_async_client", "async_client")):
        if getattr(model, root) is not None:
            client = getattr(model, root).with_options(**options)
            update |= {root: client, chat: client.chat.completions}
    return update


def _with_new_async_client(model: Any) -> BaseChatModel:
    if not _is_openai(model) or model.root_async_client is None:
        return model  # type: ignore[no-any-return]  # Any stands for a ChatOpenAI
    from openai import DefaultAsyncHttpxClient  # noqa: PLC0415  half a second, and only ChatOpenAI needs it

    http = model.http_async_client or DefaultAsyncHttpxClient()
    client = model.root_async_client.with_options(http_client=http)
    lean = _LeanCompletions(client.chat.completions)
    copy: BaseChatModel = model.model_copy(update={"root_async_client": client, "async_client": lean})
    return copy


class _LeanCompletions:
    """The client's chat completions, to which messages are given as they go out.

    ChatOpenAI has made plain JSON of them. The client would hold each part of it against the types of all kinds of messages,
    which takes a third of what a call costs; what is given as `extra_body` it sends as it is, in place of the arguments.
    """

    def __init__(self, completions: Any) -> None:
        self._create = completions.with_raw_response.create

    @property
    def with_raw_response(self) -> "_LeanCompletions":
        return self

    async def create(self, *, messages: Any, extra_body: Mapping[str, Any] | None = None, **rest: Any) -> Any:
        return await self._create(messages=[], extra_body={**(extra_body or {}), "messages": messages}, **rest)


def nobody_listens() -> bool:
    """Say whether the graph around a call has no handler of callbacks: no trace, no stream of messages, nothing of the user's.

    Then nobody misses the name, tags and metadata of a call.
    """
    around = var_child_runnable_config.get() or {}
    callbacks = around.get("callbacks")
    return isinstance(callbacks, BaseCallbackManager) and not callbacks.handlers


def _config(name: str, index: int, setting: _Setting, metadata: dict[str, Any]) -> RunnableConfig:
    metadata = metadata | {"sample": index, "model": setting.name}
    if setting.temperature is not None:
        metadata["temperature"] = setting.temperature
    return {"run_name": f"{name} {index}", "tags": ["nostream"], "metadata": metadata}


def _finish(reply: AIMessage) -> Finish:
    if reply.additional_kwargs.get("refusal"):
        return "refused"
    metadata = reply.response_metadata
    details = metadata.get("incomplete_details")
    said = [metadata.get(key) for key in ("finish_reason", "stop_reason", "done_reason", "status")]
    said += [details.get("reason")] if isinstance(details, Mapping) else []
    words = {str(word).lower() for word in said if word}
    if words & _REFUSED:
        return "refused"
    blocks = reply.content if isinstance(reply.content, list) else []
    if any(isinstance(block, dict) and block.get("type") == "refusal" for block in blocks):
        return "refused"
    return "length" if words & _CUT else "stop"


def _raise_failure(error: Exception, setting: _Setting, statistics: dict[str, Any]) -> None:
    """Raise the provider's faults as a ProviderFailure; return for anything else, which is to be raised as it is."""
    fault = fault_of(error, openai=setting.openai)
    if fault is None:
        return
    match fault.status:
        case 401 | 403:
            todo = "The API key is missing, wrong or not allowed to use this model: set the right one and resume."
        case 404:
            todo = f"The provider knows no model {setting.name!r} at this address: check the name and the base URL."
        case _ if fault.kind == "step":
            todo = "The provider does not accept this prompt, and will not when it is asked again."
        case 400 | 413 | 422:
            todo = "The provider does not accept the request; if it names a setting, change that one."
        case _ if fault.kind == "fatal":
            todo = "The quota is used up: add credit and resume." if fault.status == 429 else "Cure this and resume."
        case _:
            todo = f"It failed {statistics.get('attempt_number', 1)} times in a row: resume when the provider answers again."
    text = f"{setting.name}: {said(error, setting.keys)}. {todo}"
    # A cause is printed with the failure: not if it holds a key.
    cause = error if redacted(str(error), setting.keys) == str(error) else None
    raise ProviderFailure(text, fault.status, "step" if fault.kind == "step" else "run") from cause
