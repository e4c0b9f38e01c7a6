"""A budget holds over kills and resumes: what was really drawn, in all sessions, stays within it."""

import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.judging import Usage
from maker_graph.errors import TakenOver
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.account import Ledger, Limits
from maker_graph.run.directory import opened
from maker_graph.tasks import Hanoi
from tests.made import created
from tests.models.serving import http, raw_server, simulated
from tests.survival.harness import (
    Child,
    Children,
    Event,
    Whole,
    assert_nothing_lost_or_doubled,
    events,
    settings_of,
    wait_until,
)

PRICE = (100.0, 1000.0)


def cost(event: Event) -> float:
    """Return what a sample cost that a child told of."""
    _, read, written = event.text.split()
    return FlatPrice(*PRICE)(Usage(input=int(read), cached=0, output=int(written)))


def killed_within(children: Children, directory: Path, *, seed: int, limits: dict[str, float]) -> int:
    """Kill a run again and again until it stops at its limits of itself; return the number of kills."""
    chance, kills = random.Random(seed), 0
    arguments: dict[str, Any] = {"limits": limits, "price": PRICE, "steps_per_segment": 3}
    while True:
        child = children.start(directory, **arguments)
        time.sleep(chance.uniform(0.05, 0.3))
        ended = child.kill()
        if ended != -signal.SIGKILL:
            assert (ended, events(directory)[-1].kind) == (4, "LimitReached"), events(directory)[-1]
            break
        kills += 1
    drawn = len(events(directory))
    assert children.run(directory, **arguments) == 4, "the budget was reset by a resume"
    assert not [event for event in events(directory)[drawn:] if event.kind == "sample"]
    return kills


@pytest.mark.parametrize("limits", [{"calls": 60}, {"cost": 60.0}, {"cost": 58.0, "calls": 60}])
def test_a_budget_holds_over_kills_and_no_resume_resets_it(
    children: Children, tmp_path: Path, unharmed: Whole, limits: dict[str, float]
) -> None:
    directory = tmp_path / "r"
    with created(directory, settings_of()):
        pass
    kills = killed_within(children, directory, seed=1, limits=limits)
    assert kills
    samples = [event for event in events(directory) if event.kind == "sample"]
    assert len(samples) <= limits.get("calls", len(samples)), kills
    assert sum(map(cost, samples)) <= limits.get("cost", float("inf")), kills
    with opened(directory) as run:
        account = run.journal.account()
    most = account.spent.calls + account.unsettled.calls
    assert account.spent.samples <= len(samples) <= most, "what was drawn is accounted for"
    assert children.run(directory, price=PRICE) == 0
    assert_nothing_lost_or_doubled(directory, unharmed)


def test_a_run_that_is_killed_before_every_commit_reaches_its_limit_all_the_same(children: Children, tmp_path: Path) -> None:
    directory, sessions = tmp_path / "r", 0
    with created(directory, settings_of()):
        pass
    while children.run(directory, crash="sampled", limits={"calls": 30}) == -signal.SIGKILL:
        sessions += 1
        assert sessions < 31, "what it paid for before it was killed is forgotten each time"
    assert events(directory)[-1].kind == "LimitReached"
    assert 1 < sum(event.kind == "sample" for event in events(directory)) <= 30


def test_what_could_not_be_written_is_booked_once_there_is_room(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, FlatPrice(1e6, 0.0), Limits(), None)
        most = Usage(input=1, cached=0, output=0)
        meter.reserve(most)
        meter.abandon(most, billed=True)
        spent, _ = meter.take()
        meter.give_back(spent)  # as after an append that found no room
        meter.close()
        assert (run.journal.account().spent.cost, run.journal.account().spent.calls) == (1.0, 1)


def test_an_owner_that_was_taken_over_pays_for_no_further_call(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, None, Limits(), None)
        meter.reserve(Usage(input=1, cached=0, output=0))
        with opened(tmp_path / "r") as again:
            again.journal.claim()
        with pytest.raises(TakenOver):
            meter.reserve(Usage(input=1, cached=0, output=0))


def test_no_more_is_held_than_the_limit_leaves(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, None, Limits(calls=10), None)
        for _ in range(7):
            meter.reserve(Usage(input=1, cached=0, output=0))
        assert run.journal.account().reserved.calls == 10, "twice as many as are open would be 14"


class Writes:
    """A provider for samples of two calls, who tells when a second call is made, and answers it late while it is to."""

    def __init__(self) -> None:
        self.asked = list[bytes]()
        self.second = threading.Event()
        self.late = True

    def __call__(self, request: bytes) -> list[bytes]:
        self.asked.append(request)
        if self.late and b"begin of notes" in request:
            self.second.set()
            time.sleep(2)  # what asked is killed meanwhile
        return [http(simulated(request))]


EMITS = ["run", "hanoi", "--disks", "3", "--model", "openai:m", "--emit", "same", "--no-probe", "-q", "--run", "r"]


def started(children: Children, folder: Path, url: str, *args: str) -> Child:
    source = f"import sys; from maker_graph.cli import main; sys.argv = {['', *args]}; main()"
    return children.start(folder, "script", source=source, env={"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": url})


def killed_between(children: Children, folder: Path, provider: Writes, url: str, *args: str) -> Child | None:
    """Start a command, and kill it once a second call of it is under way; return it if it ends before."""
    child = started(children, folder, url, *args)
    told = folder / f"{child.pid}.err"
    wait_until(lambda: provider.second.is_set() or (told.exists() and bool(told.read_text())))
    if not provider.second.is_set():
        return child
    provider.second.clear()
    assert child.kill() == -signal.SIGKILL
    return None


def test_a_kill_between_the_two_calls_of_a_sample_begins_no_limit_anew(children: Children, tmp_path: Path) -> None:
    provider, command, ended = Writes(), [*EMITS, "--k", "1", "--max-calls", "8"], None
    with raw_server(provider) as url:
        while (ended := killed_between(children, tmp_path, provider, url, *command)) is None:
            command = ["resume", "r", "-q"]
        assert ended.wait() == 4
    assert "limit of 8 calls" in (tmp_path / f"{ended.pid}.err").read_text()
    assert 4 <= len(provider.asked) <= 8


def test_a_run_that_is_killed_between_the_calls_of_its_samples_comes_to_the_same_end(
    children: Children, tmp_path: Path
) -> None:
    provider, command = Writes(), [*EMITS, "--k", "2"]
    with raw_server(provider) as url:
        for _ in range(3):
            assert killed_between(children, tmp_path, provider, url, *command) is None
            command = ["resume", "r", "-q"]
        provider.late = False
        assert started(children, tmp_path, url, *command).wait() == 0
    with opened(tmp_path / "runs" / "r") as run:
        account, decisions = run.journal.account(), list(run.journal.decisions())
    assert [decision["answer"] for decision in decisions] == [Hanoi(3).truth(Hanoi(3).state_at(step)) for step in range(7)]
    assert account.spent.samples >= 14
    assert account.spent.calls <= len(provider.asked) <= account.spent.calls + account.unsettled.calls
