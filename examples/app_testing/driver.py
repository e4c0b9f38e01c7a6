"""The browser that a test looks at and acts in.

Chromium is started as a process of its own and outlives the process that started it. So a run that goes on finds the page as it
was left, with the text typed into it and its cookies. The browser is found again through the folder that holds its profile.

The driver has one thread, in which Playwright lives. All its functions may be called from any thread. They return what went
wrong in the page. They raise an error only if nothing can be tested at all.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urljoin, urlsplit

from maker_graph import UsageError
from maker_graph.extras import need_extra

TIMEOUT = 10.0
"""How many seconds a page may take to answer."""

SETTLE = 0.05
"""Seconds to wait after an action, in which the page may begin to load another one."""

STARTING = 30.0
"""How many seconds the browser may take to start."""

ABORTED = "net::ERR_ABORTED"
"""Chromium's error for a page whose loading was stopped, by another page or by this driver."""

CLOSING = 5.0
"""How many seconds the browser may take to end."""

LINES = 200
"""The most lines of a page that are shown."""

CHARACTERS = 200
"""The most characters of each text of a page that are shown."""

FLAGS = ("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync", "--disable-quic")

ACTED_ON = {
    "fill": {"textbox", "searchbox", "spinbutton"},
    "select": {"combobox", "listbox"},
    "click": {"link", "button", "checkbox", "radio", "tab", "menuitem", "option", "switch", "textbox", "searchbox"},
}
"""Action -> the roles of the elements on which it can be performed. Elements of these roles get a reference."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def chromium() -> str:
    """Return the path of the browser.

    Raises:
        UsageError: Chromium is not installed.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    raise UsageError("There is no Chromium here: install it, on Debian with apt-get install -y chromium.")


