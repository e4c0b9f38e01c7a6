"""Independent items under SIGKILL: each is committed once and in order, with the votes of an undisturbed run."""

import csv
import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.canonical import canonical
from maker_graph.run.directory import opened
from maker_graph.run.settings import Settings
from maker_graph.runs import Run
from maker_graph.tasks.tables import INPUT
from tests.made import created, new_settings
from tests.survival.harness import Children, Whole, assert_nothing_lost_or_doubled, events, wait_until, whole
from tests.survival.test_kills import begun

SAMPLES = Path(__file__).parents[2] / "examples" / "records" / "records.csv"
WIDTHS = (None, 1, 4, 16)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of 80 rows, of which some cannot be read."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    with SAMPLES.open(newline="", encoding="utf-8") as source, path.open("w", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(source))[:80]
        writer = csv.DictWriter(file, INPUT, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row, "address": "?"} if number % 17 == 5 else row for number, row in enumerate(rows))
    return new_settings("records", {"input": str(path)}, "sim:gpt-4.1-nano,latency=0.002", k=2, seed=1, stuck_after=4)


@pytest.fixture(scope="module")
def undisturbed(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole(tmp_path_factory.mktemp("items") / "whole", settings)


def test_random_kills_lose_no_item_and_double_none(
    children: Children, tmp_path: Path, settings: Settings, undisturbed: Whole
) -> None:
    chance, kills, number = random.Random(5), 0, 0
    while kills < 15:
        number += 1
        directory = tmp_path / f"run-{number}"
        with created(directory, settings):
            pass
        ended = -signal.SIGKILL
        while ended == -signal.SIGKILL:
            how: dict[str, Any] = {"steps_per_segment": chance.choice([5, 1000]), "lookahead": chance.choice(WIDTHS)}
            begins = sum(event.kind == "begin" for event in events(directory))
            child = children.start(directory, **how)
            wait_until(partial(begun, directory, begins + 1))
            time.sleep(chance.uniform(0, 0.1))
            ended = child.kill()
            kills += ended == -signal.SIGKILL
        assert ended == 0, events(directory)[-1]
        assert_nothing_lost_or_doubled(directory, undisturbed, ahead=True)


@pytest.mark.parametrize("point", ["sampled", "journal.db: INSERT INTO steps", "journal.db: COMMIT", "committed"])
def test_a_kill_at_each_point_of_a_commit_leaves_all_or_nothing_of_a_batch(
    children: Children, tmp_path: Path, settings: Settings, undisturbed: Whole, point: str
) -> None:
    for times in (1, 3, 9):
        directory = tmp_path / f"run-{times}"
        with created(directory, settings):
            pass
        assert children.run(directory, crash=point, times=times, lookahead=2) == -signal.SIGKILL
        with opened(directory) as run:
            assert [canonical(entry) for _, entry in run.journal.entries()] == [
                canonical(entry) for entry in undisturbed.entries[: run.journal.step]
            ]
        assert children.run(directory) == 0
        assert_nothing_lost_or_doubled(directory, undisturbed, ahead=True)


def test_a_limit_that_stops_a_run_wastes_nothing_that_was_decided(
    children: Children, tmp_path: Path, settings: Settings, undisturbed: Whole
) -> None:
    directory = tmp_path / "run"
    with created(directory, settings):
        pass
    limit, code = 0, 4
    while code == 4:
        limit += 100
        code = children.run(directory, limits={"calls": limit})
    assert code == 0
    assert_nothing_lost_or_doubled(directory, undisturbed, ahead=True)
    with opened(directory) as run:
        drawn = run.journal.account().spent.samples
    sessions, in_flight = limit // 100, 32 * 4
    assert drawn <= undisturbed.samples + sessions * in_flight, "what was in flight at a limit, and no more"
    assert sessions <= 15, "each session commits some items"


UNREADABLE = (
    '{{"street":"Elm Street","house_number":"{0}","postcode":"10115","city":"Berlin","date":"2024-01-01","amount":"1.00",'
)
UNREADABLE += '"currency":"EUR"}}'

ANSWERING = """
from maker_graph.runs import Run
with Run.open({path!r}) as run:
    replies = {{item.number: {text!r}.replace("NUMBER", str(item.number)) for item in run.open_items()}}
    for each in [replies] if {at_once} else [{{number: reply}} for number, reply in replies.items()]:
        run.answer(each, write=False)
"""


@pytest.fixture(scope="module")
def left_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run whose model has said nothing that can be read: all of its 60 rows are open."""
    folder = tmp_path_factory.mktemp("open")
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([INPUT, *((f"{number} Elm Street 10115", "?", "?") for number in range(1, 61))])
    options = {"input": str(folder / "rows.csv")}
    with created(folder / "run", new_settings("records", options, "sim:perfect", k=2, seed=1, stuck_after=2)):
        pass
    with Run.open(folder / "run") as run:
        assert run.solve()["verdict"] == "open"
        assert run.open_count() == 60
    return folder / "run"


def answered(children: Children, directory: Path, kills: int, seed: int, *, at_once: bool) -> str:
    """Let a person answer all open items, who is killed again and again; return the digest at the end."""
    text = UNREADABLE.format("NUMBER")
    source, chance = ANSWERING.format(path=str(directory), text=text, at_once=at_once), random.Random(seed)
    known: dict[int, str] = {}
    for _ in range(kills):
        child = children.start(directory.parent, "script", source=source)
        time.sleep(chance.uniform(0.0, 0.25))
        child.kill()
        with opened(directory) as run:
            run.journal.check()
            now = {step: canonical(decision["answer"]) for step, decision in run.journal.amendments().items()}
        assert known.items() <= now.items(), "an answer that was stored is there, and as it was"
        assert not at_once or len(now) in {0, 60}, "those that are given together are stored together"
        known = now
    assert children.run(directory.parent, "script", source=source) == 0
    with Run.open(directory) as run:
        found = run.verify()
        assert (run.open_count(), found["steps"]) == (0, 60)
        assert [step.decision["by"] for step in run.steps()] == ["person"] * 60
        assert {item["house_number"] for item in (step.answer for step in run.steps())} == {str(n) for n in range(1, 61)}  # type: ignore[index, call-overload]  # rows
    return str(found["digest"])


@pytest.mark.parametrize("at_once", [False, True])
def test_a_person_who_is_killed_while_answering_loses_no_answer_and_gives_none_twice(
    children: Children, tmp_path: Path, left_open: Path, *, at_once: bool
) -> None:
    digests = set()
    for kills in (0, 12):
        directory = tmp_path / f"kills-{kills}" / "run"
        shutil.copytree(left_open, directory)
        digests.add(answered(children, directory, kills, seed=kills, at_once=at_once))
    assert len(digests) == 1
