"""Tests of a real application and of small pages in a real browser: one sample an answer, against votes.

    python tests/benchmarks/app_testing.py --out tests/benchmarks/results/app_testing.json

`flaskr` is the tutorial application in the source distribution of Flask 3.1.2. It is fetched from the package index into a
folder beside the temporary files. It is served as a process of its own, with Flask from an environment of its own. Twenty
faults are put into its sources, one at a time (`flaskr.toml`). A fault is killed if a scenario fails that should fail. A false
alarm is a scenario that fails although the application does what it expects. What should fail is found with `sim:perfect`.

`miniwob` are ten pages of miniwob 1.1.0, fetched in the same way, each with a reward that the page itself computes. It is read
when the run is over, and no model sees it.

The model is simulated: how often it errs is assumed (`MODEL`). On flaskr it takes a wrong element for the right one in five of
a hundred choices, on miniwob in ten, and one verdict in ten is wrong. Some are harder than others (rho = .2). The figures are
no evidence about a real model.
"""

import argparse
import functools
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import tomllib
import venv
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.app_testing.driver import Driver
from examples.app_testing.plan import DONE, STUCK, Scenario, read_plan, slips
from examples.app_testing.testing import AppTest
from maker_graph import Run
from maker_graph.simulation import Replies

FLASK, MINIWOB = "flask==3.1.2", "miniwob==1.1.0"
CACHE = Path(tempfile.gettempdir()) / "maker-graph-benchmarks"
MODEL = "sim:perfect,error=.1,rho=.2,flagged=.03"
WAYS = {"single": 1, "voted": 3}
"""Way -> the lead that decides."""

# ------------------------------------------------------------------------------------------------------------------ flaskr

PLAN = Path(__file__).with_name("flaskr.toml")
MUTANTS = {each["name"]: each for each in tomllib.loads(PLAN.read_text(encoding="utf-8"))["mutants"]}
"""What is wrong -> the file, what stands in it (`old`), and what is put in its place (`new`)."""

SCENARIOS = read_plan(PLAN)[1]

SEED = """
INSERT INTO user (username, password) VALUES ('alice', {alice!r}), ('bob', {bob!r});
INSERT INTO post (title, body, author_id, created) VALUES
  ('Bread', 'How to bake it.', 1, '2026-01-01 10:00:00'),
  ('Cheese', 'How to keep it.', 2, '2026-01-02 10:00:00'),
  ('Dates', 'Where they grow.', 1, '2026-01-03 10:00:00');
"""


def fetched(name: str, *, binary: bool) -> Path:
    """Return the archive of a pinned package, from the cache or from the index."""
    kind, folder = ("--only-binary" if binary else "--no-binary"), CACHE / name
    if not folder.exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            kind,
            ":all:",
            "--dest",
            f"{folder}.new",
            name,
        ]
        subprocess.run(command, check=True)
        Path(f"{folder}.new").rename(folder)
    (archive,) = folder.iterdir()
    return archive


