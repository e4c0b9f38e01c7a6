"""Independent items under SIGKILL: each is committed once and in order, with the votes of an undisturbed run."""

import csv
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.canonical import canonical
from maker_graph.run.directory import opened
from maker_graph.run.settings import Settings
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
    for times in (1, 2):  # later ones may not come: many items are committed together
        directory = tmp_path / f"run-{times}"
        with created(directory, settings):
            pass
        assert children.run(directory, crash=point, times=times) == -signal.SIGKILL
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
