"""SIGKILL at any moment: no committed step is lost or happens twice, and only what was in flight is sampled again."""

import random
import signal
import time
from pathlib import Path

import pytest

from maker_graph.errors import UnusableRun
from maker_graph.run import created, opened
from tests.survival.harness import Children, Whole, assert_nothing_lost_or_doubled, events, settings_of


def killed_at_random(children: Children, folder: Path, expected: Whole, *, kills: int, seed: int) -> int:
    """Kill runs at random moments until there were so many kills, each run again and again until it is done; return the runs."""
    chance, number = random.Random(seed), 0
    while kills > 0:
        number += 1
        directory = folder / f"run-{number}"
        with created(directory, settings_of()):
            pass
        ended = -signal.SIGKILL
        while ended == -signal.SIGKILL:
            child = children.start(directory, steps_per_segment=chance.choice([1, 4, 1000]))
            if kills > 0:
                time.sleep(chance.uniform(0, 0.25))
                ended = child.kill()
                kills -= ended == -signal.SIGKILL
            else:
                ended = child.wait()
        assert ended == 0, (seed, number, events(directory)[-1])
        assert_nothing_lost_or_doubled(directory, expected)
    return number


def test_100_random_kills_lose_nothing_and_double_nothing(children: Children, tmp_path: Path, unharmed: Whole) -> None:
    assert killed_at_random(children, tmp_path, unharmed, kills=100, seed=11) > 3


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
def test_500_random_kills_lose_nothing_and_double_nothing(
    children: Children, tmp_path: Path, unharmed: Whole, seed: int
) -> None:
    killed_at_random(children, tmp_path, unharmed, kills=100, seed=seed)
