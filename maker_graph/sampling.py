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
- usage is read once per request; where there is none, tokens are estimated and marked as such;
- an answer of 429 or 5xx, a lost connection or a body that is no reply is tried again, after Retry-After if it says so.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, convert_to_messages
from langchain_core.runnables import RunnableConfig
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Usage
from maker_graph.core.red_flags import Finish, Sample, estimated_tokens
from maker_graph.errors import MakerError, ProviderFailure, UsageError
from maker_graph.task import Prompt

ATTEMPTS = 6
"""A request that fails for a passing reason is made at most so many times."""

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
    """

    prompt: list[tuple[str, Any]]
    model: str
    temperature: float | None
    sample: Sample


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


@dataclass(frozen=True, slots=True)
class _Setting:
    """A model, copied with one temperature and cap."""

    model: BaseChatModel
    name: str
    temperature: float | None


class Sampler:
    """Draws samples: model `i mod n` answers sample i, the first sample at its own temperature."""

    def __init__(
        self,
        models: Sequence[BaseChatModel],
        *,
        temperature: float | tuple[float, float] | None,
        max_tokens: int | None,
        seed: int | None,
        meter: Meter | None,
    ) -> None:
        """Make a sampler.

        Args:
            models: they take turns by sample index.
            temperature: of the first sample and of all others, or one for all; None leaves it to the models.
            max_tokens: the output cap of a sample; None leaves it to the models.
            seed: from which each sample's own seed is made; None sends none.
            meter: told of every sample.

        Raises:
            UsageError: no model, a negative temperature, or a cap below 1.
        """
        if not models:
            raise UsageError("At least one model is needed.")
        first, others = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        for value in (first, others):
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                raise UsageError(f"A temperature is a number of at least 0, or a tuple of two, not {value!r}.")
        if max_tokens is not None and max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, not {max_tokens!r}.")
        self._settings = [_setting(models[0], first, max_tokens), *(_setting(model, others, max_tokens) for model in models)]
        self._per_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, list[BaseChatModel]] = WeakKeyDictionary()
        self._seed = seed
        self._max_tokens = max_tokens
        self._meter = meter

    def draw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; `metadata` goes into its trace.

        Raises:
            ProviderFailure: the provider refuses, or fails again and again.
        """
        setting = self._settings[self._turn(index)]
        messages, plain, kwargs = self._request(prompt, index)
        config = _config(index, setting, metadata)

        def once() -> Sample:
            with self._metered(index, plain, setting) as settle:
                return settle(setting.model.invoke(messages, config, **kwargs))

        try:
            return Retrying(**_retry(setting.model))(once)
        except Exception as error:
            raise _failure(error, setting) from error

    async def adraw(self, prompt: Prompt, index: int, **metadata: Any) -> Sample:
        """Return the sample number `index` of `prompt`; see `draw`."""
        setting = self._settings[self._turn(index)]
        messages, plain, kwargs = self._request(prompt, index)
        config = _config(index, setting, metadata)
        model = self._on_this_loop()[self._turn(index)]

        async def once() -> Sample:
            with self._metered(index, plain, setting) as settle:
                return settle(await model.ainvoke(messages, config, **kwargs))

        try:
            return await AsyncRetrying(**_retry(model))(once)
        except Exception as error:
            raise _failure(error, setting) from error

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
        messages = [HumanMessage(prompt)] if isinstance(prompt, str) else convert_to_messages(prompt)
        plain: list[tuple[str, Any]] = [(message.type, message.content) for message in messages]
        kwargs: dict[str, Any] = {} if self._seed is None else {"seed": sample_seed(self._seed, plain, index)}
        return messages, plain, kwargs

    @contextmanager
    def _metered(self, index: int, plain: list[tuple[str, Any]], setting: _Setting) -> Iterator[Callable[[AIMessage], Sample]]:
        """Reserve what one request can use; yield what settles it and makes the reply a sample."""
        meter = self._meter
        most = Usage(input=_prompt_tokens(plain), cached=0, output=self._max_tokens or 0)
        settled = False

        def settle(reply: AIMessage) -> Sample:
            nonlocal settled
            sample = sample_of(reply, index, plain)
            settled = True  # if the meter itself fails there is nothing to give back
            if meter is not None:
                meter.settle(most, Call(plain, setting.name, setting.temperature, sample))
            return sample

        if meter is not None:
            meter.reserve(most)
        try:
            yield settle
        except BaseException as error:
            if meter is not None and not settled:
                meter.abandon(most, billed=_may_be_billed(error))
            raise


def sample_seed(seed: int, prompt: object, index: int) -> int:
    """Return the seed of sample `index` of `prompt` in a run with `seed`: 31 bits, the same in any order of calls."""
    text = canonical([seed, index, prompt])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def sample_of(reply: AIMessage, index: int, prompt: list[tuple[str, Any]]) -> Sample:
    """Return a provider's reply as a sample."""
    text = str(reply.text)
    usage = reply.usage_metadata
    if usage is None:
        return Sample(index, text, _finish(reply), _prompt_tokens(prompt), 0, estimated_tokens(text), estimated=True)
    cached = usage.get("input_token_details", {}).get("cache_read", 0) or 0
    return Sample(index, text, _finish(reply), usage["input_tokens"], cached, usage["output_tokens"])


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


def _setting(model: BaseChatModel, temperature: float | None, max_tokens: int | None) -> _Setting:
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
        update |= _openai_update(model, name, max_tokens)
    return _Setting(model.model_copy(update=update), name, temperature)


def _is_openai(model: BaseChatModel) -> bool:
    return any(kind.__module__.startswith("langchain_openai.") for kind in type(model).__mro__)


