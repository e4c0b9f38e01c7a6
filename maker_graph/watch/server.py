"""The page over HTTP: its files, a stream of changes (server-sent events), the review queues, and the answers to them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from maker_graph.errors import LimitReached, MakerError, UsageError
from maker_graph.report.document import asset
from maker_graph.run.left_answers import LONGEST
from maker_graph.watch.counting import shown
from maker_graph.watch.desk import Desk
from maker_graph.watch.hub import Hub, News

MOST_SENT = 4 * LONGEST + 10_000
"""The most bytes of a request: the longest answer, with four bytes for each character."""

AGAIN = 1000
"""Milliseconds after which a browser that lost the stream connects again."""

PUBLIC = ("/house.css", "/watch.css", "/pegs.js", "/watch.js")
"""The files that need no token: they ship with the package."""

_SHARED = {"house.css", "pegs.js"}
"""The files of these that the report uses too."""

_KINDS = {"css": "text/css", "js": "text/javascript", "html": "text/html"}

_UNWATCHED = "This run is not watched any more. Load the page again."


class _Answer(BaseModel):
    """What the page sends as an answer."""

    model_config = ConfigDict(extra="forbid")
    step: Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]
    reply: str
    candidate: bool = False
    asked: str


def create_app(hub: Hub, desk: Desk) -> Starlette:
    """Return the ASGI app that shows the runs of `hub`, and hands answers to `desk`. Put it behind a `Guard`."""

    async def events(request: Request) -> Response:
        chosen, heard = request.query_params.get("run"), request.headers.get("last-event-id")
        return StreamingResponse(_stream(hub.listen(chosen, heard)), media_type="text/event-stream")

    async def queue(request: Request) -> Response:
        home = hub.home(request.path_params["key"])
        if home is None:
            return _problem(_UNWATCHED, 404)
        return await _told(desk, lambda: _json(desk.queue(home)))

    async def answer(request: Request) -> Response:
        home = hub.home(request.path_params["key"])
        if home is None:
            return _problem(_UNWATCHED, 404)
        body = await _body(request)
        if body is None:
            return _problem(f"The answer is longer than {LONGEST:,} characters. Shorten it.", 413)
        try:
            sent = _Answer.model_validate_json(body)
        except ValidationError:
            return _problem("The page and the server are of different versions. Load the page again.", 400)

        def answered() -> Response:
            found = desk.answer(home, sent.step, sent.reply, candidate=sent.candidate, asked=sent.asked)
            return _problem(f"The answer was not taken: {shown(found.refused, 600)}.", 422) if found.refused else _json({})

        return await _told(desk, answered)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.ensure_future(hub.work())
        try:
            yield
        finally:
            work.cancel()
            desk.close()

    return Starlette(
        routes=[
            Route("/", _file("watch.html"), methods=["GET"]),
            *(Route(path, _file(path.removeprefix("/")), methods=["GET"]) for path in PUBLIC),
            Route("/events", events, methods=["GET"]),
            Route("/runs/{key}/queue", queue, methods=["GET"]),
            Route("/runs/{key}/answers", answer, methods=["POST"]),
        ],
        lifespan=lifespan,
    )


def _file(name: str) -> Callable[[Request], Response]:
    content, kind = asset(name, "report" if name in _SHARED else "watch"), _KINDS[name.rpartition(".")[2]]

    def served(_: Request) -> Response:
        return Response(content, media_type=kind)

    return served


async def _stream(news: AsyncIterator[News | None]) -> AsyncIterator[str]:
    """Yield the news as server-sent events; a comment keeps the connection open while there are none."""
    yield f"retry: {AGAIN}\n\n"
    async for each in news:
        if each is None:
            yield ": nothing new\n\n"
            continue
        # JSON on one line, in ASCII
        data = json.dumps({"all": each.all, "runs": each.runs, "chosen": each.chosen, "more": each.more})
        yield f"id: {each.number}\nevent: news\ndata: {data}\n\n"


async def _body(request: Request) -> bytes | None:
    """Return the body of a request; None if it has more than `MOST_SENT` bytes."""
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > MOST_SENT:
            return None
    return bytes(found)


async def _told(desk: Desk, work: Callable[[], Response]) -> Response:
    """Do work with the task of a run in the thread of the desk; reply with what is wrong with the run or its task."""

    def done() -> Response:
        try:
            return work()
        except (UsageError, LimitReached) as error:
            return _problem(shown(str(error), 600), 409)
        except MakerError as error:
            return _problem(shown(str(error), 600), 500)
        except Exception as error:  # noqa: BLE001  the files of a run, or its task, may cause any error
            return _problem(f"This run cannot be read ({type(error).__name__}): try maker-graph verify.", 500)

    return await asyncio.get_running_loop().run_in_executor(desk.thread, done)


def _problem(text: str, status: int) -> Response:
    return _json({"problem": text}, status)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    """Return plain JSON, in ASCII, so that lone surrogates (half characters) can be sent."""
    return Response(json.dumps(content), status, media_type="application/json")
