"""How a model's response becomes a vote, and a vote a response: what the response does counts, and not how it says so.

A sample is a whole response, as plain JSON:

    {"tool_calls": [{"name": "refund", "args": {"order": 7}, "id": "call_1"}], "text": "I refund it."}

It has `structured` too if the agent has a `response_format`. It has the original message, as a text, if that holds more, such
as the model's reasoning and what its provider needs to get back. What is voted on is the candidate of the sample:

- the tools with their arguments, in any order: `{"tool_calls": [["refund", {"order": 7}]]}`;
- the structured response, by the name of its schema: `{"structured": ["City", {"name": "Paris"}]}`; or both of them;
- otherwise the fact that the model replies in words: `"text"`. Words vary freely, so all texts are one candidate, unless
  `text_key` says which part of a text is voted on: `{"text": ...}`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import uuid4

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from maker_graph.agents.arguments import fitted
from maker_graph.agents.rule import STRUCTURED, TEXT
from maker_graph.core import checks
from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import JSON, MAX_CHARACTERS, plain, strict_json
from maker_graph.core.characters import visible
from maker_graph.errors import Invalid, UsageError
from maker_graph.models.replies import USED

_ROOM = MAX_CHARACTERS // 2
"""The most characters of a message that is kept in full, beside its content."""

_REST = ("content", "additional_kwargs", "response_metadata", "id", "name")
"""The fields of a message that are kept, beside its tool calls."""

_UNNAMED = "response_format_"
"""The beginning of the name that LangChain gives a schema without a title; the rest differs from process to process."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How tool calls are compared, and structured responses, which go by the name of their schema.

    Attributes:
        free: tool -> arguments that are not compared, such as a message's body or a search query.
        normalise: tool -> a function from its arguments to the value that is compared.
        text_key: a function from the text of a reply without a tool call to the value that is voted on; with None all texts
            are one candidate.
        loops: a call that was made this often since a person last spoke is invalid; None sets no limit.
    """

    free: Mapping[str, Sequence[str]] = field(default_factory=dict)
    normalise: Mapping[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    text_key: Callable[[str], Any] | None = None
    loops: int | None = None

    def __post_init__(self) -> None:
        """Make sure that the settings are right.

        Raises:
            UsageError: a setting is wrong; the text says which.
        """
        for name, each in (("free", self.free), ("normalise", self.normalise)):
            if not isinstance(each, Mapping):
                raise UsageError(f"{name} is a dict, from the name of a tool, not {each!r}.")
        for tool, arguments in self.free.items():
            checks.texts(f"free of {tool}", arguments)
        for tool, function in self.normalise.items():
            checks.function(f"normalise of {tool}", function, "args")
        if self.text_key is not None:
            checks.function("text_key", self.text_key, "text")
        if self.loops is not None:
            checks.whole("loops", self.loops)


def reply_of(response: ModelResponse[Any], request: ModelRequest[Any]) -> AIMessage:
    """Return a response as the reply of a sample: its text is the JSON above, and its finish reason and its tokens stay.

    The tokens are kept where callbacks do not look for them, because the inner model has reported them already.
    """
    said = message_of(response)
    if said is None:
        return AIMessage("")
    schemas = schemas_of(request.response_format)
    calls: list[dict[str, Any]] = [_call(call) for call in said.tool_calls]
    text = visible(str(said.text))
    held: dict[str, Any] = {"tool_calls": calls, "text": text}
    if response.structured_response is not None:
        held[STRUCTURED] = _structured(said, response.structured_response, schemas)
    elif failed := next((each for each in response.result if isinstance(each, ToolMessage)), None) if schemas else None:
        held["error"] = str(failed.text)
    calls += [{**_call(call), "error": call.get("error") or "they are no JSON object"} for call in said.invalid_tool_calls]
    nothing = not calls and not text.strip() and STRUCTURED not in held
    if not nothing and (whole := _whole(said)):
        held["message"] = whole
    return said.model_copy(
        update={
            "content": "" if nothing else json.dumps(held, ensure_ascii=False),
            "tool_calls": [],
            "invalid_tool_calls": [],
            "additional_kwargs": {"refusal": True} if _refuses(said) else {},
            "usage_metadata": None,
            "response_metadata": {**said.response_metadata, USED: said.usage_metadata},
        }
    )


def _refuses(said: AIMessage) -> bool:
    """Say whether a message is a refusal, according to the provider's fields or to a part of the message."""
    parts = said.content if isinstance(said.content, list) else ()
    return bool(said.additional_kwargs.get("refusal")) or any(
        isinstance(each, dict) and each.get("type") == "refusal" for each in parts
    )


def message_of(response: ModelResponse[Any]) -> AIMessage | None:
    """Return the model's message in a response; None if there is none."""
    return next((each for each in response.result if isinstance(each, AIMessage)), None)