def flask_python() -> Path:
    """Return the Python of an environment that has Flask."""
    python = CACHE / "flask" / "bin" / "python"
    if not python.exists():
        venv.create(python.parents[1], with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", FLASK], check=True)
    return python


def tutorial(folder: Path) -> Path:
    """Unpack the tutorial application into `folder`; return where its package is."""
    with tarfile.open(fetched(FLASK, binary=False)) as archive:
        inside = [each for each in archive.getmembers() if "/examples/tutorial/flaskr/" in each.name]
        archive.extractall(folder, members=inside, filter="data")
    return next(folder.glob("*/examples/tutorial/flaskr"))


def mutated(source: Path, to: Path, mutant: str | None) -> None:
    """Copy the application to `to`, with a fault."""
    shutil.copytree(source, to / "flaskr")
    if mutant is not None:
        fault = MUTANTS[mutant]
        path = to / "flaskr" / fault["file"]
        text = path.read_text()
        assert text.count(fault["old"]) == 1, f"{mutant}: what is replaced must stand in {path.name} once"
        path.write_text(text.replace(fault["old"], fault["new"]))


@dataclass
class Application:
    """A running copy of the application; `reset` gives it back the rows that it has at first."""

    url: str
    folder: Path

    def reset(self) -> None:
        """Forget what was done."""
        shutil.copyfile(self.folder / "first.sqlite", self.folder / "flaskr.sqlite")


RUN = """
import sys
from flaskr import create_app
create_app({"DATABASE": sys.argv[1], "SECRET_KEY": "benchmark"}).run("127.0.0.1", int(sys.argv[2]), threaded=True)
"""

INITIALISE = """
import sqlite3, sys
from pathlib import Path
from werkzeug.security import generate_password_hash
from flaskr import db
made = sqlite3.connect(sys.argv[1])
made.executescript(Path(db.__file__).with_name("schema.sql").read_text())
users = {"alice": "wonder-1", "bob": "secret-9"}
hashed = {name: generate_password_hash(password, "pbkdf2:sha256:1000") for name, password in users.items()}
made.executescript(Path(sys.argv[2]).read_text().format(**hashed))
made.commit()
"""


@contextmanager
def application(source: Path, mutant: str | None, folder: Path) -> Iterator[Application]:
    """Serve the application, with a fault, as a process of its own."""
    mutated(source, folder, mutant)
    python = flask_python()
    (folder / "seed.sql").write_text(SEED)
    subprocess.run([python, "-c", INITIALISE, folder / "first.sqlite", folder / "seed.sql"], cwd=folder, check=True)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    made = Application(f"http://127.0.0.1:{port}", folder)
    made.reset()
    command = [str(python), "-c", RUN, str(folder / "flaskr.sqlite"), str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield made
        finally:
            process.terminate()


def tested(app: Application, driver: Driver, model: str, k: int, seed: int) -> dict[str, Any]:
    """Return how each scenario ended, and what that took."""
    driver.base, driver._reset = app.url, app.reset
    task = AppTest(SCENARIOS, driver)
    with tempfile.TemporaryDirectory() as folder, Run.create(f"{folder}/r", task, model=model, k=k, seed=seed) as run:
        summary = run.solve()
        parts = [step.decision.get("part") for step in run.steps()]
    verdicts: Any = summary["result"]
    failed = {name for name, verdict in verdicts.items() if verdict == "fail"}
    return {"failed": failed, "samples": summary["samples"], "actions": parts.count("act"), "steps": len(parts)}


def flaskr(seeds: int) -> dict[str, Any]:
    """Return how many faults are killed, and how many alarms are false."""
    truth: dict[str | None, set[str]] = {}
    rows: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = tutorial(folder / "flask")
        driver = Driver(folder / "browser", "http://127.0.0.1", pictures=False)
        try:
            for number, mutant in enumerate([None, *MUTANTS]):
                with application(source, mutant, folder / str(number)) as app:
                    truth[mutant] = tested(app, driver, "sim:perfect", 1, 1)["failed"]
                    for way, k in WAYS.items():
                        for seed in range(1, 1 + (3 * seeds if mutant is None else seeds)):
                            found = tested(app, driver, MODEL, k, seed)
                            rows[way].append({"mutant": mutant, **found})
                print(f"{mutant}: {sorted(truth[mutant])}", flush=True)
        finally:
            driver.close()
    return {
        "scenarios": len(SCENARIOS),
        "mutants": len(MUTANTS),
        "killed by a perfect model": sum(bool(truth[mutant]) for mutant in MUTANTS),
        "scenarios that fail on the original, perfect model": len(truth[None]),
        "runs of the original": 3 * seeds,
        "runs of each mutant": seeds,
        **{way: _counted(those, truth) for way, those in rows.items()},
    }


def _counted(rows: Sequence[Mapping[str, Any]], truth: Mapping[str | None, set[str]]) -> dict[str, Any]:
    """Return the figures of one way."""
    mutants = [row for row in rows if row["mutant"] is not None]
    alarms = sum(len(row["failed"] - truth[row["mutant"]]) for row in mutants)
    original = [row for row in rows if row["mutant"] is None]
    per_mutant = len(mutants) / len(MUTANTS)
    return {
        "mutants killed": round(sum(bool(row["failed"] & truth[row["mutant"]]) for row in mutants) / per_mutant, 2),
        "false alarms a run of the original": round(sum(len(row["failed"]) for row in original) / len(original), 2),
        "runs of the original without an alarm": sum(not row["failed"] for row in original),
        "false alarms a run of a mutant": round(alarms / len(mutants), 2),
        "actions a run": round(sum(row["actions"] for row in rows) / len(rows), 1),
        "samples a run": round(sum(row["samples"] for row in rows) / len(rows), 1),
    }


# ----------------------------------------------------------------------------------------------------------------- miniwob

BEGIN = """
Math.seedrandom("{seed}"); core.EPISODE_MAX_TIME = 1e9; core.startEpisodeReal();
const hidden = document.createElement('style');
hidden.textContent = '#reward-display, #click-canvas, #sync-task-cover {{ display: none !important }}';
document.head.append(hidden);
"""


class Page:
    """What a simulated model knows of a page of miniwob: how its instruction is followed."""

    def __init__(self, page: str) -> None:
        self._page = page

    def action(self, state: dict[str, Any]) -> Replies:
        """Return the next action that the instruction asks for, and wrong ones."""
        page = state["page"]
        done = [each for each in state["actions"] if not each["error"]]
        right = next_action(self._page, "\n".join(page["tree"]), page["refs"], done)
        wrong = [each for each in slips(right, page) if each != right]
        return Replies(json.dumps(right), [json.dumps(each) for each in wrong], 0.1)

    def verdict(self, state: dict[str, Any]) -> Replies:  # noqa: ARG002  the contract's
        """Return that all is well: the page itself judges."""
        return Replies("pass", ["fail"], 0.0)


def next_action(page: str, tree: str, refs: Mapping[str, Any], done: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what the instruction of a page asks for next."""
    plan = [*PAGES[page](tree)]
    step = 0
    for action in done:  # what was done wrong is done again
        step += step < len(plan) and _follows(plan[step], action)
    if step >= len(plan):
        return {"do": DONE}
    do, role, name, *text = plan[step]
    named = [
        ref for ref, (found, _, line) in refs.items() if found == role and (not name or line.startswith(f'{role} "{name}"'))
    ]
    place = int(text.pop()) if do == "fill" and len(text) > 1 else 0
    if len(named) <= place:
        return {"do": STUCK}
    return {"do": do, "ref": named[place], **({"text": text[0]} if text else {})}


def _follows(step: Sequence[str], action: Mapping[str, Any]) -> bool:
    do, role, name, *text = step
    named = str(action["what"]).startswith(f'{role} "{name}"' if name else role)
    return do == action["do"] and named and action.get("text") == (text[0] if text else None)


def _quoted(tree: str) -> list[str]:
    """Return the quoted words of the instruction."""
    return re.findall(r'"([^"]*)"', _instruction(tree))


def _between(tree: str, start: str, end: str) -> str:
    return _instruction(tree).partition(start)[2].partition(end)[0]


def _instruction(tree: str) -> str:
    """Return the instruction, which stands in the first text of a page."""
    found = re.search(r'text: (".*")', tree)
    return str(json.loads(found[1])) if found else ""


def _checked(tree: str) -> Iterator[tuple[str, ...]]:
    wanted = _between(tree, "Select ", " and click")
    for each in wanted.split(", ") if wanted != "nothing" else ():
        yield "click", "checkbox", each
    yield SUBMIT


SUBMIT = ("click", "button", "Submit")

PAGES: dict[str, Any] = {
    "click-test": lambda _: [("click", "button", "Click Me!")],
    "click-test-2": lambda _: [("click", "button", "ONE")],
    "click-button": lambda tree: [("click", "button", _quoted(tree)[0])],
    "click-button-sequence": lambda _: [("click", "button", "ONE"), ("click", "button", "TWO")],
    "click-option": lambda tree: [("click", "radio", _between(tree, "Select ", " and click")), SUBMIT],
    "click-checkboxes": _checked,
    "choose-list": lambda tree: [("select", "combobox", "", _between(tree, "Select ", " from the list")), SUBMIT],
    "enter-text": lambda tree: [("fill", "textbox", "", _quoted(tree)[0]), SUBMIT],
    "enter-password": lambda tree: [
        ("fill", "textbox", "", _quoted(tree)[0], "0"),
        ("fill", "textbox", "", _quoted(tree)[0], "1"),
        SUBMIT,
    ],
    "login-user": lambda tree: [
        ("fill", "textbox", "", _quoted(tree)[0], "0"),
        ("fill", "textbox", "", _quoted(tree)[1], "1"),
        ("click", "button", "Login"),
    ],
}
"""Page -> from its tree to the actions that its instruction asks for."""


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """Serve the pages of miniwob."""
    with zipfile.ZipFile(fetched(MINIWOB, binary=True)) as archive:
        for each in archive.namelist():
            if each.startswith("miniwob/html/"):
                archive.extract(each, folder)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder / "miniwob" / "html"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def episode(driver: Driver, page: str, number: int, model: str, k: int) -> dict[str, Any]:
    """Return the reward of one episode, and what it took."""
    goal = "Do what the first text of the page says."
    scenario = Scenario(page, f"/miniwob/{page}.html", goal, "It is done.", prepare=BEGIN.format(seed=number), known=Page(page))
    with tempfile.TemporaryDirectory() as folder:
        task = AppTest([scenario], driver)
        with Run.create(f"{folder}/r", task, model=model, k=k, seed=number) as run:
            samples = run.solve()["samples"]
            acts = sum(step.decision.get("part") == "act" for step in run.steps())
    reward = driver.evaluate("WOB_DONE_GLOBAL ? WOB_RAW_REWARD_GLOBAL : 0")
    return {"page": page, "solved": reward == 1, "reward": reward, "actions": acts, "samples": samples}


def miniwob(episodes: int) -> dict[str, Any]:
    """Return how many episodes are solved, by the reward of their pages."""
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name, pages(Path(name) / "pages") as url:
        driver = Driver(Path(name) / "browser", url, pictures=False)
        try:
            for way, (model, k) in {"perfect": ("sim:perfect", 1), **{way: (MODEL, k) for way, k in WAYS.items()}}.items():
                rows[way] = [
                    episode(driver, page, n, model, k)
                    for page in PAGES
                    for n in range(1, 1 + (1 if way == "perfect" else episodes))
                ]
        finally:
            driver.close()
    return {
        way: {
            "episodes": len(those),
            "solved": sum(row["solved"] for row in those),
            "mean reward": round(sum(row["reward"] for row in those) / len(those), 3),
            "actions": sum(row["actions"] for row in those),
            "samples": sum(row["samples"] for row in those),
            "unsolved": sorted({row["page"] for row in those if not row["solved"]}),
        }
        for way, those in rows.items()
    }


def main() -> None:
    """Make the tables, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each mutant; the original is run three times as often")
    parser.add_argument("--episodes", type=int, default=5, help="of each page of miniwob")
    parser.add_argument("--only", choices=["flaskr", "miniwob"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    result: dict[str, Any] = {"model": MODEL}
    if args.only != "miniwob":
        result["flaskr"] = flaskr(args.seeds)
    if args.only != "flaskr":
        result["miniwob"] = miniwob(args.episodes)
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
