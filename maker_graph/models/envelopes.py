"""Checks the body of an HTTP response before a client makes a reply from it.

A body may be anything: endless, compressed a thousandfold, HTML, nested without end, or a completion whose parts have wrong
types. `Body` reads it with limits. `vetted` lets through only what a client can make a reply from, and drops what nobody reads.
Anything else raises `NoReply`, or `ErrorReply` if the provider says in the body what went wrong.

This module does not wait and knows no client. `transfer.py` does both.
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

from maker_graph.models.redaction import clean, redacted
from maker_graph.models.streams import completion_of

MAX_BODY = 3 * 2**19
"""The most bytes of a body, before and after unpacking: fifteen times the longest reply that is read (`MAX_CHARACTERS`).

The client decodes and copies a body several times. With this limit, one request takes less than 50 MB and 50 ms in any case.
"""

MAX_ERROR_BODY = 64 * 2**10
"""The most bytes that are read of the body of a failure, whose status says more than its body."""

MAX_PIECES = 800
"""The most pieces in which a body may come at once. Each takes the client a part of a millisecond."""

PIECES_PER_SECOND = 100
"""How many more pieces may come each second. A gateway may send blanks while it waits, and a stream comes slowly."""

MAX_EVENTS = 4_000
"""The most events of a stream that nobody asked for. Each event is a token."""

MAX_HEADERS = 200
"""The most headers of a response that are kept."""

MAX_BRACKETS = 50_000
"""The most lists and objects in a body; brackets within texts count too."""

MAX_COMMAS = 75_000
"""The most commas in a body, because more take too long to read; commas within texts count too."""

MAX_ITEMS = 128
"""The most items of a list, or keys of an object, that are kept."""

MAX_KEPT = 2_000
"""The most values of a body that are kept."""

MAX_DEPTH = 24
"""How deep nested lists and objects of a body are kept."""

_OTHERS = {"user", "human", "system", "developer", "tool", "function"}


class NoReply(Exception):
    """The HTTP response holds no reply; the text says why."""


class ErrorReply(Exception):
    """The HTTP response has the status of a success, but its body describes an error.

    Attributes:
        codes: the provider's words for the error, in lower case: a code, a type, a status.
        status: the HTTP status among them, if there is one.
    """

    def __init__(self, message: str, codes: tuple[str, ...] = (), status: int | None = None) -> None:
        super().__init__(message, codes, status)
        self.codes = codes
        self.status = status

    def __str__(self) -> str:
        return str(self.args[0])


class Body:
    """The body of one response, which is read piece by piece and unpacked."""

    def __init__(self, encodings: str, limit: int = MAX_BODY, *, clock: Callable[[], float]) -> None:
        """Begin to read a body that is packed as the header Content-Encoding says, and has at most `limit` bytes."""
        names = [name.strip().lower() for name in encodings.split(",")]
        self._packed_as = [name for name in reversed(names) if name not in {"", "identity"}]
        self._unpacking = [_Unpacking(limit) for _ in self._packed_as]
        self._limit = limit
        self._clock = clock
        self._began = clock()
        self._size = self._pieces = 0
        self._unpacked: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Add the next bytes as they came.

        Raises:
            NoReply: the body is too long, or cannot be unpacked. What was added before stays.
        """
        self._size += len(piece)
        self._pieces += 1
        if self._size > self._limit:
            raise NoReply(f"the body is longer than {self._limit:,} bytes")
        if self._pieces > MAX_PIECES + PIECES_PER_SECOND * (self._clock() - self._began):
            raise NoReply(f"the body comes in more than {MAX_PIECES:,} pieces at once")
        if len(self._packed_as) > 2 or not {"gzip", "x-gzip", "deflate"}.issuperset(self._packed_as):
            raise NoReply(f"the body is packed as {', '.join(self._packed_as)[:60]!r}, which nobody asked for")
        for each in self._unpacking:
            piece = each.unpack(piece)
        self._unpacked.append(piece)

    def unpacked(self) -> bytes:
        """Return the body so far, unpacked."""
        return b"".join(self._unpacked)

    def whole(self) -> bytes:
        """Return the whole body, unpacked.

        Raises:
            NoReply: the packed body was cut short.
        """
        if self._size and not all(each.over for each in self._unpacking):
            raise NoReply("the body was cut short")
        return self.unpacked()


class _Unpacking:
    """Unpacks gzip, zlib's format, or the raw format that some servers mean by `deflate`."""

    def __init__(self, limit: int) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._limit = limit
        self._size = 0
        self._head = b""  # the bytes that came before anything could be unpacked

    @property
    def over(self) -> bool:
        return self._zlib.eof

    def unpack(self, piece: bytes) -> bytes:
        if not piece or self.over:
            return b""
        most = self._limit - self._size + 1
        try:
            try:
                unpacked = self._zlib.decompress(piece, most)
            except zlib.error:
                if self._size:
                    raise
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
                unpacked = self._zlib.decompress(self._head + piece, most)
        except zlib.error as error:
            raise NoReply("the body cannot be unpacked: it is damaged") from error
        self._head = b"" if unpacked else self._head + piece
        self._size += len(unpacked)
        if self._size > self._limit:
            raise NoReply(f"the body is longer than {self._limit:,} bytes when it is unpacked")
        return unpacked