def schemas_of(response_format: Any) -> dict[str, Any]:
    """Return name -> schema of the structured responses that an agent may give."""
    if response_format is None:
        return {}
    if isinstance(response_format, ProviderStrategy):
        specs = [response_format.schema_spec]
    elif isinstance(response_format, ToolStrategy):
        specs = response_format.schema_specs
    else:
        schema = response_format.schema if isinstance(response_format, AutoStrategy) else response_format
        specs = ToolStrategy(schema).schema_specs
    return {_stable(spec.name): spec.schema for spec in specs}


def _stable(name: str) -> str:
    return STRUCTURED if name.startswith(_UNNAMED) else name


def _structured(said: AIMessage, value: Any, schemas: Mapping[str, Any]) -> Any:
    """Return the structured response as the model wrote it: in the call of a tool, or in its text."""
    for call in said.tool_calls:
        if _stable(call["name"]) in schemas:
            return call["args"]
    with suppress(ValueError):
        if isinstance(read := strict_json(str(said.text)), dict):
            return read
    return to_jsonable_python(value)


def _whole(said: AIMessage) -> str:
    """Return a message as a text, if it holds more than a text and tool calls; else an empty text."""
    more = {name for name, each in said.additional_kwargs.items() if each} - {"tool_calls", "function_call", "refusal"}
    if not more and not isinstance(said.content, list):
        return ""
    with suppress(TypeError, ValueError, RecursionError):
        whole = json.dumps({each: getattr(said, each) for each in _REST})
        return whole if len(whole) <= _ROOM else ""
    return ""


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": call.get("name") or "", "args": call.get("args"), "id": call.get("id") or ""}


def parse(text: str) -> JSON:
    """Return the answer in the reply of a sample or of a person; plain words are an answer with a text.

    Raises:
        ValueError: the reply holds no answer; the text says why.
    """
    try:
        read = strict_json(text)
    except ValueError:
        if text.lstrip().startswith("{"):
            raise
        read = text.strip()
    if isinstance(read, str):
        read = {TEXT: read}
    if not isinstance(read, dict) or not {"tool_calls", STRUCTURED, TEXT, "error"} & set(read):
        raise ValueError('a reply is {"tool_calls": [{"name": ..., "args": {...}}]}, {"structured": ...} or a text')
    if "error" in read:
        raise ValueError(f"the structured response was not taken: {read['error']}")
    calls: Any = read.get("tool_calls") or []
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            raise ValueError('a call of a tool is {"name": ..., "args": {...}}')  # noqa: TRY004  of what a model wrote
        if "error" in call or not isinstance(call.get("args"), dict):
            raise ValueError(f"the arguments of {call['name'] or 'a tool'} cannot be read: {call.get('error') or 'no object'}")
    if not calls and read.get(STRUCTURED) is None and not str(read.get(TEXT, "")).strip():
        raise ValueError("it neither calls a tool nor says anything")
    return {name: read[name] for name in ("tool_calls", STRUCTURED, TEXT) if name in read}


