"""A run asks once whether its model's replies are draws, says at once where they are copies, and is not certified by them."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import LimitReached, Run
from maker_graph.core.copies import PROBE, CopiesSeen
from maker_graph.models.copies import UNVARIED
from maker_graph.models.simulation import Simulator, profile_of
from maker_graph.tasks import Hanoi
from tests.conftest import Cli
from tests.models.serving import gateway

MODEL = "openai:m"
SIMULATOR = Simulator(profile_of("perfect"))


def perfect(ask: dict[str, Any]) -> str:
    """Answer as a perfect model does."""
    prompt = [("system" if each["role"] == "system" else "human", each["content"]) for each in ask["messages"]]
    return SIMULATOR.reply(prompt, seed=None, max_tokens=None).text


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    return monkeypatch


def test_a_run_behind_a_cache_is_warned_at_once_and_not_certified(tmp_path: Path, key: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with gateway(perfect, fresh_ids=True) as (url, asked):  # nothing but the probe can show this one
        key.setenv("OPENAI_BASE_URL", url)
        with Run.create(tmp_path / "r", Hanoi(disks=3), model=MODEL, k=2) as run:
            result = run.solve(warn=told.append, progress=lambda at: told.append(f"step {at['step']}"))
            certificate = run.certify()
            page = run.report()[0].read_text()
    assert told[0] == UNVARIED, "before the first step"
    assert asked[PROBE] == 3
    assert result["verified"]
    assert (certificate.chance.value, certificate.chance.low, certificate.chance.high) == (0.0, 0.0, 1.0)
    assert certificate.error is None
    assert "left to chance" in certificate.refused
    assert "No chance is certified." in page


def test_copies_that_were_proven_are_kept_with_the_run(tmp_path: Path, key: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with gateway(perfect) as (url, _):
        key.setenv("OPENAI_BASE_URL", url)
        with Run.create(tmp_path / "r", Hanoi(disks=3), model=MODEL, k=4, retry_temperature=None, rephrase=False) as run:
            with pytest.raises(Exception, match="copy"):
                run.solve(warn=told.append, concurrency=1, probe=False)
            seen = CopiesSeen.of(run._opened.journal.note("copies"))
    assert seen.proven > 0
    assert len(told) == 1
    assert "Switch off the cache" in told[0]


def test_a_run_whose_replies_are_draws_asks_once_and_is_certified(tmp_path: Path, key: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with gateway(perfect, cache=False) as (url, asked):
        key.setenv("OPENAI_BASE_URL", url)
        with Run.create(tmp_path / "r", Hanoi(disks=3), model=MODEL, k=2, max_calls=9) as run:
            with pytest.raises(LimitReached):
                run.solve(warn=told.append, progress=lambda _: None)
            assert 0 < run.step < 7
            result = run.solve(warn=told.append, max_calls=100)
            certificate = run.certify()
            spent = run._opened.journal.account().spent
    assert told == []
    assert asked[PROBE] == 3, "not again when it is gone on with"
    assert certificate.refused == ""
    assert certificate.chance.value > 0.9
    assert spent.calls == asked.total(), "they are paid for"
    assert result["samples"] == spent.calls - 3, "and they are no samples"


@pytest.mark.parametrize(
    ("settings", "how"),
    [({}, {"probe": False}), ({"temperature": 0.0}, {}), ({"model": "sim:perfect"}, {}), ({"model": "tiny"}, {})],
    ids=["switched off", "temperature 0", "simulated", "ships"],
)
def test_nobody_is_asked_where_it_shows_nothing(
    tmp_path: Path, key: pytest.MonkeyPatch, settings: dict[str, Any], how: dict[str, Any]
) -> None:
    told: list[str] = []
    with gateway(perfect, cache=False) as (url, asked):
        key.setenv("OPENAI_BASE_URL", url)
        with Run.create(tmp_path / "r", Hanoi(disks=3), **{"model": MODEL, "k": 2, **settings}) as run:
            run.solve(warn=told.append, **how)
            assert run._opened.journal.note("copies") is None
    assert asked[PROBE] == 0
    assert told == []


def test_the_probe_keeps_to_the_limits_of_the_run(tmp_path: Path, key: pytest.MonkeyPatch) -> None:
    with gateway(perfect, cache=False) as (url, asked):
        key.setenv("OPENAI_BASE_URL", url)
        with Run.create(tmp_path / "r", Hanoi(disks=3), model=MODEL, k=2, max_calls=2) as run, pytest.raises(LimitReached):
            run.solve()
    assert asked.total() == 2


def test_the_command_line_switches_the_probe_off_and_says_so_in_its_help(cli: Cli) -> None:
    env = {"OPENAI_API_KEY": "sk-test-0123456789"}
    args = ("run", "hanoi", "--disks", "3", "--model", MODEL, "--k", "2", "--json")
    with gateway(perfect, cache=False) as (url, asked):
        assert cli(*args, "--no-probe", OPENAI_BASE_URL=url, **env).returncode == 0
        assert asked[PROBE] == 0
        done = cli(*args, "--run", "again", OPENAI_BASE_URL=url, **env)
        assert (done.returncode, asked[PROBE]) == (0, 3)
    assert json.loads(done.stdout)["verified"]
    for command in ("run", "resume", "calibrate"):
        assert "--no-probe" in cli(command, "--help", COLUMNS="200").stdout


def test_a_calibration_behind_a_cache_is_refused_before_it_costs_more(cli: Cli) -> None:
    env = {"OPENAI_API_KEY": "sk-test-0123456789"}
    args = ("calibrate", "hanoi", "--disks", "4", "--model", MODEL, "--steps", "9", "--samples", "4", "--out", "c.jsonl")
    with gateway(perfect, fresh_ids=True) as (url, asked):
        done = cli(*args, OPENAI_BASE_URL=url, **env)
        assert (done.returncode, asked.total()) == (2, 3)
        assert "alike where they must differ" in done.stderr
    with gateway(perfect) as (url, _):
        done = cli(*args, "--no-probe", "--concurrency", "1", "--rpm", "6000", OPENAI_BASE_URL=url, **env)
        told = done.stderr
    with gateway(perfect, cache=False) as (url, asked):
        done = cli(*args, "--out", "d.jsonl", OPENAI_BASE_URL=url, **env)
        assert (done.returncode, asked[PROBE], asked.total()) == (0, 3, 39)
    assert "copies of earlier replies" in told
