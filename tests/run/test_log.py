"""A journal behind a graph that is built by hand: the same promises, in a folder and in Postgres."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from maker_graph import DamagedRun, JournalLog, StaleStep, TakenOver, Undecided, UnusableRun, UsageError, create_maker
from maker_graph.core.machine import ActionLog, ClimbLog, KeepingLog
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import find
from maker_graph.tasks import Hanoi
from tests.conftest import Cli, Scripted, replies
from tests.graph.test_maker import Countdown, counting
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "graph_in_postgres.md").read_text()
CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}}


@pytest.fixture(params=["folder", pytest.param("postgres", marks=pytest.mark.service("postgres"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a journal is kept."""
    return str(tmp_path / "runs") if request.param == "folder" else str(request.getfixturevalue("database"))


def solved(log: JournalLog, disks: int = 3, *, saver: Any = None, **settings: Any) -> Any:
    app = create_maker(Hanoi(disks), model="sim:perfect", log=log, **settings).compile(checkpointer=saver)
    return app.invoke({}, CONFIG)


def test_a_log_goes_on_where_the_session_before_ended(place: str) -> None:
    seen = []
    for _ in range(3):
        with JournalLog(Hanoi(3), "tower", place, settings={"k": 3}) as log:
            seen.append((log.position()["step"], solved(log, steps_per_segment=3)["step"], log.journal.owners(), log.run_id))
    assert [each[:3] for each in seen] == [(0, 3, 1), (3, 6, 2), (6, 7, 3)]
    assert len({each[3] for each in seen}) == 1, "what parts of the world are told is the same in all sessions"
    with JournalLog(Hanoi(3), "tower", place, settings={"k": 3}) as log:
        assert (log.position()["done"], log.position()["state"]["pegs"]) == (True, [[], [], [3, 2, 1]])


def test_names_are_runs_of_their_own(place: str) -> None:
    with JournalLog(Hanoi(3), "one", place) as one, JournalLog(Hanoi(3), "two", place) as two:
        assert solved(one)["step"] == 7
        assert two.position()["step"] == 0
        assert one.run_id != two.run_id


def test_a_log_is_of_every_kind() -> None:
    assert all(issubclass(JournalLog, kind) for kind in (KeepingLog, ClimbLog))
    assert {"begun", "intend", "performed"} <= set(dir(JournalLog))
    assert ActionLog is not None


def test_whoever_was_taken_over_commits_nothing(place: str) -> None:
    with JournalLog(Hanoi(3), "tower", place) as first, JournalLog(Hanoi(3), "tower", place) as second:
        with pytest.raises(TakenOver):
            solved(first)
        assert solved(second)["step"] == 7


def test_two_graphs_that_use_one_log_at_once_commit_each_step_once(place: str) -> None:
    with JournalLog(Countdown(3), "count", place) as log:
        app = create_maker(Countdown(3), model=Scripted(script=counting), k=1, log=log, steps_per_segment=1).compile()
        stale = create_maker(Countdown(3), model=Scripted(script=counting), k=1, log=_Behind(log)).compile()
        app.invoke({})
        with pytest.raises(StaleStep):
            stale.invoke({})


class _Behind:
    """A log that does not see what was committed since."""

    def __init__(self, log: JournalLog) -> None:
        self._at = {**log.position()}
        self.append = log.append

    def position(self) -> Any:
        return self._at


@pytest.mark.parametrize(
    ("task", "settings", "words"),
    [
        (Countdown(3), {}, "is the log of a task Hanoi, and not of Countdown"),
        (Hanoi(4), {}, "another start state"),
        (Hanoi(3), {"k": 4}, r"with the settings \{\}, and not with \{'k': 4\}"),
    ],
)
def test_a_name_is_of_one_task_and_its_settings(place: str, task: Any, settings: Any, words: str) -> None:
    JournalLog(Hanoi(3), "tower", place).close()
    with pytest.raises(UnusableRun, match=words):
        JournalLog(task, "tower", place, settings=settings)
    with JournalLog(Hanoi(3), "tower", place) as log:
        assert log.journal.owners() == 2, "who was refused has not become the owner"


class Reworded(Countdown):
    """The same, which asks in other words."""

    def prompt(self, state: int) -> str:
        return f"What is {state} less 1?"


Reworded.__name__ = "Countdown"


