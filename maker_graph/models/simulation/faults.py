"""The faults of a provider, for the simulated server, to try a storm of failures with a real client."""

import asyncio
import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from maker_graph.errors import UsageError

ON_ITS_WAY = 0.25
"""A request that comes within so many seconds after a 429 may have been sent before its client read that; .08 was measured."""

_NAMES = {"429": "slow_down", "5xx": "server_error"}


@dataclass(frozen=True, slots=True)
class Faults:
    """The share of the requests that get each fault; the other requests are answered.

    Attributes:
        slow_down: 429 with Retry-After.
        server_error: 500, 502, 503 or 504.
        hang: no answer for `hang_seconds`, and then the connection is closed.
        reset: the connection is reset.
        cut: the body ends too soon, and the connection is closed.
        html: 200 with a page in place of a completion.
        empty: 200 with no choices.
        retry_after: the seconds that a 429 asks to wait.
        hang_seconds: how long a hang lasts, if the client waits that long.
    """

    slow_down: float = 0.0
    server_error: float = 0.0
    hang: float = 0.0
    reset: float = 0.0
    cut: float = 0.0
    html: float = 0.0
    empty: float = 0.0
    retry_after: float = 1.0
    hang_seconds: float = 3600.0

    def shares(self) -> dict[str, float]:
        """Return the share of each fault, under its name in `parse_faults`."""
        names = {attribute: name for name, attribute in _NAMES.items()}
        return {names.get(each.name, each.name): getattr(self, each.name) for each in fields(self)[:7]}


def parse_faults(text: str) -> Faults:
    """Return the faults in `text`: a share for each fault, and the seconds of `retry-after` and `hang-seconds`.

    >>> parse_faults("429=.3,5xx=.05,retry-after=2").shares()["429"]
    0.3

    Raises:
        UsageError: there is no such fault, or a number is out of range.
    """
    given: dict[str, float] = {}
    known = {name.replace("_", "-"): name for name in (each.name for each in fields(Faults)) if name not in _NAMES.values()}
    known |= _NAMES
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in known:
            raise UsageError(f"--faults does not know {name!r}: give some of {', '.join(sorted(known))}.")
        try:
            number = float(value)
        except ValueError:
            raise UsageError(f"--faults needs a number for {name}, as in {name}=.1, not {value!r}.") from None
        timed = name in {"retry-after", "hang-seconds"}
        if not 0 <= number < float("inf") or (number > 1 and not timed):
            raise UsageError(f"--faults {name} needs {'at least 0 seconds' if timed else 'a share from 0 to 1'}, not {value}.")
        given[known[name]] = number
    faults = Faults(**given)
    if sum(faults.shares().values()) > 1 + 1e-9:
        raise UsageError("The shares of --faults add up to more than 1: lower some of them.")
    return faults


class FaultyServer:
    """An ASGI app in front of another one that draws a fate for each chat completion; GET /v1/faults returns its counts.

    It counts the requests and their fates. `retried_early` counts requests that were told to wait and came again too early.
    `early` counts all requests, of any caller, that came while a 429 asked to wait, unless they were on their way before it.
    The app must be served with `ReachableConnection`, because an ASGI app by itself cannot break a connection.
    """

    def __init__(self, app: ASGIApp, faults: Faults, *, seed: int = 0) -> None:
        """Make the app; the fates depend on `seed` and on the order in which requests come."""
        self._app = app
        self._faults = faults
        self._rng = Random(seed)  # noqa: S311  seeded, and no secret
        self._counts: Counter[str] = Counter(
            dict.fromkeys(["requests", "answered", "early", "retried_early", *faults.shares()], 0)
        )
        self._told: list[tuple[float, float]] = []
        self._told_each: dict[bytes, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path")
        if path == "/v1/faults":
            await JSONResponse(dict(self._counts))(scope, receive, send)
        elif path == "/v1/chat/completions":
            await self._completion(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _completion(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = time.monotonic()
        self._told = [(told, until) for told, until in self._told if now < until]
        self._counts["early"] += any(told + ON_ITS_WAY < now for told, _ in self._told)
        self._counts["requests"] += 1
        body = await Request(scope, receive).body()
        self._counts["retried_early"] += now < self._told_each.pop(body, now)
        shares = self._faults.shares()
        fate = self._rng.choices([*shares, "answered"], [*shares.values(), max(0.0, 1 - sum(shares.values()))])[0]
        self._counts[fate] += 1
        match fate:
            case "answered":
                await self._app(scope, _after(body, receive), send)
                return
            case "hang":
                with suppress(TimeoutError):
                    await asyncio.wait_for(_gone(receive), self._faults.hang_seconds)
                    return
                _break(scope, reset=False)
                return
        match fate:
            case "429":
                await self._slow_down(body, scope, receive, send)
            case "5xx":
                status = (500, 502, 503, 504)[self._counts[fate] % 4]
                await _problem(status, "The simulated server is not well.")(scope, receive, send)
            case "html":
                await HTMLResponse("<html><body>Bad gateway</body></html>")(scope, receive, send)
            case "empty":
                head = {"id": "none", "object": "chat.completion", "created": 0, "model": "none"}
                await JSONResponse({**head, "choices": None if self._counts[fate] % 2 else []})(scope, receive, send)
            case "reset":
                _break(scope, reset=True)
            case "cut":
                headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})
                _break(scope, reset=False)
        if fate in {"reset", "cut"}:
            await _gone(receive)

    async def _slow_down(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        seconds = self._faults.retry_after
        headers = {"retry-after-ms": f"{1000 * seconds:g}"}
        if seconds.is_integer():
            headers["retry-after"] = f"{seconds:.0f}"
        now = time.monotonic()
        self._told.append((now, now + seconds))
        self._told_each[body] = now + seconds
        await _problem(429, "Slow down.", headers)(scope, receive, send)


def _problem(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    error = {"message": message, "type": "simulated", "param": None, "code": None}
    return JSONResponse({"error": error}, status, headers)


def _after(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first gives back `body`, which was taken from it."""
    taken: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return taken.pop() if taken else await receive()

    return again


async def _gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _break(scope: Scope, *, reset: bool) -> None:
    """Close the connection of a request, or reset it."""
    transport: asyncio.Transport = scope["transport"]
    if reset:
        at_once = struct.pack("ii", 1, 0)  # with a linger time of 0, closing is a reset
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport.abort()
    else:
        transport.close()


class ReachableConnection(H11Protocol):
    """Uvicorn's connection, which puts its transport into the scope of the app."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Begin."""
        super().connection_made(transport)
        app: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "transport": transport}, receive, send)

        self.app = with_transport