def vetted(body: bytes, path: str, keys: Sequence[str] = (), *, choices: int = 1) -> str:
    """Return what a client can make a reply from, as JSON in ASCII; what nobody reads is left out, to save time.

    Args:
        body: the unpacked body.
        path: the path of the request; its end says what is asked for: `/chat/completions`, `/responses`, or something else.
        keys: API keys, which are taken out.
        choices: the most choices of a completion that are let through.

    Raises:
        NoReply: the body is not a reply.
        ErrorReply: the body describes an error.
    """
    try:
        kept = _Keeping(choices * MAX_KEPT).kept(_read(body, path, keys, choices))
    except ErrorReply as error:
        raise ErrorReply(
            redacted(str(error), keys), tuple(redacted(code, keys) for code in error.codes), error.status
        ) from None
    return json.dumps(clean(kept, keys) if keys else kept)


def _read(body: bytes, path: str, keys: Sequence[str], choices: int) -> Any:
    if path.endswith("/chat/completions"):
        return _completion(_without_error(_streamed(body) or _parsed(body, keys)), choices)
    if path.endswith("/responses"):
        return _response(_without_error(_parsed(body, keys)))
    return _parsed(body, keys)


def _streamed(body: bytes) -> dict[str, Any] | None:
    """Return the completion of a body that is a stream of events; None if the body is not a stream."""
    if not body.lstrip().startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return None
    if body.count(b"data:") > MAX_EVENTS:
        raise NoReply(f"the body is a stream of more than {MAX_EVENTS:,} events")
    if (streamed := completion_of(body.decode("utf-8", "replace"))) is None:
        raise NoReply("the body is a stream of events that are no completion")
    return streamed


def _parsed(body: bytes, keys: Sequence[str]) -> Any:
    # This works for UTF-16 too, which has the same bytes among others. Brackets and commas within texts count.
    if body.count(b"[") + body.count(b"{") > MAX_BRACKETS or body.count(b",") > MAX_COMMAS:
        raise NoReply("the body holds more values than a reply has")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = redacted(" ".join(body[:2_000].decode(errors="replace").split()), keys)[:80]  # no half of a key
        why = f"the body is not JSON, or was cut; it starts with {start!r}" if start else "the body is empty"
        raise NoReply(why) from error


def _without_error(data: Any) -> dict[str, Any]:
    """Return `data` if it is an object that describes no error."""
    if not isinstance(data, dict):
        raise NoReply(f"the body is {_kind(data)}, no completion")
    if data.get("error"):
        raise _error_in(data["error"])
    if data.get("object") == "error":
        raise _error_in(data)
    return data


def _error_in(error: object) -> ErrorReply:
    """Return the error that a provider describes, in any of the usual forms."""
    if not isinstance(error, Mapping):
        error = {"code": error, "message": str(error)}
    inner = error.get("error")
    if isinstance(inner, Mapping) and inner:
        error = inner
    said = [error.get(key) for key in ("code", "type", "status", "error_code")]
    codes = tuple(str(code).lower()[:100] for code in said if isinstance(code, str | int) and not isinstance(code, bool))
    status = next((int(code) for code in codes if len(code) == 3 and code.isascii() and code.isdigit() and code >= "400"), None)
    texts = (error.get(key) for key in ("message", "detail", "msg"))
    message = next((text for text in texts if isinstance(text, str) and text), "")
    return ErrorReply(message[:1000] or f"an error {', '.join(codes)}".strip(), codes, status)


def _completion(data: dict[str, Any], most: int) -> dict[str, Any]:
    """Return a body of the chat completions API, from which messages can be made, with at most `most` choices."""
    if "choices" not in data:
        if any(key in data for key in ("message", "detail", "msg", "code")):
            raise _error_in(data)
        raise NoReply("the body has no choices")
    choices = data["choices"]
    if choices is not None and not isinstance(choices, list):
        raise NoReply(f"its choices are {_kind(choices)}, not a list")
    kept = [_choice(choice) for choice in (choices or [])[:most]]
    if most > 1 and isinstance(data.get("id"), str):
        for choice in kept:  # LangChain drops the id of the whole body if there are several choices
            choice["message"]["id"] = data["id"]
    return _first({"choices": kept, "usage": _usage(data, "prompt")}, data)