def test_a_task_that_asks_something_else_is_refused(place: str) -> None:
    JournalLog(Countdown(3), "count", place).close()
    with pytest.raises(UnusableRun, match="another first prompt"):
        JournalLog(Reworded(3), "count", place)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-"])
def test_what_is_no_name_is_refused(place: str, name: str) -> None:
    with pytest.raises(UnusableRun, match="not a name for a run"):
        JournalLog(Hanoi(3), name, place)


def test_settings_are_plain_json(place: str) -> None:
    with pytest.raises(UsageError, match="kept as JSON"):
        JournalLog(Hanoi(3), "tower", place, settings={"rule": object()})  # type: ignore[dict-item]  # the mistake


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="give postgresql://"):
        JournalLog(Hanoi(3), "tower", "mysql://somewhere/runs")


def test_a_run_of_the_command_line_is_no_log(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--run", str(tmp_path / "r"), "-q").returncode == 0
    with pytest.raises(UnusableRun, match="is a run of maker-graph and not the log of a graph"):
        JournalLog(Hanoi(2), "r", tmp_path)


def test_the_command_line_says_what_a_log_is(cli: Cli, tmp_path: Path) -> None:
    JournalLog(Hanoi(2), "tower", tmp_path).close()
    done = cli("status", "tower")
    assert done.returncode
    assert "belongs to the log of a graph" in done.stderr


@pytest.mark.parametrize("settings", ["", "[]", "{}", '{"log": 1}', '{"id": 3'])
def test_damaged_settings_are_damage(settings: str, tmp_path: Path) -> None:
    JournalLog(Hanoi(2), "tower", tmp_path).close()
    (tmp_path / "tower" / "settings.json").write_text(settings)
    with pytest.raises(DamagedRun, match="damaged"):
        JournalLog(Hanoi(2), "tower", tmp_path)


def test_a_log_of_a_newer_form_says_so(tmp_path: Path) -> None:
    JournalLog(Hanoi(2), "tower", tmp_path).close()
    path = tmp_path / "tower" / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "log": 2}))
    with pytest.raises(UnusableRun, match="newer maker_graph"):
        JournalLog(Hanoi(2), "tower", tmp_path)


def test_a_changed_answer_is_damage(database: str) -> None:
    with JournalLog(Hanoi(3), "tower", database) as log:
        solved(log)
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE maker_graph.steps SET entry = replace(entry, '[1,0,2]', '[1,0,1]') WHERE step = 1")
    with pytest.raises(DamagedRun, match="step 1"):
        JournalLog(Hanoi(3), "tower", database)


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    JournalLog(Hanoi(2), "tower", tmp_path / "new" / "runs").close()
    directory = tmp_path / "new" / "runs" / "tower"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_how_far_a_step_has_come_is_kept_for_the_next_session(place: str) -> None:
    """A step that its rule passes on is not voted on again, by whoever opens the log next."""
    from maker_graph import AheadBy  # noqa: PLC0415  beside what it is for

    contested = Scripted(script=replies("1", "2", "1"))
    how: Any = {"model": contested, "k": AheadBy(3, within=3), "on_undecided": "interrupt"}
    for _ in range(2):
        with JournalLog(Countdown(2), "count", place) as log:
            app = create_maker(Countdown(2), log=log, **how).compile(checkpointer=InMemorySaver())
            assert app.invoke({}, CONFIG)["__interrupt__"][0].value["passed"]
    assert len(contested.log) == 3


def test_a_step_that_raises_leaves_the_log_where_it_was(place: str) -> None:
    with JournalLog(Countdown(2), "count", place) as log:
        with pytest.raises(Undecided):
            create_maker(Countdown(2), model=Scripted(script=replies("?")), ladder=None, log=log).compile().invoke({})
        assert log.position()["step"] == 0
        assert create_maker(Countdown(2), model=Scripted(script=counting), k=1, log=log).compile().invoke({})["done"]


async def test_ainvoke_commits_as_invoke_does(place: str) -> None:
    with JournalLog(Hanoi(4), "tower", place) as log:
        app = create_maker(Hanoi(4), model="sim:gpt-oss-20b", k=3, log=log, lookahead=4).compile()
        assert (await app.ainvoke({}))["digest"] == log.position()["digest"]
        assert log.journal.step == 15