class Votes:
    """Reads the answers to one request: which candidate each votes for, and whether the agent could act on it."""

    def __init__(self, reading: Reading, request: ModelRequest[Any]) -> None:
        self._reading = reading
        self._tools = {_name(tool): tool for tool in request.tools}
        self._schemas: dict[str, Any] = {}
        self._structured = schemas_of(request.response_format)
        self._messages = request.messages

    def key(self, answer: dict[str, Any]) -> JSON:
        """Return the candidate that an answer votes for."""
        found: dict[str, Any] = {}
        if calls := self._calls(answer):
            found["tool_calls"] = sorted(([call["name"], self._compared(call)] for call in calls), key=candidate_of)
        if answer.get(STRUCTURED) is not None:
            found[STRUCTURED] = self._compared_structured(answer)
        if found:
            return found
        text_key = self._reading.text_key
        return TEXT if text_key is None else {TEXT: text_key(str(answer.get(TEXT, "")))}

    def check(self, answer: dict[str, Any]) -> bool:
        """Say that the agent could act on an answer.

        Raises:
            Invalid: a tool does not exist, its arguments or a structured response do not fit, or the same call was made again
                and again.
        """
        for call in self._calls(answer):
            name = call["name"]
            if name not in self._tools:
                raise Invalid(f"there is no tool {name!r}: there are {', '.join(self._tools) or 'none'}")
            made = self._made.get(candidate_of([name, self._fitted(call)]), 0)
            if self._reading.loops is not None and made >= self._reading.loops:
                raise Invalid(f"{name} was called {made} times with these arguments since a person spoke last")
        if answer.get(STRUCTURED) is not None:
            named(answer, self._structured)
        return True

    def _calls(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the tool calls in an answer, without a call that is its structured response."""
        return [
            call
            for call in answer.get("tool_calls") or []
            if answer.get(STRUCTURED) is None or call["name"] in self._tools or _stable(call["name"]) not in self._structured
        ]

    def _compared(self, call: Mapping[str, Any]) -> JSON:
        name, args = call["name"], call["args"]
        if name in self._tools:
            with suppress(Invalid):  # `check` says so
                args = self._fitted(call)
        return self._left(name, args)

    def _compared_structured(self, answer: Mapping[str, Any]) -> JSON:
        try:
            name, args = named(answer, self._structured)
        except Invalid:  # `check` says so
            name, args = STRUCTURED, answer[STRUCTURED]
        return [name, self._left(name, args) if isinstance(args, dict) else args]

    def _left(self, name: str, args: dict[str, Any]) -> JSON:
        """Return the arguments, or the part of them, that are compared."""
        if name in self._reading.normalise:
            return plain(self._reading.normalise[name](dict(args)))
        free = {*self._reading.free.get(name, ())}
        return {each: value for each, value in args.items() if each not in free}

    def _fitted(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the tool will see them.

        Raises:
            Invalid: they do not fit.
        """
        name = call["name"]
        if name not in self._schemas:
            self._schemas[name] = _schema(self._tools[name])
        return fitted(name, self._schemas[name], call["args"])

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that are neither a tool, nor a structured response, nor `"text"`."""
        return [name for name in names if name not in (*self._tools, *self._structured, STRUCTURED, TEXT)]

    @cached_property
    def _made(self) -> dict[str, int]:
        """How often each call was made since a person last spoke."""
        made: dict[str, int] = {}
        for message in reversed(self._messages):
            if isinstance(message, HumanMessage):
                break
            for call in message.tool_calls if isinstance(message, AIMessage) else ():
                with suppress(ValueError, Invalid):  # a call that does not fit was not made
                    args = self._fitted({**call}) if call["name"] in self._tools else call["args"]
                    text = candidate_of([call["name"], args])
                    made[text] = made.get(text, 0) + 1
        return made


def named(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the name of the schema that a structured response fits, and the value by which it is compared.

    Raises:
        Invalid: it fits no schema.
    """
    value = answer[STRUCTURED]
    if not schemas:  # inner middleware asks for it
        return STRUCTURED, value
    called = [name for call in answer.get("tool_calls") or [] if (name := _stable(call["name"])) in schemas]
    wrong = Invalid(f"a structured response is an object, not {json.dumps(value)[:40]}")
    for name in (*called, *schemas) if isinstance(value, dict) else ():
        try:
            return name, fitted(name, schemas[name], value)
        except Invalid as error:
            wrong = error
            if called:
                break
    raise wrong


def _name(tool: Any) -> str:
    if isinstance(tool, BaseTool):
        return tool.name
    inner = tool.get("function")
    return str((inner if isinstance(inner, dict) else tool).get("name") or tool.get("type") or "")


def _schema(tool: Any) -> Any:
    """Return the schema of the arguments that a model may give a tool; None if it is not known."""
    if isinstance(tool, BaseTool):
        return tool.tool_call_schema
    inner = tool.get("function")
    inner = inner if isinstance(inner, dict) else tool
    found = inner.get("parameters") or inner.get("input_schema")
    return found if isinstance(found, dict) else None


def rebuilt(answer: dict[str, Any], text: str, request: ModelRequest[Any]) -> ModelResponse[Any]:
    """Return the response for an answer whose sample is not at hand: a person gave it, or an interrupt or crash came between.

    Args:
        answer: the answer, as `parse` returns it.
        text: the reply.
        request: the agent's request.
    """
    calls = [
        {"name": call["name"], "args": call["args"], "id": str(call.get("id") or f"call_{uuid4().hex}"), "type": "tool_call"}
        for call in answer.get("tool_calls") or []
    ]
    structured = answer.get(STRUCTURED)
    said = str(answer.get(TEXT, "")) or ("" if structured is None or calls else json.dumps(structured))
    message = AIMessage(**{"content": said, **_rest(text), "tool_calls": calls})
    if structured is None:
        return ModelResponse([message])
    wanted = request.response_format
    schemas = schemas_of(wanted)
    schema = schemas.get(named(answer, schemas)[0])
    value = structured if schema is None or isinstance(schema, dict) else TypeAdapter(schema).validate_python(structured)
    told = getattr(wanted, "tool_message_content", None) or f"Returning structured response: {value}"
    done: list[BaseMessage] = [
        ToolMessage(told, tool_call_id=call["id"], name=call["name"]) for call in calls if _stable(call["name"]) in schemas
    ]
    return ModelResponse([message, *done], value)


def _rest(text: str) -> dict[str, Any]:
    """Return the fields of its message that the reply of a sample keeps."""
    with suppress(ValueError):
        read = strict_json(text)
        whole = read.get("message") if isinstance(read, dict) else None
        rest = json.loads(whole) if isinstance(whole, str) else None
        if isinstance(rest, dict) and set(rest) == {*_REST}:
            return {name: getattr(AIMessage(**rest), name) for name in _REST}  # or it raises: a person may have written it
    return {}
