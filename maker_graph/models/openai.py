"""What OpenAI's models and LangChain's client for them need in addition to what all models need.

- Models that fix their own temperature (the o and gpt-5 series, and Claude from 4.7 on) get none.
- ChatOpenAI's async client dies with its event loop, so each loop gets its own.
- A server may send more than the client can take, so its HTTP client is guarded (`transfer.py`).
- The client's own retries are switched off, because layers of retries multiply.
- The output cap goes out under the name that the server reads.
- Only those headers of a response are kept that say something about a cache (`headers.py`), because headers are traced.
- The client checks the types of each message before it sends them. Those of ChatOpenAI are sent as they are, to save time.
- A reply without any choice raises an error inside LangChain. Here it counts as an empty reply.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel

from maker_graph.core.schema import Schema, is_closed
from maker_graph.errors import UsageError
from maker_graph.models.faults import module_of
from maker_graph.models.headers import tells_of_cache
from maker_graph.models.transfer import Limit, aguarded, guarded

_FIXED_TEMPERATURE = re.compile(
    r"(?<![a-z0-9])(?:o[1-9](?![a-z0-9.])|gpt-?5(?!.*chat)|claude-(?:[a-z]+-)?(?:4[-.][7-9]|[5-9])(?![0-9]))"
)
_RESPONSES_ONLY = ("reasoning", "include", "truncation", "context_management", "text", "previous_response_id")


def is_openai(model: BaseChatModel) -> bool:
    """Say whether `model` is LangChain's class for OpenAI, or a subclass."""
    return any(kind.__module__.startswith("langchain_openai.") for kind in type(model).__mro__)


def fixes_temperature(name: str) -> bool:
    """Say whether a model or a deployment of this name takes no temperature.

    >>> fixes_temperature("gpt-5-mini"), fixes_temperature("o3-mini"), fixes_temperature("gpt-4.1-mini")
    (True, True, False)
    >>> fixes_temperature("our-o3-eu"), fixes_temperature("anthropic.claude-opus-4-7-v1:0")
    (True, True)
    """
    return _FIXED_TEMPERATURE.search(name.rsplit("/", 1)[-1].lower()) is not None


def uses_responses(model: Any, bound: Mapping[str, Any]) -> bool:
    """Say whether a ChatOpenAI, with what is `bound` to it, uses OpenAI's Responses API in place of chat completions."""
    told = getattr(model, "use_responses_api", None)
    if told is not None:
        return bool(told)
    kwargs = {**(model.model_kwargs or {}), **bound}
    tools = kwargs.get("tools")
    return (
        getattr(model, "output_version", None) == "responses/v1"
        or bool(getattr(model, "use_previous_response_id", False))
        or any(getattr(model, name, None) is not None or name in kwargs for name in _RESPONSES_ONLY)
        or any(isinstance(tool, Mapping) and tool.get("type", "function") != "function" for tool in tools or ())
    )


def openai_update(
    model: Any, name: str, max_tokens: int | None, bound: Mapping[str, Any], schema: Schema | None = None
) -> dict[str, Any]:
    """Return the further settings for a copy of a ChatOpenAI: no retries, and a cap that its server reads.

    The schema of a reply goes out in the extra body, and not as one of the arguments that the client knows. As such an
    argument it would make the client raise an error for a reply that was cut, instead of returning it.

    The integration sends the cap as max_completion_tokens, and to the Responses API as max_output_tokens. A user's own servers
    (Ollama, LM Studio, llama.cpp) read max_tokens only, and would go on for ever without it. OpenAI refuses both at once, and
    max_tokens for models that reason. For deployments on Azure, also behind a gateway, the integration knows the name.
    """
    update: dict[str, Any] = {}
    if max_tokens is not None and _on_own_server(model) and not fixes_temperature(name) and not uses_responses(model, bound):
        update = {"max_tokens": None, "extra_body": {**(model.extra_body or {}), "max_tokens": max_tokens}}
    if schema is not None:
        update["extra_body"] = {
            **(update.get("extra_body") or model.extra_body or {}),
            "response_format": _held_to(schema, model),
        }
    parsed = "response_format" in {**model.model_kwargs, **bound}  # with it, all headers would be kept
    if not uses_responses(model, bound) and not parsed:
        update["include_response_headers"] = True
    for root, chat in (("root_client", "client"), ("root_async_client", "async_client")):
        if getattr(model, root) is not None:
            client = getattr(model, root).with_options(max_retries=0)
            update |= {root: client, chat: _Completions(client.chat.completions)}
    return update


