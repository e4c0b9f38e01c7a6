"""From a model's response to a vote and back: what it does counts, and not how it says so.

A sample is a whole response, as plain JSON:

    {"tool_calls": [{"name": "refund", "args": {"order": 7}, "id": "call_1"}], "text": "I refund it."}

with `structured` beside them where the agent has a `response_format`. What is voted on is its candidate:

- the tools with their arguments, in any order: `{"tool_calls": [["refund", {"order": 7}]]}`;
- the structured response: `{"structured": {...}}`;
- else that the model replies in words: `"text"`. Words vary freely, so all of them are one candidate, unless `text_key` says
  what of a text is voted on: `{"text": ...}`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from langchain.agents.middleware import ModelRequest, ModelResponse
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from maker_graph.agents.rule import TEXT
from maker_graph.core.canonical import JSON, plain, sorted_json, strict_json
from maker_graph.errors import Invalid


@dataclass(frozen=True, slots=True)
class Reading:
    """How the calls of tools are compared.

    Attributes:
        free: tool -> arguments that are not compared: a message's body, a search query.
        normalise: tool -> a function from its arguments to what of them is compared.
        text_key: from the text of a reply without a tool call to what of it is voted on; None: all texts are one candidate.
        loops: a call that was made so often since a person spoke last is invalid; None sets no limit.
    """

    free: Mapping[str, Sequence[str]] = field(default_factory=dict)
    normalise: Mapping[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    text_key: Callable[[str], Any] | None = None
    loops: int | None = None


def reply_of(response: ModelResponse[Any]) -> AIMessage:
    """Return a response as the reply of a sample: its text is the JSON above; how it ended and its tokens stay."""
    said = message_of(response)
    if said is None:
        return AIMessage("")
    calls: list[dict[str, Any]] = [_call(call) for call in said.tool_calls]
    calls += [{**_call(call), "error": call.get("error") or "they are no JSON object"} for call in said.invalid_tool_calls]
    held: dict[str, Any] = {"tool_calls": calls, "text": str(said.text)}
    if response.structured_response is not None:
        held["structured"] = to_jsonable_python(response.structured_response)
    elif failed := next((each for each in response.result if isinstance(each, ToolMessage)), None):
        held["error"] = str(failed.text)
    nothing = not calls and not held["text"].strip() and "structured" not in held
    return said.model_copy(
        update={
            "content": "" if nothing else json.dumps(held, ensure_ascii=False),
            "tool_calls": [],
            "invalid_tool_calls": [],
            "additional_kwargs": {name: each for name, each in said.additional_kwargs.items() if name == "refusal"},
        }
    )


def message_of(response: ModelResponse[Any]) -> AIMessage | None:
    """Return the message of a model's in a response."""
    return next((each for each in response.result if isinstance(each, AIMessage)), None)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": call.get("name") or "", "args": call.get("args"), "id": call.get("id") or ""}


def parse(text: str) -> JSON:
    """Return the answer in the reply of a sample, or in that of a person: words are a text.

    Raises:
        ValueError: it is none.
    """
    try:
        read = strict_json(text)
    except ValueError:
        read = {TEXT: text.strip()}
    if isinstance(read, str):
        read = {TEXT: read}
    if not isinstance(read, dict) or not {"tool_calls", "structured", TEXT, "error"} & set(read):
        raise ValueError('a reply is {"tool_calls": [{"name": ..., "args": {...}}]}, {"structured": ...} or a text')
    if "error" in read:
        raise ValueError(f"the structured response was not taken: {read['error']}")
    calls: Any = read.get("tool_calls") or []
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            raise ValueError('a call of a tool is {"name": ..., "args": {...}}')  # noqa: TRY004  of what a model wrote
        if "error" in call or not isinstance(call.get("args"), dict):
            raise ValueError(f"the arguments of {call['name'] or 'a tool'} cannot be read: {call.get('error') or 'no object'}")
    return read


