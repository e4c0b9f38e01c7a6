"""SIGKILL at any moment: no committed step is lost or happens twice, and only what was in flight is sampled again."""

import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maker_graph.run.directory import opened
from tests.made import created
from tests.survival.harness import Children, Whole, assert_nothing_lost_or_doubled, events, settings_of, wait_until, whole

LOOKAHEADS = (1, 2, 8, 32, "auto")


def killed_at_random(
    children: Children, folder: Path, expected: Whole, *, kills: int, seed: int, lookahead: Sequence[int | str] = (1,)
) -> int:
    """Kill runs at random moments until there were so many kills, each again and again until it is done; return the runs."""
    chance, number = random.Random(seed), 0
    while kills > 0:
        number += 1
        directory = folder / f"run-{number}"
        with created(directory, settings_of()):
            pass
        ended = -signal.SIGKILL
        while ended == -signal.SIGKILL:
            how: dict[str, Any] = {"steps_per_segment": chance.choice([1, 4, 1000]), "lookahead": chance.choice(lookahead)}
            begins = sum(event.kind == "begin" for event in events(directory))
            child = children.start(directory, **how)
            if kills > 0:
                if chance.random() < 0.7:  # else it may still be starting
                    wait_until(partial(begun, directory, begins + 1))
                time.sleep(chance.uniform(0, 0.1))
                ended = child.kill()
                kills -= ended == -signal.SIGKILL
            else:
                ended = child.wait()
        assert ended == 0, (seed, number, events(directory)[-1])
        assert_nothing_lost_or_doubled(directory, expected, ahead=len(lookahead) > 1)
    return number


def begun(directory: Path, times: int) -> bool:
    """Say whether sessions have begun so many times, or the run has ended."""
    told = events(directory)
    return sum(event.kind == "begin" for event in told) >= times or any(event.kind == "end" for event in told)


def test_100_random_kills_lose_nothing_and_double_nothing(children: Children, tmp_path: Path, unharmed: Whole) -> None:
    assert killed_at_random(children, tmp_path, unharmed, kills=100, seed=11) > 3


def test_nor_with_a_lookahead_that_is_another_after_each_kill(children: Children, tmp_path: Path, unharmed: Whole) -> None:
    killed_at_random(children, tmp_path, unharmed, kills=60, seed=12, lookahead=LOOKAHEADS)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
def test_500_random_kills_with_lookahead(children: Children, tmp_path: Path, unharmed: Whole, seed: int) -> None:
    killed_at_random(children, tmp_path, unharmed, kills=100, seed=seed, lookahead=LOOKAHEADS)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
def test_500_random_kills_lose_nothing_and_double_nothing(
    children: Children, tmp_path: Path, unharmed: Whole, seed: int
) -> None:
    killed_at_random(children, tmp_path, unharmed, kills=100, seed=seed)


COMMIT = {
    "sampled",
    "journal.db: BEGIN IMMEDIATE",
    "journal.db: INSERT INTO steps",
    "journal.db: INSERT INTO notes",
    "journal.db: COMMIT",
    "committed",
    "checkpoints.db: BEGIN",
    "checkpoints.db: INSERT OR REPLACE",
    "checkpoints.db: COMMIT",
}
"""Points that must be among those found: between the last vote and the end of the commit, and at the end of a segment."""


def points(children: Children, directory: Path, job: str, **settings: int) -> Counter[str]:
    """Return the points that an unharmed child comes by, and how often."""
    assert children.run(directory, job, tells=True, **settings) == 0
    return Counter(event.text for event in events(directory) if event.kind == "point")


def crashed_at_every_point(children: Children, folder: Path, *, times: int, seed: int) -> None:
    """Crash a run at each point, so many times each, then let it go on to its end."""
    chance, expected = random.Random(seed), whole(folder / "whole", settings_of(3))
    with created(folder / "dry", settings_of(3)):
        pass
    found = points(children, folder / "dry", "work", steps_per_segment=2)
    assert set(found) >= COMMIT
    for number, point in enumerate(sorted(found)):
        directory = folder / f"run-{number}"
        with created(directory, settings_of(3)):
            pass
        crashes = 0
        for _ in range(times if point in COMMIT else 2):
            ended = children.run(directory, crash=point, times=chance.randint(1, min(found[point], 2)), steps_per_segment=2)
            crashes += ended == -signal.SIGKILL
            assert_nothing_lost_or_doubled(directory, expected, finished=ended == 0)
        assert crashes, (seed, point)
        assert children.run(directory) == 0, (seed, point, events(directory)[-1])
        assert_nothing_lost_or_doubled(directory, expected)


def test_a_crash_at_every_point_up_to_the_end_of_a_commit_loses_nothing_and_doubles_nothing(
    children: Children, tmp_path: Path
) -> None:
    crashed_at_every_point(children, tmp_path, times=5, seed=3)


@pytest.mark.campaign
def test_20_crashes_at_every_point_lose_nothing_and_double_nothing(children: Children, tmp_path: Path) -> None:
    crashed_at_every_point(children, tmp_path, times=20, seed=4)


def test_a_crash_while_a_run_is_made_leaves_a_whole_run_or_none_and_it_can_be_made_again(
    children: Children, tmp_path: Path
) -> None:
    found = points(children, tmp_path / "dry", "create")
    born = {"os.mkdir the new run", "open a draft", "os.rename the new run", "journal.db: CREATE TABLE steps"}
    assert set(found) >= born
    whole_ones = 0
    for number, point in enumerate(sorted(found)):
        for times in range(1, found[point] + 1):
            directory = tmp_path / f"run-{number}-{times}"
            assert children.run(directory, "create", crash=point, times=times) == -signal.SIGKILL
            if directory.exists():
                whole_ones += 1
                assert children.run(directory) == 0, (point, times, events(directory)[-1])
            else:
                assert children.run(directory, "create") == 0, (point, times, events(directory)[-1])
                assert not list(tmp_path.glob(f".{directory.name}.*")), "what the killed one left"
            with opened(directory) as run:
                assert run.journal.account().serial
    assert 0 < whole_ones < found.total()