def test_a_node_of_a_larger_graph_may_run_in_any_thread(place: str) -> None:
    class Both(TypedDict, total=False):
        step: int
        other: int

    with JournalLog(Hanoi(3), "tower", place) as log:
        maker = create_maker(Hanoi(3), model="sim:perfect", log=log).compile()
        graph = StateGraph(Both).add_node("tower", lambda _: {"step": maker.invoke({})["step"]})
        graph.add_node("beside", lambda _: {"other": 1})
        both = graph.add_edge(START, "tower").add_edge(START, "beside").compile()
        assert both.invoke({}) == {"step": 7, "other": 1}


def block(latency: float, disks: int = 6) -> str:
    (code,) = re.findall(r"^```py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(code).replace("sim:gpt-oss-20b", f"sim:gpt-oss-20b,latency={latency}").replace("disks=6", f"disks={disks}")


def test_the_block_of_the_page_takes_at_most_twelve_lines_beside_imports() -> None:
    (code,) = re.findall(r"^```py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    lines = [line for line in code.splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 12


def process(code: str, database: str) -> "subprocess.Popen[str]":
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database}
    return subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def reached(database: str, name: str, step: int, child: "subprocess.Popen[str]") -> None:
    """Wait until a run has come so far."""
    connection, deadline = Connection(database), time.monotonic() + 60
    try:
        while True:
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline
            try:
                if find(connection, name).stands.step >= step:
                    return
            except UnusableRun:
                pass
            time.sleep(0.01)
    finally:
        connection.close()


def killed(code: str, database: str, name: str, *steps: int) -> str:
    """Start a process, kill it each time it has come so far, and let the next one go on; return what the last one says."""
    for step in steps:
        child = process(code, database)
        reached(database, name, step, child)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    child = process(code, database)
    said, wrong = child.communicate(timeout=60)
    assert child.returncode == 0, wrong
    return said


def digest(database: str) -> str:
    with JournalLog(Hanoi(6), "tower-6", database) as log:
        log.journal.check()
        assert log.position()["done"]
        return str(log.position()["digest"])


def test_the_process_of_the_page_is_killed_twice_and_ends_as_one_that_nobody_killed(database: str, postgres: Postgres) -> None:
    assert "63 True after 3 sessions" in killed(block(0.004), database, "tower-6", 9, 30)
    with postgres.database() as other:
        assert "63 True after 1 sessions" in killed(block(0), other, "tower-6")
        assert digest(database) == digest(other)


OUTER = "from langgraph.graph import START, StateGraph\nfrom maker_graph.core.machine import MakerOutput\n" + block(
    0.004
).replace(
    ".compile(checkpointer=saver)\n            result = await app.ainvoke({},",
    """.compile()
            around = StateGraph(MakerOutput).add_node("tower", app).add_edge(START, "tower").compile(checkpointer=saver)
            begun = (await around.aget_state({"configurable": {"thread_id": "tower-6"}})).next
            result = await around.ainvoke(None if begun else {"step": 0},""",
)
"""The same machine, as a node of another graph."""


def test_a_machine_within_a_larger_graph_goes_on_where_its_log_ends(database: str) -> None:
    assert "63 True after 3 sessions" in killed(OUTER, database, "tower-6", 9, 30)


def test_a_log_goes_on_from_the_place_that_it_keeps_and_without_it_from_all_answers(tmp_path: Path) -> None:
    with JournalLog(Hanoi(3), "tower", tmp_path) as log:
        whole = solved(log)
        assert json.loads(log.journal.note("place") or "")["digest"] == whole["digest"]
        log.journal.set_note("place", json.dumps({**whole, "step": 6}))
    with pytest.warns(UserWarning, match="all answers are applied again"), JournalLog(Hanoi(3), "tower", tmp_path) as log:
        assert log.position() == whole


async def test_whoever_is_cancelled_while_it_commits_knows_where_its_log_ends(database: str) -> None:
    with JournalLog(Hanoi(5), "tower", database) as log:
        app = create_maker(Hanoi(5), model="sim:gpt-oss-20b", k=2, log=log).compile()
        for milliseconds in range(40, 120, 10):
            work = asyncio.ensure_future(app.ainvoke({}))
            await asyncio.sleep(milliseconds / 1000)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            assert log.position()["step"] == log.journal.step
        assert (await app.ainvoke({}))["step"] == 31
        log.journal.check()