class Votes:
    """Reads the answers to one request: what they are a vote for, and whether the agent could act on them."""

    def __init__(self, reading: Reading, request: ModelRequest[Any]) -> None:
        self._reading = reading
        self._tools = {_name(tool): tool for tool in request.tools}
        self._made = _made(request.messages)

    def key(self, answer: dict[str, Any]) -> JSON:
        """Return the candidate that an answer votes for."""
        if answer.get("structured") is not None:
            found: JSON = {"structured": answer["structured"]}
            return found
        if answer.get("tool_calls"):
            calls = [[call["name"], self._compared(call)] for call in answer["tool_calls"]]
            return {"tool_calls": sorted(calls, key=sorted_json)}
        text_key = self._reading.text_key
        return TEXT if text_key is None else {TEXT: text_key(str(answer.get(TEXT, "")))}

    def check(self, answer: dict[str, Any]) -> bool:
        """Say that the agent could act on an answer.

        Raises:
            Invalid: a tool does not exist, its arguments do not fit, or the same call was made again and again.
        """
        for call in answer.get("tool_calls") or [] if answer.get("structured") is None else []:
            name = call["name"]
            if name not in self._tools:
                raise Invalid(f"there is no tool {name!r}: there are {', '.join(self._tools) or 'none'}")
            self._validated(call)
            made = self._made.get(sorted_json([name, call["args"]]), 0)
            if self._reading.loops is not None and made >= self._reading.loops:
                raise Invalid(f"{name} was called {made} times with these arguments since a person spoke last")
        return True

    def _compared(self, call: Mapping[str, Any]) -> JSON:
        name = call["name"]
        args = call["args"]
        if name in self._tools:
            with suppress(Invalid):  # `check` says so
                args = self._validated(call)
        if name in self._reading.normalise:
            return plain(self._reading.normalise[name](dict(args)))
        free = {*self._reading.free.get(name, ())}
        return {each: value for each, value in args.items() if each not in free}

    def _validated(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the tool will see them: converted, and with its defaults.

        Raises:
            Invalid: they do not fit.
        """
        args: dict[str, Any] = call["args"]
        tool = self._tools[call["name"]]
        schema: Any = tool.tool_call_schema if isinstance(tool, BaseTool) else None
        if isinstance(schema, dict) or not (isinstance(schema, type) and issubclass(schema, BaseModel)):
            needed = schema.get("required", []) if isinstance(schema, dict) else []
            if missing := [each for each in needed if each not in args]:
                raise Invalid(f"{call['name']} needs {', '.join(missing)}")
            return args
        try:
            validated = schema.model_validate(args)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Invalid(f"the arguments of {call['name']} do not fit: {where}: {first['msg']}") from None
        fitted: dict[str, Any] = validated.model_dump(mode="json")
        return fitted


def _name(tool: Any) -> str:
    if isinstance(tool, BaseTool):
        return tool.name
    inner = tool.get("function")
    return str((inner if isinstance(inner, dict) else tool).get("name") or tool.get("type") or "")


def _made(messages: Sequence[BaseMessage]) -> dict[str, int]:
    """Return how often each call was made since a person spoke last."""
    made: dict[str, int] = {}
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        for call in message.tool_calls if isinstance(message, AIMessage) else ():
            text = sorted_json([call["name"], call["args"]])
            made[text] = made.get(text, 0) + 1
    return made


def rebuilt(answer: dict[str, Any], request: ModelRequest[Any]) -> ModelResponse[Any]:
    """Return the response for an answer that no sample at hand gave: a person's, or one of before a crash."""
    calls = [
        {"name": call["name"], "args": call["args"], "id": call.get("id") or f"call_{place}", "type": "tool_call"}
        for place, call in enumerate(answer.get("tool_calls") or [])
    ]
    message = AIMessage(str(answer.get(TEXT, "")), tool_calls=calls)
    structured = answer.get("structured")
    if structured is None:
        return ModelResponse([message])
    wanted = request.response_format
    schema: Any = getattr(wanted, "schema", wanted)
    value = structured if isinstance(schema, dict) else TypeAdapter(schema).validate_python(structured)
    if not isinstance(wanted, ToolStrategy):
        return ModelResponse([message], value)
    done = [
        ToolMessage(f"Returning structured response: {value}", tool_call_id=call["id"], name=call["name"]) for call in calls
    ]
    return ModelResponse([message, *done], value)
