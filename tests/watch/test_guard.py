"""Who knows the token, by a name of the server and from its page, is let through; nobody else is."""

from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from maker_graph.watch.guard import HEADERS, Guard, is_loopback

TOKEN = "t" * 32


def client(host: str = "127.0.0.1", names: tuple[str, ...] = ("box",)) -> TestClient:
    async def page(_: Request) -> Response:
        return PlainTextResponse("in")

    app = Starlette(routes=[Route(path, page, methods=["GET", "POST"]) for path in ("/", "/open.js")])
    guard = Guard(app, token=TOKEN, host=host, names=names, public=("/open.js",))
    return TestClient(guard, base_url="http://127.0.0.1:8765")


def asked(headers: Mapping[str, str] | None = None, *, method: str = "GET", path: str = f"/?token={TOKEN}", **how: str) -> int:
    return client(**how).request(method, path, headers=headers).status_code  # type: ignore[arg-type]  # host alone


def test_the_token_opens_and_nothing_else_does() -> None:
    assert asked() == 200
    assert asked(path="/") == asked(path="/?token=") == asked(path="/?token=t") == asked(path=f"/?token={TOKEN}x") == 403
    assert asked({"X-Token": TOKEN}, path="/") == 200
    assert asked({"X-Token": "%C3%A9"}, path="/") == asked(path="/?token=%C3%A9") == 403
    assert asked(path="/open.js") == 200


@pytest.mark.parametrize("name", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST", "[::1]:8765", "127.0.0.1:22"])
def test_a_name_of_this_machine_is_one_of_the_server(name: str) -> None:
    assert asked({"Host": name}) == 200


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost.", "127.0.0.1:8765@evil", "10.0.0.7", "", "a:b:c"]
)
def test_a_name_that_somebody_else_may_give_out_is_refused(name: str) -> None:
    assert asked({"Host": name}) == 403


def test_at_all_addresses_any_number_and_the_name_of_the_machine_are_its_own() -> None:
    for name in ("10.0.0.7:8765", "box:8765", "[fe80::1]:8765", "localhost"):
        assert asked({"Host": name}, host="0.0.0.0") == 200  # noqa: S104  it is not listened on
    assert asked({"Host": "evil.example"}, host="0.0.0.0") == 403  # noqa: S104  as above
    assert asked({"Host": "10.0.0.7"}, host="10.0.0.7") == 200
    assert asked({"Host": "localhost"}, host="10.0.0.7") == 403


def test_another_page_may_neither_ask_nor_answer() -> None:
    own = "http://127.0.0.1:8765"
    assert asked({"Origin": own}) == 200
    for origin in ("http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1:9"):
        assert asked({"Origin": origin}) == 403
    assert asked({"Sec-Fetch-Site": "cross-site"}) == asked({"Sec-Fetch-Site": "same-site"}) == 403
    assert asked({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}) == 200, "a link may open it"
    assert asked({"Origin": own, "X-Token": TOKEN}, method="POST", path="/") == 200
    assert asked({"X-Token": TOKEN}, method="POST", path="/") == 403
    assert asked({"Origin": own}, method="POST") == 403, "who writes sends the token in a header"
    assert asked({"Origin": own, "X-Token": TOKEN, "Sec-Fetch-Site": "cross-site"}, method="POST", path="/") == 403


def test_every_answer_says_what_a_browser_must_not_do() -> None:
    for path in ("/", f"/?token={TOKEN}", "/open.js", f"/nothing?token={TOKEN}"):
        got = client().get(path)
        assert {name: got.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_only_this_machine_reaches_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.7", "box", "::")))  # noqa: S104  it is not listened on
