"""Told to stop, by a signal or by a cancelled task: within five seconds, with 130, between two steps, and it can go on."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maker_graph.run.directory import opened
from maker_graph.run.home import Run
from maker_graph.run.solving import solve
from tests.made import created
from tests.survival.awaits import cancel_at
from tests.survival.harness import (
    MODEL,
    Children,
    Whole,
    assert_nothing_lost_or_doubled,
    entries,
    settings_of,
    wait_until,
    whole,
)


def cancelled_at_every_await(folder: Path, *, stride: int) -> int:
    """Cancel a run at each await, or each so-manieth, resume it, and return how many awaits there were."""
    expected = whole(folder / "whole", settings_of(2))
    cancelled, number = True, 1
    while cancelled:
        directory = folder / f"run-{number}"
        with created(directory, settings_of(2)) as run:
            cancelled = cancel_at(number, lambda run=run: solve(run, steps_per_segment=2))  # type: ignore[misc]
            assert entries(run) == expected.entries[: run.journal.step], number
        with opened(directory) as run:
            asyncio.run(solve(run))
        assert_nothing_lost_or_doubled(directory, expected)
        number += stride
    return number


def test_cancelled_at_any_fourth_await_a_run_stops_between_two_steps_and_can_go_on(tmp_path: Path) -> None:
    assert cancelled_at_every_await(tmp_path, stride=4) > 80


@pytest.mark.campaign
def test_cancelled_at_every_await_a_run_stops_between_two_steps_and_can_go_on(tmp_path: Path) -> None:
    assert cancelled_at_every_await(tmp_path, stride=1) > 80


def started(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "maker_graph.cli", *args, "--json"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def run_args(model: str) -> list[str]:
    return ["run", "hanoi", "--disks", "5", "--k", "2", "--seed", "1", "--model", model, "--run", "r"]


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal; return how the process ended and what it said. It is promised to take 5 s at most."""
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=5)
    finally:
        process.kill()
    return process.returncode, said


def resumed(children: Children, folder: Path, expected: Whole) -> None:
    """Go on with the run, to the same end; if it was stopped before it was a run, there is none."""
    directory = folder / "runs" / "r"
    if (directory / "settings.json").exists():
        child = children.start(folder, "command", args=["resume", "r"])
        assert child.wait(60) == 0, child.said
        assert_nothing_lost_or_doubled(directory, expected)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("model", [MODEL.replace("0.002", "0.03"), "sim:gpt-oss-20b,latency=3600"])
def test_a_signal_while_a_run_works_or_its_model_hangs_ends_it_in_5_s_with_130(
    children: Children, tmp_path: Path, unharmed: Whole, number: signal.Signals, model: str
) -> None:
    directory = tmp_path / "runs" / "r"
    process = started(tmp_path, *run_args(model))
    wait_until((directory / "checkpoints.db").exists)
    time.sleep(random.Random(number).uniform(0.1, 0.5))
    code, said = stopped(process, number)
    assert code == 130, said
    assert "resume" in said
    with opened(directory) as run:
        assert not is_done(run)
    if "3600" not in model:
        resumed(children, tmp_path, unharmed)


def is_done(run: Run) -> bool:
    """Say whether the journal ends where the task does."""
    return run.journal.step == run.machine.total


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_first_half_second_ends_a_run_in_5_s_with_130(
    children: Children, tmp_path: Path, unharmed: Whole, number: signal.Signals
) -> None:
    signalled_at_random(children, tmp_path, unharmed, number, times=2, until=0.5)


@pytest.mark.campaign
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_40_moments_end_a_run_in_5_s_with_130(
    children: Children, tmp_path: Path, unharmed: Whole, number: signal.Signals
) -> None:
    signalled_at_random(children, tmp_path, unharmed, number, times=20, until=0.5)
    signalled_at_random(children, tmp_path, unharmed, number, times=20, until=4)


def signalled_at_random(
    children: Children, folder: Path, expected: Whole, number: signal.Signals, *, times: int, until: float
) -> None:
    """Signal so many runs at a random moment after the start of their processes."""
    chance = random.Random(number + times)
    for each in range(times):
        place = folder / f"{until}-{each}"
        place.mkdir()
        process = started(place, *run_args(MODEL))
        moment = chance.uniform(0, until)
        time.sleep(moment)
        code, said = stopped(process, number)
        made = (place / "runs" / "r" / "settings.json").exists()
        # As long as Python is importing there may be nobody to say 130, and there is nothing to lose. An import that is
        # interrupted ends Python with SIGINT, whoever catches it; a shell says 130 of that too.
        assert code in ({130, 0} if made else {130, -number, -signal.SIGINT, 1}), (moment, code, said)
        resumed(children, place, expected)
