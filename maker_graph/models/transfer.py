"""The HTTP clients of the copies of a ChatOpenAI: new clients, or copies of the user's, with two hooks.

The first hook sets the time-out of a request, and asks only for compression that can be undone with a limit. The second hook
reads the body of a response, with limits (`envelopes.py`), and replaces it by one that is small, has the right form, and holds
none of the keys that were sent. So the client's own code never sees the server's original body.

The client's library is httpx or httpx2, which are alike. What is needed of it is taken from the module of the given objects.
"""

import asyncio
import copy
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import cache
from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any
from urllib.request import Request

from maker_graph.models.envelopes import MAX_BODY, MAX_ERROR_BODY, MAX_HEADERS, Body, NoReply, vetted
from maker_graph.models.redaction import redacted, sent_keys, without_keys

Limit = Callable[[], float | None]
"""A function that returns the seconds that a request may take; None leaves it to the client."""

MAX_REDIRECTS = 3
"""The most redirects that are followed by a new client. A gateway has one or two, and a loop has no end."""

ERROR_SECONDS = 5.0
"""The seconds for which the body of a failure is read, whose status says more than its body."""


class Guard:
    """The hooks of a client: one before a request, and one when its response begins."""

    def __init__(self, limit: Limit, choices: int = 1) -> None:
        """Give each request the time that `limit` returns, and let at most `choices` choices of a reply through."""
        self._limit = limit
        self._choices = choices

    def request(self, request: Any) -> None:
        """Give a request its time-out."""
        request.headers["accept-encoding"] = "gzip, deflate"
        if (limit := self._limit()) is not None:
            request.extensions = {**request.extensions, "timeout": dict.fromkeys(("connect", "read", "write", "pool"), limit)}

    async def arequest(self, request: Any) -> None:
        """Give a request its time-out; see `request`."""
        self.request(request)

    def response(self, response: Any) -> None:
        """Read the body of a response, and give up one that comes byte by byte when its time is over.

        Raises:
            NoReply: the body is not a reply.
            ErrorReply: the body of a success describes an error.
        """
        body = _body_of(response)
        try:
            _read(response, body, self._limit() if response.is_success else ERROR_SECONDS)
        except Exception as error:
            if not _is_enough(error, response):
                raise
        response.stream.close()
        _replace(response, body, self._choices)

    async def aresponse(self, response: Any) -> None:
        """Read the body of a response; see `response`. The caller who waits for the reply limits its time."""
        body = _body_of(response)
        try:
            async with asyncio.timeout(None if response.is_success else ERROR_SECONDS):
                pieces: AsyncGenerator[bytes] = aiter(response.stream)
                async with aclosing(pieces):
                    async for piece in pieces:
                        body.add(piece)
        except Exception as error:
            if not _is_enough(error, response):
                raise
        await response.stream.aclose()
        _replace(response, body, self._choices)


def guarded(own: Any, limit: Limit, choices: int = 1) -> Any:
    """Return a client for blocking calls: a new one, or a copy of the user's `own`, which stays as it is."""
    guard = Guard(limit, choices)
    return _hooked(own, _closing_client, guard.request, guard.response)


def aguarded(own: Any, limit: Limit, choices: int = 1) -> Any:
    """Return a client for asynchronous calls; see `guarded`."""
    guard = Guard(limit, choices)
    return _hooked(own, _async_client, guard.arequest, guard.aresponse)


def _hooked(own: Any, kind: Callable[[], Any], request: Any, response: Any) -> Any:
    """Return a client with both hooks: the last one to see a request, and the first one to see a response."""
    # A copy has the same connections, proxies, certificates and headers.
    client = kind()(max_redirects=MAX_REDIRECTS) if own is None else copy.copy(own)
    hooks = client.event_hooks
    client.event_hooks = {"request": [*hooks["request"], request], "response": [response, *hooks["response"]]}
    client.cookies = client.cookies  # this copies them
    client.cookies.jar.set_policy(_NoNewCookies())
    return client


class _NoNewCookies(DefaultCookiePolicy):
    """Sends the user's cookies, but takes none from a server, because one that cannot be sent breaks all later requests."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:  # noqa: ARG002  the policy's own signature
        return False


def _async_client() -> Any:
    from openai import DefaultAsyncHttpxClient  # noqa: PLC0415  half a second, and only ChatOpenAI needs it

    return DefaultAsyncHttpxClient


@cache
def _closing_client() -> Any:
    from openai import DefaultHttpxClient  # noqa: PLC0415  as above

    class ClosingClient(DefaultHttpxClient):
        """A client that closes its connections when it is no longer used."""

        def __del__(self) -> None:
            with suppress(Exception):  # the interpreter may be at its end
                self.close()

    return ClosingClient


def _library(response: Any) -> Any:
    return sys.modules[type(response).__module__.partition(".")[0]]


def _body_of(response: Any) -> Body:
    limit = MAX_BODY if response.is_success else MAX_ERROR_BODY
    return Body(response.headers.get("content-encoding", ""), limit, clock=time.monotonic)


def _read(response: Any, body: Body, limit: float | None) -> None:
    began = time.monotonic()
    for piece in response.stream:
        body.add(piece)
        if limit is not None and time.monotonic() - began > limit:
            raise _library(response).ReadTimeout("the body takes too long", request=response.request)


def _is_enough(error: Exception, response: Any) -> bool:
    """Say whether the part of a body that was read before `error` is enough, which it is for a failure.

    Raises:
        NoReply: the body of a success was cut short.
    """
    library = _library(response)
    if not response.is_success:
        return isinstance(error, NoReply | TimeoutError | library.TransportError)
    if isinstance(error, library.TransportError) and not isinstance(error, library.TimeoutException):
        raise NoReply(f"the body was cut short ({type(error).__name__})") from error
    return False


def _replace(response: Any, body: Body, choices: int) -> None:
    """Replace the body of a response by what a client may see, and take the keys that were sent out of the response."""
    keys = sent_keys(response.request)
    if len(response.headers.raw) > MAX_HEADERS:
        response.headers = type(response.headers)(response.headers.raw[:MAX_HEADERS])
    if response.is_success:
        text = vetted(body.whole(), response.request.url.path, keys, choices=choices)
        response.headers["content-type"] = "application/json"
    else:
        text = redacted(body.unpacked().decode("utf-8", "replace"), keys)
        response.headers["content-type"] = "text/plain; charset=utf-8"
    for name in ("content-encoding", "content-length", "transfer-encoding"):
        response.headers.pop(name, None)
    said = b"\n".join(value for _, value in response.headers.raw).decode("latin-1")
    if without_keys(said, keys) != said:
        for name, value in response.headers.multi_items():
            response.headers[name] = without_keys(value, keys)
    response.stream = _library(response).ByteStream(text.encode())