def _choice(choice: Any) -> dict[str, Any]:
    if not isinstance(choice, dict):
        raise NoReply(f"its choice is {_kind(choice)}, no object")
    if isinstance(choice.get("error"), Mapping) and choice["error"]:
        raise _error_in(choice["error"])
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NoReply(f"its message is {_kind(message)}, no object")
    role = message.get("role")
    if isinstance(role, str) and role.lower() in _OTHERS:
        raise NoReply(f"its message is not the model's but of role {role!r}")
    content = message.get("content")
    if not (content is None or isinstance(content, str) or _is_list_of(content, str | dict)):
        raise NoReply(f"its content is {_kind(content)}, no text")
    calls = message.get("tool_calls") or None
    if calls is not None and not (_is_list_of(calls, dict) and all(_is_tool_call(call) for call in calls)):
        raise NoReply("its tool calls are of an unknown form")
    called = message.get("function_call") or None
    if called is not None and not _is_function(called):
        raise NoReply("its function call is of an unknown form")
    for call in calls or []:
        call["function"]["arguments"] = _arguments(call["function"]["arguments"])
    read = {"content": content, "tool_calls": calls, "function_call": called}
    _see_that_all_is_kept(read)
    return _first(
        {"message": _first({"role": "assistant", "name": None, "id": None} | read, message), "logprobs": None}, choice
    )


def _response(data: dict[str, Any]) -> dict[str, Any]:
    """Return a body of the Responses API, from which a message can be made."""
    output = data.get("output")
    if output is None and any(key in data for key in ("message", "detail", "msg", "code")):
        raise _error_in(data)
    if output is None or not _is_list_of(output, dict):
        raise NoReply(f"its output is {_kind(output)}, not a short list of objects")
    for item in output:
        content = item.get("content")
        if item.get("type") == "message":
            if not _is_list_of(content, dict):
                raise NoReply(f"its content is {_kind(content)}, not a short list of objects")
            for part in content:
                part.pop("logprobs", None)
                if part.get("type") == "output_text" and not isinstance(part.get("text"), str):
                    raise NoReply(f"its content is {_kind(part.get('text'))}, no text")
        elif item.get("type") == "function_call":
            if not (_is_function(item) and isinstance(item.get("call_id"), str)):
                raise NoReply("its function call is of an unknown form")
            item["arguments"] = _arguments(item["arguments"])
    _see_that_all_is_kept(output)
    return _first({"output": output, "usage": _usage(data, "input"), "error": None}, data)


def _first(read: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return `rest` with the entries of `read` first, so that these are kept; entries that must be texts are texts or None."""
    names = ("id", "model", "service_tier", "system_fingerprint")
    odd = {key: None for key in names if key in rest and not isinstance(rest[key], str)}
    return read | odd | {key: value for key, value in rest.items() if key not in read and key not in odd}


def _usage(data: dict[str, Any], read: str) -> dict[str, Any] | None:
    """Return the counts of tokens in `data`, without values that are no counts; None if input or output is missing."""
    usage = data.get("usage")
    if not isinstance(usage, dict):
        return None
    written = "completion" if read == "prompt" else "output"
    counts = _counts(usage)
    if not {f"{read}_tokens", f"{written}_tokens"} <= set(counts):
        return None
    for key in (f"{read}_tokens_details", f"{written}_tokens_details"):
        counts[key] = _counts(usage[key]) if isinstance(usage.get(key), dict) else {}
    total = counts[f"{read}_tokens"] + counts[f"{written}_tokens"]
    return {"total_tokens": total} | counts


def _counts(usage: dict[str, Any]) -> dict[str, Any]:
    counts = {key: int(value) for key, value in usage.items() if isinstance(value, int | float) and _is_count(value)}
    return dict(list(counts.items())[:MAX_ITEMS])


def _is_count(value: float) -> bool:
    return not isinstance(value, bool) and 0 <= value < 2**53 and value == int(value)


def _is_list_of(value: Any, kinds: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_ITEMS and all(isinstance(each, kinds) for each in value)


def _is_tool_call(call: dict[str, Any]) -> bool:
    return _is_function(call.get("function")) and isinstance(call.get("id"), str | None)


def _is_function(called: Any) -> bool:
    return isinstance(called, dict) and isinstance(called.get("name"), str) and isinstance(called.get("arguments"), str)


def _arguments(text: str) -> str:
    """Return a model's arguments, changed if they are JSON but no object, so that the client calls them invalid."""
    try:
        return text if isinstance(json.loads(text), dict) else f"not an object: {text}"
    except (ValueError, RecursionError):
        return text  # the client itself calls it invalid


def _kind(value: Any) -> str:
    """Return the kind of a JSON value, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null or missing")


def _see_that_all_is_kept(value: Any) -> None:
    if _Keeping(MAX_KEPT // 2).kept(value, MAX_DEPTH // 2) != value:
        raise NoReply("the body holds more values than a reply has, or numbers such as NaN")


class _Keeping:
    """Copies plain JSON up to the limits on what is kept; values beyond them become None."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._left = most

    def kept(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        if isinstance(value, dict | list):
            self._left -= min(len(value), MAX_ITEMS)
            if depth == 0 or self._left < 0:
                return None
            if isinstance(value, list):
                return [self.kept(each, depth - 1) for each in value] if len(value) <= MAX_ITEMS else None
            return {key: self.kept(each, depth - 1) for key, each in islice(value.items(), MAX_ITEMS)}
        if isinstance(value, float):
            return value if isfinite(value) else None
        if isinstance(value, int):
            return value if -(2**63) <= value < 2**63 else None
        return value