class Driver:
    """One page in one browser.

    Each test begins with a new page (`begin`), whose id is its session. If the session is gone, `look` and `act` do nothing and
    return None as its id.
    """

    def __init__(
        self,
        folder: Path,
        base: str,
        *,
        timeout: float = TIMEOUT,
        reset: Callable[[], None] = lambda: None,
        pictures: bool = True,
    ) -> None:
        """Prepare the driver. The browser is started when it is needed.

        Args:
            folder: the folder for the profile of the browser and the pictures. It is made when it is needed.
            base: the address of the application.
            timeout: how many seconds a page may take to answer.
            reset: called before each test, to put the application into its first state.
            pictures: whether to keep a picture of each page that is looked at.

        Raises:
            UsageError: Playwright is not installed.
        """
        need_extra("browser", "Testing in a browser", "playwright", "yaml")
        self.base = base
        self.shots = folder / "shots"
        self._profile = folder / "profile"
        self._timeout = timeout * 1000
        self._reset = reset
        self._pictures = pictures
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="driver")
        self._playwright: Any = None
        self._browser: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        self._events: dict[str, Any] = {}
        self._open: tuple[str, Any] | None = None

    def begin(self, start: str, prepare: str = "") -> dict[str, Any]:
        """Put the application into its first state, open a new page without cookies at `start`, and return its session.

        `prepare` is JavaScript from the tester, which is evaluated in the page.

        Raises:
            UsageError: the application cannot be reached, or there is no browser.
        """
        return self._in_thread(self._begin, start, prepare)

    def look(self, session: str, name: str) -> dict[str, Any]:
        """Return the accessibility tree of the page, and keep a picture of the page under `name`."""
        return self._in_thread(self._look, session, name)

    def act(self, session: str, action: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
        """Perform an action in the page, which was last seen as `page`, and return the result."""
        return self._in_thread(self._act, session, action, page)

    def evaluate(self, script: str) -> Any:
        """Return the value of the tester's JavaScript in the page."""
        return self._in_thread(lambda: self._pages()[-1].evaluate(script))

    def end(self) -> None:
        """End the browser. The next test starts another one."""
        self._in_thread(self._end)

    def close(self) -> None:
        """End the browser and the thread of the driver."""
        self.end()
        self._thread.shutdown()

    def _in_thread(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._thread.submit(function, *args, **kwargs).result()

    # ------------------------------------------------------------------------------------------------------- in the thread

    def _pages(self) -> Sequence[Any]:
        pages: Sequence[Any] = self._connected().contexts[0].pages
        return pages

    def _connected(self) -> Any:
        """Return the browser that is running for the folder, or a new one."""
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415  an extra

        if self._browser is not None and self._browser.is_connected():
            return self._browser
        if self._playwright is None:
            self._playwright = sync_playwright().start()
        for _ in range(2):
            port = self._port() or self._started()
            try:
                self._browser = self._playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}", timeout=STARTING * 1000)
            except Error:  # it is no longer there
                self._port_file.unlink(missing_ok=True)
            else:
                return self._browser
        raise UsageError(f"No browser can be reached in {self._profile}: remove that folder, and begin again.")

    @property
    def _port_file(self) -> Path:
        return self._profile / "DevToolsActivePort"

    @property
    def _pid_file(self) -> Path:
        return self._profile / "maker-graph.pid"

    def _port(self) -> str | None:
        with suppress(OSError, IndexError):
            return self._port_file.read_text(encoding="ascii").split()[0]
        return None

    def _started(self) -> str:
        """Start the browser; return the port at which it listens, on this machine only.

        Raises:
            UsageError: the browser is missing, or does not start.
        """
        program = chromium()
        self._profile.mkdir(parents=True, exist_ok=True)
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
        command = [program, *FLAGS, *root, "--remote-debugging-port=0", f"--user-data-dir={self._profile}", "about:blank"]
        process = self._process = subprocess.Popen(  # noqa: S603  the browser
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._pid_file.write_text(str(process.pid), encoding="ascii")
        deadline = time.monotonic() + STARTING
        while (port := self._port()) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise UsageError(f"{program} does not start: try it by itself, with {' '.join(command[1:])}.")
            time.sleep(0.02)
        return port

    def _begin(self, start: str, prepare: str) -> dict[str, Any]:
        from playwright.sync_api import Error  # noqa: PLC0415  an extra

        self._reset()
        context = self._connected().contexts[0]
        page = context.new_page()
        for each in context.pages:
            if each != page:
                each.close()
        context.clear_cookies()
        session = self._hear(page)
        try:
            page.goto(urljoin(self.base, start), timeout=self._timeout)
            if prepare:
                page.evaluate(prepare)
        except Error as error:
            why = error.message.splitlines()[0]
            raise UsageError(
                f"{urljoin(self.base, start)} cannot be opened ({why}): start the application, and go on with the run."
            ) from None
        return {"session": session, **self._noticed(page)}

    def _id(self, page: Any) -> str:
        session = page.context.new_cdp_session(page)
        found: str = session.send("Target.getTargetInfo")["targetInfo"]["targetId"]
        session.detach()
        return found

    def _page(self, session: str) -> Any:
        """Return the page of a session; None if it is gone."""
        if (
            self._open is not None
            and self._open[0] == session
            and not self._open[1].is_closed()
            and self._browser.is_connected()
        ):
            return self._open[1]
        page = next((each for each in self._pages() if self._id(each) == session), None)
        if page is not None:
            self._hear(page)
        return page

    def _hear(self, page: Any) -> str:
        """Listen to what happens in a page, and answer its dialogs with yes, so that they do not block it."""
        events = self._events = {"dialogs": [], "errors": [], "statuses": [], "loading": False, "failed": None}
        session = self._id(page)
        self._open = session, page
        page.set_default_timeout(self._timeout)

        def on_dialog(dialog: Any) -> None:
            events["dialogs"].append([dialog.type, dialog.message[:CHARACTERS]])
            dialog.accept()

        def on_request(request: Any) -> None:
            if request.is_navigation_request() and request.frame == page.main_frame:
                events["loading"] = True

        def on_response(response: Any) -> None:
            events["statuses"].append(response.status)

        def on_failed(request: Any) -> None:
            if request.is_navigation_request() and request.frame == page.main_frame:
                events["loading"] = False
                if request.failure != ABORTED:
                    events["failed"] = request.failure

        page.on("dialog", on_dialog)
        page.on("pageerror", lambda error: events["errors"].append(error.message[:CHARACTERS]))
        page.on("request", on_request)
        page.on("response", on_response)
        page.on("requestfailed", on_failed)
        page.on("load", lambda _: events.update(loading=False))
        return session

    def _noticed(self, page: Any) -> dict[str, Any]:
        """Return what has happened since the last call."""
        events = self._events
        noticed = {
            "dialogs": [*events["dialogs"]],
            "errors": [*events["errors"]],
            "status": max(events["statuses"], default=0),
            "outside": None if page.url.startswith(("about:", "chrome-error:")) or self._inside(page.url) else page.url,
        }
        for name in ("dialogs", "errors", "statuses"):
            events[name].clear()
        return noticed

    def _inside(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.base)[:2]

    def _look(self, session: str, name: str) -> dict[str, Any]:
        from playwright.sync_api import Error  # noqa: PLC0415  an extra

        try:
            page = self._page(session)
            if page is None:
                return {"session": None}
            tree, refs = shown(page.locator("body").aria_snapshot())
            if self._pictures:
                self.shots.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=self.shots / name)
            return {"session": session, "url": self._path(page.url), "tree": tree, "refs": refs, "shot": name}
        except Error as error:
            if not self._connected() or self._page(session) is None:
                return {"session": None}
            raise UsageError(f"The page cannot be looked at ({error.message.splitlines()[0]}): go on with the run.") from None

    def _path(self, url: str) -> str:
        return url.removeprefix(self.base.rstrip("/")) if self._inside(url) else url

    def _act(self, session: str, action: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
        from playwright.sync_api import Error  # noqa: PLC0415  an extra

        found = self._page(session)
        if found is None:
            return {"session": None}
        self._events.update(loading=False, failed=None)
        before, error = found.url, None
        try:
            error = self._perform(found, action, page)
        except Error as failed:
            error = _in_words(failed.message, self._timeout)
        try:
            error = self._loaded(found) or error
        except Error:
            error = "The page was closed."
        if error is None and self._events["failed"]:
            error = f"The page cannot be reached: {self._events['failed']}."
        return {"session": session, "error": error, "moved": found.url != before, **self._noticed(found)}

    def _perform(self, page: Any, action: dict[str, Any], seen: dict[str, Any]) -> str | None:
        """Perform an action once. Return None, or the reason if nothing was done."""
        match action["do"]:
            case "back":
                page.go_back(wait_until="commit")
                return None
            case "go":
                page.goto(urljoin(self.base, action["path"]), wait_until="commit")
                return None
        role, number, line = seen["refs"][action["ref"]]
        element = page.get_by_role(role).nth(number)
        if not element.count() or _first(element.aria_snapshot()) != line:
            return f"The element {action['ref']} is gone: the page has changed since it was looked at."
        match action["do"]:
            case "fill":
                element.fill(action["text"])
            case "select":
                element.select_option(label=action["text"])
            case _:
                element.click()
        return None

    def _loaded(self, page: Any) -> str | None:
        """Wait until a page that has begun to load is there. Return what went wrong, or None."""
        from playwright.sync_api import Error  # noqa: PLC0415  an extra

        page.wait_for_timeout(SETTLE * 1000)
        deadline = time.monotonic() + self._timeout / 1000
        while self._events["loading"]:
            if time.monotonic() > deadline:
                with suppress(Error):
                    page.context.new_cdp_session(page).send("Page.stopLoading")
                return f"The page did not load within {self._timeout / 1000:g} seconds."
            page.wait_for_timeout(10)
        return None

    def _end(self) -> None:
        from playwright.sync_api import Error  # noqa: PLC0415  an extra

        if self._browser is not None or self._port() is not None:
            with suppress(Error, UsageError):
                self._connected().new_browser_cdp_session().send("Browser.close")
            self._port_file.unlink(missing_ok=True)
        if self._playwright is not None:
            self._playwright.stop()
        self._wait_for_its_end()
        self._browser = self._playwright = None

    def _wait_for_its_end(self) -> None:
        """Wait until the browser has ended, because until then it writes into its profile."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSING)
            self._process = None
            return
        deadline = time.monotonic() + CLOSING
        with suppress(OSError, ValueError):  # it has ended, or was never started
            pid = int(self._pid_file.read_text(encoding="ascii"))
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.02)


def shown(snapshot: str) -> tuple[list[str], dict[str, list[Any]]]:
    r"""Return a page as lines, and the references in them.

    Each line is an element with its role, name and text. An element on which an action can be performed has a
    reference, which stands for its role, its number among the elements of this role, and its line. The same page gives
    the same references.

    >>> lines, refs = shown('- heading "Hello"\n- textbox "Name": Ann\n- button "Save"')
    >>> lines
    ['heading "Hello"', 'e1 textbox "Name": "Ann"', 'e2 button "Save"']
    >>> refs["e2"]
    ['button', 0, 'button "Save"']
    """
    import yaml  # noqa: PLC0415  an extra

    lines: list[str] = []
    refs: dict[str, list[Any]] = {}
    numbers: dict[str, int] = {}
    takes = set().union(*ACTED_ON.values())

    def add(node: Any, depth: int) -> None:
        (head, value) = next(iter(node.items())) if isinstance(node, dict) else (node, None)
        if head.startswith("/"):
            return
        role, text = head.split(" ", 1)[0], value if isinstance(value, str) else None
        mark = ""
        if role in takes:
            ref, number = f"e{len(refs) + 1}", numbers.get(role, 0)
            numbers[role] = number + 1
            refs[ref] = [role, number, _told(head, text)]
            mark = f"{ref} "
        lines.append(f"{'  ' * depth}{mark}{_told(head, text)}")
        for each in value if isinstance(value, list) else ():
            add(each, depth + 1)

    for each in yaml.load(snapshot, yaml.BaseLoader) or ():  # noqa: S506  it makes texts, lists and objects only
        add(each, 0)
    more = len(lines) - LINES
    return ([*lines[:LINES], f"({more} more lines)"] if more > 0 else lines), refs


def _told(head: str, text: str | None) -> str:
    """Return an element in one line. Its texts are in quotes, so that none of them can look like another line."""
    short = head if len(head) <= CHARACTERS else f"{head[:CHARACTERS]}..."
    if text is None:
        return short
    said = text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}..."
    return f"{short}: {json.dumps(said, ensure_ascii=False)}"


def _first(snapshot: str) -> str:
    """Return how the first element of a snapshot looks."""
    lines, refs = shown(snapshot)
    return str(next(iter(refs.values()))[2]) if refs else "".join(lines[:1])


def _in_words(message: str, timeout: float) -> str:
    """Return Playwright's message about a failed action as a sentence."""
    first = message.splitlines()[0]
    if "Timeout" in first and "click action done" not in message:
        return f"The element took no action within {timeout / 1000:g} seconds: it is hidden, disabled or covered."
    if "Timeout" in first:
        return f"The page did not load within {timeout / 1000:g} seconds."
    return f"{first.rstrip('.')}."