def _held_to(schema: Schema, model: Any) -> dict[str, Any]:
    """Return the entry of a request that makes a reply keep to `schema`."""
    if schema.get("type") != "object" and "$ref" not in schema and not _on_own_server(model):
        raise UsageError(
            "With structured, OpenAI's replies must be objects: make answer a pydantic model, a dataclass or a TypedDict with "
            "one field, or leave structured out."
        )
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": is_closed(schema)}}


def _on_own_server(model: Any) -> bool:
    """Say whether requests go to a server that is neither OpenAI's nor Azure's."""
    address = "" if model.root_client is None else str(model.root_client.base_url)  # it may have been set in several places
    azure = "azure.com" in address or getattr(model, "deployment_name", None) is not None
    return bool(address) and "openai.com" not in address and not azure


def with_own_clients(models: Sequence[Any], limit: Limit, *, blocking: bool, choices: int = 1) -> list[BaseChatModel]:
    """Return copies of the ChatOpenAIs among `models` with their own guarded HTTP clients, and the others as they are.

    A user's HTTP clients stay as they are, and copies of them are used. Models without one share a new client.

    Args:
        models: any chat models.
        limit: returns the seconds that a request may take.
        blocking: whether the clients are for blocking calls; if not, they are for the running event loop.
        choices: the most choices of a reply that are let through.
    """
    root, chat, own, make = (
        ("root_client", "client", "http_client", guarded)
        if blocking
        else ("root_async_client", "async_client", "http_async_client", aguarded)
    )
    shared = None
    copies = []
    for model in models:
        if not is_openai(model) or getattr(model, root) is None:
            copies.append(model)
            continue
        theirs = getattr(model, own)
        if theirs is None:
            http = shared = shared or make(None, limit, choices)
        else:
            http = make(theirs, limit, choices)
        client = getattr(model, root).with_options(http_client=http)
        completions = (_Completions if blocking else _LeanCompletions)(client.chat.completions)
        copies.append(model.model_copy(update={root: client, chat: completions}))
    return copies


async def close_async_client(model: Any) -> None:
    """Close the async client of a copy, if it was made here."""
    if is_openai(model) and model.root_async_client is not None and model.http_async_client is None:
        await model.root_async_client.close()


class _Response:
    """A raw response that shows only those headers that say something about a cache."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.headers = {name: value for name, value in raw.headers.items() if tells_of_cache(name)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _Completions:
    """The client's chat completions for blocking calls; see `_Response`."""

    def __init__(self, completions: Any) -> None:
        self._create = completions.with_raw_response.create

    @property
    def with_raw_response(self) -> "_Completions":
        return self

    def create(self, **request: Any) -> _Response:
        return _Response(self._create(**request))


class _LeanCompletions:
    """The client's chat completions, with messages in the form in which they are sent.

    ChatOpenAI has made plain JSON of them. The client would check each part against the types of all kinds of messages, which
    takes a third of the time of a call. It sends `extra_body` as it is, in place of the arguments.
    """

    def __init__(self, completions: Any) -> None:
        self._create = completions.with_raw_response.create

    @property
    def with_raw_response(self) -> "_LeanCompletions":
        return self

    async def create(self, *, messages: Any, extra_body: Mapping[str, Any] | None = None, **rest: Any) -> _Response:
        return _Response(await self._create(messages=[], extra_body={**(extra_body or {}), "messages": messages}, **rest))


def no_choices(error: BaseException) -> bool:
    """Say whether ChatOpenAI raised `error` because there was no choice, which counts as an empty reply."""
    # The error comes from generations[0][0] in `invoke`. A null in place of the list has become an empty list (`envelopes.py`).
    return isinstance(error, IndexError) and module_of(error).startswith("langchain_core.language_models")