def _openai_update(model: Any, name: str, max_tokens: int | None) -> dict[str, Any]:
    """Return what a copy of a ChatOpenAI must have beside temperature and cap: no retries, and a cap that its server reads.

    The integration sends the cap as max_completion_tokens. Servers of one's own (Ollama, LM Studio, llama.cpp) read max_tokens
    only and would go on for ever; OpenAI refuses both at once, and max_tokens for models that reason.
    """
    update: dict[str, Any] = {}
    address = "" if model.root_client is None else str(model.root_client.base_url)  # wherever it was set
    own_server = bool(address) and "openai.com" not in address and "azure.com" not in address
    if max_tokens is not None and own_server and not fixes_temperature(name):
        update = {"max_tokens": None, "extra_body": {**(model.extra_body or {}), "max_tokens": max_tokens}}
    if model.root_client is not None:
        client = model.root_client.with_options(max_retries=0)
        update |= {"root_client": client, "client": client.chat.completions}
    return update


def _with_new_async_client(model: Any) -> BaseChatModel:
    if not _is_openai(model) or model.root_async_client is None:
        return model  # type: ignore[no-any-return]  # Any stands for a ChatOpenAI
    from openai import DefaultAsyncHttpxClient  # noqa: PLC0415  half a second, and only ChatOpenAI needs it

    http = model.http_async_client or DefaultAsyncHttpxClient()
    client = model.root_async_client.with_options(max_retries=0, http_client=http)
    copy: BaseChatModel = model.model_copy(update={"root_async_client": client, "async_client": client.chat.completions})
    return copy


def _config(index: int, setting: _Setting, metadata: dict[str, Any]) -> RunnableConfig:
    metadata = metadata | {"sample": index, "model": setting.name}
    if setting.temperature is not None:
        metadata["temperature"] = setting.temperature
    return {"run_name": f"sample {index}", "tags": ["nostream"], "metadata": metadata}


def _finish(reply: AIMessage) -> Finish:
    if reply.additional_kwargs.get("refusal"):
        return "refused"
    metadata = reply.response_metadata
    details = metadata.get("incomplete_details") or {}
    said = [details.get("reason")] + [metadata.get(key) for key in ("finish_reason", "stop_reason", "done_reason", "status")]
    words = {str(word).lower() for word in said if word}
    if words & _REFUSED:
        return "refused"
    if any(isinstance(block, dict) and block.get("type") == "refusal" for block in reply.content):
        return "refused"
    return "length" if words & _CUT else "stop"


def _retry(model: BaseChatModel) -> dict[str, Any]:
    """Return the settings of the one retry loop, plain or async."""
    return {
        "stop": stop_after_attempt(ATTEMPTS),
        "wait": _wait,
        "retry": retry_if_exception(lambda error: _passes(error, model)),
        "reraise": True,
    }


def _wait(state: RetryCallState) -> float:
    """Return the seconds to wait: what Retry-After says, else a random time that may double with each attempt."""
    error = state.outcome.exception() if state.outcome is not None else None
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return float(headers.get("retry-after", ""))
    except ValueError:
        return wait_random_exponential(multiplier=0.5, max=60)(state)


def _passes(error: BaseException, model: BaseChatModel) -> bool:
    """Say whether the same request may succeed if it is made again."""
    status = _status(error)
    if status is not None:
        quota = getattr(error, "code", None) == "insufficient_quota"
        return (status in {408, 409, 429} or status >= 500) and not quota
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, OSError) or names & {
        "APIConnectionError",
        "TransportError",
        "APIResponseValidationError",
    }:
        return True
    # A body that is no chat completion surfaces as one of these from inside the OpenAI integration.
    return _is_openai(model) and isinstance(error, AttributeError | LookupError | TypeError | ValueError)


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) and status >= 400 else None


def _may_be_billed(error: BaseException) -> bool:
    """Say whether the provider may bill a request that ended in `error`: it was sent, and no status says that it failed."""
    names = {kind.__name__ for kind in type(_root(error)).__mro__}
    return _status(error) is None and not names & {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError"}


def _root(error: BaseException) -> BaseException:
    """Return the transport's own error beneath the client's."""
    return error.__cause__ if error.__cause__ is not None else error


def _failure(error: Exception, setting: _Setting) -> Exception:
    """Return what to raise for `error`: the provider's faults as a ProviderFailure, anything else as it is."""
    status = _status(error)
    if isinstance(error, MakerError) or (status is None and not _passes(error, setting.model)):
        return error
    match status:
        case 401 | 403:
            todo = "The API key is missing, wrong or not allowed to use this model: set the right one and resume."
        case 404:
            todo = f"The provider knows no model {setting.name!r} at this address: check the name and the base URL."
        case 400 | 413 | 422:
            todo = "The provider does not accept the request; if it names a setting, change that one."
        case 429 if getattr(error, "code", None) == "insufficient_quota":
            todo = "The quota is used up: add credit and resume."
        case _:
            todo = f"It failed {ATTEMPTS} times in a row: resume when the provider answers again."
    return ProviderFailure(f"{setting.name}: {_said(error)} {todo}", status)


def _said(error: Exception) -> str:
    """Return what the provider said, on one line, short and without keys."""
    text = redacted(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text[:300]}".rstrip(".") + "."


def redacted(text: str) -> str:
    """Return `text` without API keys: a provider may say them back.

    >>> redacted("Invalid key: Bearer sk-123")
    'Invalid key: Bearer [key]'
    """
    return re.sub(r"\b(Bearer )?sk-[\w-]+|\bBearer [\w.-]+", lambda match: f"{match[1] or ''}[key]", text)
