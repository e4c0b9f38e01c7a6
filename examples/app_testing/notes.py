"""A small application to be tested: notes, with a login. Faults can be put into it by name.

    python -m examples.app_testing.notes --port 8000 --fault lost

It keeps everything in memory, and `requests` lists the requests that it got.
"""

import argparse
import asyncio
import html
import os
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

PASSWORD = "wonder-1"  # noqa: S105  the application keeps no data

FAULTS = {
    "lost": "a note that is added does not appear",
    "other": "delete always deletes the first note",
    "silent": "a wrong password is refused without a word",
    "script": "notes are shown as HTML, so that a script in one is run",
    "crash": "adding a note without a text is an error of the application",
    "endless": "the page after the login never comes",
    "down": "the application ends when a note is added",
    "outside": "the link to the login leads elsewhere",
}
"""The faults that can be put in, by name."""


class Notes:
    """The application.

    Attributes:
        app: the application to serve.
        requests: method and path of each request, in order.
        held: set while a client waits for an answer that never comes.
    """

    def __init__(self, faults: Collection[str] = ()) -> None:
        self.faults = faults
        self.requests: list[str] = []
        self.held = threading.Event()
        self.reset()
        self.app = Starlette(
            routes=[
                Route("/", self._index),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/logout", self._logout),
                Route("/add", self._add, methods=["POST"]),
                Route("/delete/{number:int}", self._delete, methods=["POST"]),
            ]
        )

    def reset(self) -> None:
        """Put back the two notes that are there at first, and forget all others."""
        self.notes = {1: "Buy bread", 2: "Call Bob"}

    def _page(self, request: Request, body: str, status: int = 200) -> Response:
        user = request.cookies.get("user")
        login = "http://127.0.0.2:9/login" if "outside" in self.faults else "/login"
        links = f'<span>{html.escape(user)}</span> <a href="/logout">Log out</a>' if user else f'<a href="{login}">Log in</a>'
        return HTMLResponse(f"<!doctype html><title>Notes</title><nav><a href='/'>Notes</a> {links}</nav>{body}", status)

    async def _heard(self, request: Request) -> dict[str, str]:
        self.requests.append(f"{request.method} {request.url.path}")
        return {name: values[0] for name, values in parse_qs((await request.body()).decode(), keep_blank_values=True).items()}

    async def _index(self, request: Request) -> Response:
        await self._heard(request)
        if "endless" in self.faults and "user" in request.cookies:
            self.held.set()
            await asyncio.sleep(60)
        shown = "".join(f"<li>{self._text(text)} {self._button(request, number)}</li>" for number, text in self.notes.items())
        form = '<form method="post" action="/add"><label>Note <input name="text"></label> <button>Add</button></form>'
        return self._page(request, f"<h1>Notes</h1><ul>{shown}</ul>{form if 'user' in request.cookies else ''}")

    def _text(self, text: str) -> str:
        return text if "script" in self.faults else html.escape(text)

    @staticmethod
    def _button(request: Request, number: int) -> str:
        ask = "onsubmit=\"return confirm('Are you sure?')\""
        label = f'aria-label="Delete note {number}"'
        form = f'<form method="post" action="/delete/{number}" {ask}><button {label}>Delete</button></form>'
        return form if "user" in request.cookies else ""

    async def _login(self, request: Request) -> Response:
        said = await self._heard(request)
        form = (
            '<h1>Log in</h1><form method="post"><label>Name <input name="name"></label>'
            '<label>Password <input name="password" type="password"></label><button>Log in</button></form>'
        )
        if request.method == "GET":
            return self._page(request, form)
        if said["password"] != PASSWORD:
            why = "" if "silent" in self.faults else '<p role="alert">Wrong password.</p>'
            return self._page(request, why + form)
        answer = RedirectResponse("/", 303)
        answer.set_cookie("user", said["name"])
        return answer

    async def _logout(self, request: Request) -> Response:
        await self._heard(request)
        answer = RedirectResponse("/", 303)
        answer.delete_cookie("user")
        return answer

    async def _add(self, request: Request) -> Response:
        said = await self._heard(request)
        if "down" in self.faults:
            os._exit(1)
        if not said["text"] and "crash" in self.faults:
            return HTMLResponse("Internal Server Error", 500)
        if said["text"] and "lost" not in self.faults:
            self.notes[max(self.notes, default=0) + 1] = said["text"]
        return RedirectResponse("/", 303)

    async def _delete(self, request: Request) -> Response:
        await self._heard(request)
        number = min(self.notes, default=0) if "other" in self.faults else request.path_params["number"]
        self.notes.pop(number, None)
        return RedirectResponse("/", 303)


@contextmanager
def served(notes: Notes, port: int = 0) -> Iterator[str]:
    """Serve the application on this machine, in a thread, and yield its address."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(notes.app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def main() -> None:
    """Serve the application until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fault", action="append", default=[], choices=[*FAULTS])
    args = parser.parse_args()
    with served(Notes(args.fault), args.port) as url:
        print(f"Notes at {url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
