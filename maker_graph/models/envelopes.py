"""What a reply comes in: the body of an HTTP response, before a client makes anything of it.

A body may be anything: endless, packed a thousandfold, HTML, nested without end, or a completion whose parts are of other types
than they should be. `Body` takes it in with limits. `vetted` lets pass what a client can make a reply of, and no more than
anybody reads of it. All else is `NoReply`, or `ErrorReply` if the provider says in the body what went wrong.

Nothing here waits or knows a client; `transfer.py` does.
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
"""Bytes of a body, as they come and unpacked: fifteen times what a reply holds that is read at all (`MAX_CHARACTERS`).

The client decodes and copies a body several times. So one request takes less than 50 MB and 50 ms, whatever comes.
"""

MAX_ERROR_BODY = 64 * 2**10
"""Bytes that are read of the body of a failure: the status says more."""

MAX_PIECES = 800
"""Pieces in which a body may come at once: each takes the client a part of a millisecond."""

PIECES_PER_SECOND = 100
"""And so many more a second: a gateway that sends blanks while it waits, or a stream that nobody asked for, takes its time."""

MAX_EVENTS = 4_000
"""Events of a stream that nobody asked for: a token each."""

MAX_HEADERS = 200
"""Headers of a response that are kept."""

MAX_BRACKETS = 50_000
"""Lists and objects in a body at most, brackets within texts included."""

MAX_COMMAS = 75_000
"""Commas in a body at most, those within texts included: more of them take too long to read."""

MAX_ITEMS = 128
"""Items of a list, or keys of an object, that are kept."""

MAX_KEPT = 2_000
"""Values that are kept of a body."""

MAX_DEPTH = 24
"""Lists and objects inside each other that are kept of a body."""

_OTHERS = {"user", "human", "system", "developer", "tool", "function"}


class NoReply(Exception):
    """What came back over HTTP is no reply; the text says why."""


class ErrorReply(Exception):
    """What came back as a success is what the provider says of an error.

    Attributes:
        codes: what it calls the error, in lower case: a code, a type, a status.
        status: the HTTP status among them, if there is one.
    """

    def __init__(self, message: str, codes: tuple[str, ...] = (), status: int | None = None) -> None:
        super().__init__(message, codes, status)
        self.codes = codes
        self.status = status

    def __str__(self) -> str:
        return str(self.args[0])


class Body:
    """The body of one response, taken in piece by piece and unpacked."""

    def __init__(self, encodings: str, limit: int = MAX_BODY, *, clock: Callable[[], float]) -> None:
        """Take in a body that is packed as the header Content-Encoding says, and `limit` bytes long at most."""
        names = [name.strip().lower() for name in encodings.split(",")]
        self._packed_as = [name for name in reversed(names) if name not in {"", "identity"}]
        self._unpacking = [_Unpacking(limit) for _ in self._packed_as]
        self._limit = limit
        self._clock = clock
        self._began = clock()
        self._size = self._pieces = 0
        self._unpacked: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Take in the next bytes as they came.

        Raises:
            NoReply: it is too much, or cannot be unpacked. What was taken in before stays.
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
        """Return what was taken in so far, unpacked."""
        return b"".join(self._unpacked)

    def whole(self) -> bytes:
        """Return all of it, unpacked.

        Raises:
            NoReply: what is packed was cut short.
        """
        if self._size and not all(each.over for each in self._unpacking):
            raise NoReply("the body was cut short")
        return self.unpacked()


class _Unpacking:
    """Unpacks gzip, zlib's format, or the bare one that some servers mean by `deflate`."""

    def __init__(self, limit: int) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._limit = limit
        self._size = 0
        self._head = b""  # what came before anything was unpacked

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
    """Return what a client may make a reply of, as JSON in ASCII; what nobody reads is left out, so that it takes no time.

    Args:
        body: as it came, unpacked.
        path: of the request; its end says what is asked for: `/chat/completions`, `/responses`, or something else.
        keys: API keys, which are taken out.
        choices: of a completion that are let pass at most.

    Raises:
        NoReply: it is none.
        ErrorReply: it is an error that the provider tells of.
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
    """Return the completion of a body that is a stream of events; None if it is none."""
    if not body.lstrip().startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return None
    if body.count(b"data:") > MAX_EVENTS:
        raise NoReply(f"the body is a stream of more than {MAX_EVENTS:,} events")
    if (streamed := completion_of(body.decode("utf-8", "replace"))) is None:
        raise NoReply("the body is a stream of events that are no completion")
    return streamed


def _parsed(body: bytes, keys: Sequence[str]) -> Any:
    # UTF-16 has the same bytes among others, so that this holds for it as well; brackets and commas within texts count.
    if body.count(b"[") + body.count(b"{") > MAX_BRACKETS or body.count(b",") > MAX_COMMAS:
        raise NoReply("the body holds more values than a reply has")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        start = redacted(" ".join(body[:2_000].decode(errors="replace").split()), keys)[:80]  # no half of a key
        raise NoReply(f"the body is no JSON, or was cut; it starts with {start!r}" if start else "the body is empty") from error


def _without_error(data: Any) -> dict[str, Any]:
    """Return `data` if it is an object that tells of no error."""
    if not isinstance(data, dict):
        raise NoReply(f"the body is {_kind(data)}, no completion")
    if data.get("error"):
        raise _error_in(data["error"])
    if data.get("object") == "error":
        raise _error_in(data)
    return data


def _error_in(error: object) -> ErrorReply:
    """Return the error that a provider tells of, in one of the ways in which that is done."""
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
    """Return a body of the chat completions API with so many choices at most, of which messages can be made."""
    if "choices" not in data:
        if any(key in data for key in ("message", "detail", "msg", "code")):
            raise _error_in(data)
        raise NoReply("the body has no choices")
    choices = data["choices"]
    if choices is not None and not isinstance(choices, list):
        raise NoReply(f"its choices are {_kind(choices)}, not a list")
    kept = [_choice(choice) for choice in (choices or [])[:most]]
    if most > 1 and isinstance(data.get("id"), str):
        for choice in kept:  # LangChain drops the id of the whole where there are several
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
    """Return a body of the responses API of which a message can be made."""
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
    """Return `rest` with what is read of it first, so that this is kept; and what a client looks up is text, or nothing."""
    names = ("id", "model", "service_tier", "system_fingerprint")
    odd = {key: None for key in names if key in rest and not isinstance(rest[key], str)}
    return read | odd | {key: value for key, value in rest.items() if key not in read and key not in odd}


def _usage(data: dict[str, Any], read: str) -> dict[str, Any] | None:
    """Return the tokens that `data` tells, without what is no count; None if it does not tell both sides."""
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
    """Return the arguments that a model wrote, so that the client sees it if they are no object: other JSON it cannot take."""
    try:
        return text if isinstance(json.loads(text), dict) else f"not an object: {text}"
    except (ValueError, RecursionError):
        return text  # which the client sees by itself


def _kind(value: Any) -> str:
    """Return what a value of JSON is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null or missing")


def _see_that_all_is_kept(value: Any) -> None:
    if _Keeping(MAX_KEPT // 2).kept(value, MAX_DEPTH // 2) != value:
        raise NoReply("the body holds more values than a reply has, or numbers that are none")


class _Keeping:
    """Copies plain JSON as far as the limits on what is kept go; None stands for what is beyond."""

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
