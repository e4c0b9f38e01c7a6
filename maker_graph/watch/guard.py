"""Which requests the page answers: those with the token, to a name of this server, and from its own page.

- The token is in the address that the command prints. Every request needs it, other than those for the page's style and
  script, which ship with the package. It is needed on 127.0.0.1 too: only their owner may read the files of a run, but all
  users of the machine can reach its ports.
- `Host` must be a name of this server. Otherwise a foreign page could point its own name at this machine, and read the
  replies.
- `Origin`, and the headers in which a browser says where a request comes from, must name this server. So no other page can
  read or answer.

The page may load and run nothing but this server's own files.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  names to be compared with

HEADER = "X-Token"
"""The header in which the page's script sends the token. A form on another page cannot set it."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The page's Content-Security-Policy: it loads from this server alone, and no text can become script or markup."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


_FOREIGN = "The request comes from another page. Open the address that maker-graph watch printed."


def is_loopback(host: str) -> bool:
    """Say whether a server at `host` can be reached from this machine only."""
    if host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI app in front of another. It refuses requests as described above, and adds security headers to replies."""

    def __init__(self, app: App, *, token: str, host: str, names: Sequence[str] = (), public: Sequence[str] = ()) -> None:
        """Guard `app`.

        Args:
            app: the app that is guarded.
            token: the token that requests need.
            host: the address at which the server listens.
            names: names of this machine, which are used if the server listens at all its addresses.
            public: the paths that need no token.
        """
        self._app, self._token, self._public = app, token, frozenset(public)
        self._any_address = host in EVERYWHERE
        own = [*names] if self._any_address else [host]
        self._names = {name.lower() for name in (*own, *(LOOPBACK if self._any_address or is_loopback(host) else ()))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page uses no WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        why = self._refused(scope)
        await (self._app(scope, receive, guarded) if why is None else PlainTextResponse(why, 403)(scope, receive, guarded))

    def _refused(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return "This address has a name that is not the server's. Open the address that maker-graph watch printed."
        if any(origin != f"http://{hosts[0]}" for origin in origins) or len(origins) > 1:
            return _FOREIGN
        from_ = headers.get("sec-fetch-site", "same-origin")
        opens = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if from_ not in {"same-origin", "none"} and not opens:
            return _FOREIGN
        if scope["method"] not in {"GET", "HEAD"} and not origins:
            return "Answers are taken from the page only. Open the address that maker-graph watch printed."
        if scope["path"] not in self._public and not self._knows_token(scope, headers):
            return "The token is missing or wrong. Open the whole address that maker-graph watch printed, with its token."
        return None

    def _is_own(self, host: str) -> bool:
        """Say whether `host` is a name of this server. A port may follow, and may be any: ports can be forwarded."""
        name, colon, port = host.lower().rpartition(":")
        if not colon or host.endswith("]"):
            name, port = host.lower(), ""
        if port and not (port.isascii() and port.isdigit()):
            return False
        bare = name.removeprefix("[").removesuffix("]")
        if bare in self._names:
            return True
        if not self._any_address:
            return False
        try:
            ipaddress.ip_address(bare)  # an address, not a name that a foreign page could point at this machine
        except ValueError:
            return False
        return True

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        in_address = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        writes = scope["method"] not in {"GET", "HEAD"}
        given = headers.getlist(HEADER) if writes else [*headers.getlist(HEADER), *in_address]
        return any(hmac.compare_digest(each.encode(), self._token.encode()) for each in given)
