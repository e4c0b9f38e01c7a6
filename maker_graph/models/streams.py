"""Completions that came as a stream although none was asked for. Some gateways always stream."""

import json
from collections.abc import Iterator
from typing import Any


def completion_of(text: str) -> dict[str, Any] | None:
    r"""Return the chat completion made of server-sent events; None if they make up none.

    >>> completion_of('data: {"choices": [{"delta": {"content": "2"}, "finish_reason": "stop"}]}\n\ndata: [DONE]')["choices"]
    [{'index': 0, 'message': {'role': 'assistant', 'content': '2', 'refusal': None}, 'finish_reason': 'stop'}]
    """
    head: dict[str, Any] = {}
    said: dict[str, str] = {"content": "", "refusal": ""}
    calls: dict[int, dict[str, Any]] = {}
    finish = None
    for event in _events(text):
        if event is None or event.get("error"):
            return event
        head |= {name: value for name, value in event.items() if name != "choices" and value is not None}
        for choice in _objects(event.get("choices")):
            if choice.get("index", 0) != 0:
                continue
            delta = next(_objects([choice.get("delta") or choice.get("message")]), {})
            for name in said:
                said[name] += delta[name] if isinstance(delta.get(name), str) else ""
            for call in _objects(delta.get("tool_calls")):
                _add_call(calls, call)
            finish = choice.get("finish_reason") or finish
    if not head and not any(said.values()) and finish is None:
        return None
    message: dict[str, Any] = {"role": "assistant", "content": said["content"], "refusal": said["refusal"] or None}
    if calls:
        message["tool_calls"] = [*calls.values()]
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {**head, "object": "chat.completion", "choices": [choice]}


def _events(text: str) -> Iterator[dict[str, Any] | None]:
    """Yield the object of each event; at the first event without one, yield None and end."""
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or not data:
            continue
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        yield event if isinstance(event, dict) else None
        if not isinstance(event, dict):
            return


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _add_call(calls: dict[int, dict[str, Any]], piece: dict[str, Any]) -> None:
    """Add a piece of a tool call to the earlier pieces with the same number."""
    number = piece.get("index", 0)
    if not isinstance(number, int):
        return
    call = calls.setdefault(number, {"id": None, "type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = piece.get("id") or call["id"]
    for name, value in next(_objects([piece.get("function")]), {}).items():
        if name in call["function"] and isinstance(value, str):
            call["function"][name] += value
