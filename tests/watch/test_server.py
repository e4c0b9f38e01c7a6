"""The page behind HTTP: files, a stream, queues, and answers that say what is wrong with them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from maker_graph.run.directory import Directory
from maker_graph.run.home import Home
from maker_graph.run.left_answers import AnswerFiles
from maker_graph.watch.desk import Desk
from maker_graph.watch.hub import Hub, News, key_of
from maker_graph.watch.server import MOST_SENT, PUBLIC, _stream, create_app
from tests.run.test_waiting import MOVES
from tests.watch.homes import finding
from tests.watch.test_desk import stuck


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[TestClient, Path]]:
    directory = stuck(tmp_path)
    hub = Hub(lambda: finding([directory]))
    hub._look()
    with TestClient(create_app(hub, Desk())) as client:
        yield client, directory


def test_the_page_and_its_files_are_those_of_the_package(served: tuple[TestClient, Path]) -> None:
    client, _ = served
    page = client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path in PUBLIC:
        assert f'"{path}"' in page.text
        assert client.get(path).status_code == 200
    for word in ("style=", "onclick", "<style", "http:", "https:"):
        assert word not in page.text
    script = client.get("/watch.js").text
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "DOMParser"):
        assert word not in script


def test_an_answer_is_taken_or_told_why_not(served: tuple[TestClient, Path]) -> None:
    client, directory = served
    path = f"/runs/{key_of(Directory(directory))}/answers"
    (ask,) = client.get(f"/runs/{key_of(Directory(directory))}/queue").json()["asks"]
    assert ask["step"] == 1
    assert client.post(path, json={"step": 1, "reply": MOVES[0], "asked": "another"}).status_code == 422
    wrong = client.post(path, json={"step": 1, "reply": "no move", "asked": ask["id"]})
    assert (wrong.status_code, "malformed" in wrong.json()["problem"]) == (422, True)
    assert client.post(path, json={"step": 1, "reply": "x", "candidate": True, "asked": ask["id"]}).status_code == 409
    assert client.post(path, json={"step": 1, "reply": MOVES[0], "asked": ask["id"]}).status_code == 200
    assert [left.reply for left in AnswerFiles(directory).all()] == [MOVES[0]]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"no", b"\xff", b"[" * 10_000, b'{"step": 1}'),
        *(b'{"step": 0, "reply": "x"}', b'{"step": true, "reply": "x"}', b'{"step": 1e99, "reply": ""}'),
        *(b'{"step": 1, "reply": "x", "asked": "", "more": 1}', b'{"step": 1, "reply": "\\ud800", "asked": ""}'),
    ],
)
def test_what_is_no_answer_is_refused(served: tuple[TestClient, Path], body: bytes) -> None:
    client, directory = served
    assert client.post(f"/runs/{key_of(Directory(directory))}/answers", content=body).status_code == 400
    assert AnswerFiles(directory).all() == []


def test_too_much_is_not_read_to_its_end(served: tuple[TestClient, Path]) -> None:
    client, directory = served
    assert client.post(f"/runs/{key_of(Directory(directory))}/answers", content=b" " * (MOST_SENT + 1)).status_code == 413


def test_only_runs_that_are_watched_have_addresses(served: tuple[TestClient, Path]) -> None:
    client, _ = served
    for key in ("nothing", "..", "%2e%2e", "r"):
        assert client.get(f"/runs/{key}/queue").status_code == 404
        assert client.post(f"/runs/{key}/answers", json={"step": 1, "reply": "x", "asked": ""}).status_code == 404


def test_a_run_that_is_gone_says_so(served: tuple[TestClient, Path]) -> None:
    client, directory = served
    directory.rename(directory.with_name("away"))
    gone = client.get(f"/runs/{key_of(Directory(directory))}/queue")
    assert (gone.status_code, "is not a run" in gone.json()["problem"]) == (409, True)


async def test_what_is_streamed_are_events_of_one_line_each() -> None:
    async def told() -> "object":
        yield News("b-1", True, {"k": {"name": "a\nb\u2028c\r"}}, None)
        yield None

    events = [event async for event in _stream(told())]  # type: ignore[arg-type]  # as much as is asked of it
    assert events[0].startswith("retry: ")
    assert events[2].startswith(":")
    lines = events[1].split("\n")
    assert (lines[:2], lines[3:]) == (["id: b-1", "event: news"], ["", ""])
    assert json.loads(lines[2].removeprefix("data: "))["runs"]["k"]["name"] == "a\nb\u2028c\r"
    assert events[1].isascii()


class Odd(Desk):
    """A desk at runs whose journals hold what nobody expects."""

    def queue(self, home: Home) -> dict[str, Any]:
        if home.name == "r":
            return {"asks": [{"flags": {"\ud800": 1}}]}
        raise KeyError(home.name)


def test_half_a_character_and_what_nobody_expects_are_told(tmp_path: Path) -> None:
    one = stuck(tmp_path)
    two = one.with_name("two")
    two.mkdir()
    hub = Hub(lambda: finding([one, two]))
    hub._look()
    with TestClient(create_app(hub, Odd())) as client:
        got = client.get(f"/runs/{key_of(Directory(one))}/queue")
        assert (got.status_code, list(json.loads(got.content)["asks"][0]["flags"])) == (200, ["\ud800"])
        bad = client.get(f"/runs/{key_of(Directory(two))}/queue")
        assert (bad.status_code, "KeyError" in bad.json()["problem"]) == (500, True)
