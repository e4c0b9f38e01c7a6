"""Asking a model: its samples are drawn as in a run, and what was paid for is never asked again."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Unknown, Valid
from maker_graph.calibration.estimates import estimates_of
from maker_graph.calibration.file import open_calibration
from maker_graph.calibration.measuring import calibrate
from maker_graph.core.emitting import Emit
from maker_graph.errors import LimitReached
from maker_graph.models.resolving import resolve_model
from maker_graph.run.account import Limits
from maker_graph.tasks import Hanoi
from tests.calibration.making import request_of
from tests.conftest import Scripted


def test_the_samples_are_drawn_as_in_a_run(tmp_path: Path) -> None:
    # the first at temperature 0, the others at .1, with the cap; flags and rules of the task as there
    task = Hanoi(3)

    def script(index: int, prompt: str) -> str:
        if index == 0:
            return "no move at all"
        if index == 1:
            return "move = [3, 0, 2]\nnext_state = [[2, 1], [], [3]]" if "[[3, 2, 1], [], []]" in prompt else ""
        steps = (task.state_at(step) for step in range(7))
        state = next(state for state in steps if f"Current state: {state['pegs']}" in prompt)
        answer = task.truth(state)
        return f"move = {answer['move']}\nnext_state = {answer['next_state']}"

    model = Scripted(script=script)
    with open_calibration(tmp_path / "c.jsonl", request_of()) as calibration:
        asyncio.run(calibrate(calibration, task, model, "scripted"))
        result = calibration.conclude("scripted", (1.0, 2.0))
    assert Counter((call["index"], call["temperature"], call["max_tokens"]) for call in model.log) == {
        (0, 0.0, 99): 7, (1, 0.1, 99): 7, (2, 0.1, 99): 7,
    }  # fmt: skip
    assert result.flags == {"empty": 6 / 21, "invalid": 1 / 21, "malformed": 7 / 21}
    assert (result.p.value, result.valid.value, result.hard) == (1.0, 7 / 21, [])


def test_the_cost_of_earlier_calls_counts(tmp_path: Path) -> None:
    task, path = Hanoi(3), tmp_path / "c.jsonl"
    model = Scripted(script=lambda _, __: "x" * 400)
    limits = Limits(cost=0.09)

    def go_on() -> int:
        with open_calibration(path, request_of(samples=2)) as calibration:
            with pytest.raises(LimitReached, match=r"limit of \$0.09"):
                asyncio.run(calibrate(calibration, task, model, "scripted", price=lambda _: 0.01, limits=limits, concurrency=2))
            return len(calibration.steps)

    assert (go_on(), go_on()) == (4, 4)


def test_what_the_file_has_is_not_asked_again_and_minutes_are_a_limit(tmp_path: Path) -> None:
    task, path = Hanoi(3), tmp_path / "c.jsonl"
    model = Scripted(script=lambda _, __: "no move", delay=lambda _: 0.3)
    with open_calibration(path, request_of()) as calibration, pytest.raises(LimitReached, match=r"0\.015 minutes"):
        asyncio.run(calibrate(calibration, task, model, "scripted", limits=Limits(minutes=0.015), concurrency=1))
    with open_calibration(path, request_of()) as calibration:
        kept = len(calibration.steps)
        assert 0 < kept < 7
        model.log.clear()
        asyncio.run(calibrate(calibration, task, model, "scripted"))
        assert len(calibration.steps) == 7
    assert len(model.log) == 3 * (7 - kept)


def test_each_sample_is_asked_a_variant_and_errors_are_told_apart_within_and_between(tmp_path: Path) -> None:
    """A simulated model errs on a prompt, and on each naming of the pegs in its own way."""
    model = resolve_model("sim:perfect,error=.3,rho=.6", seed=1)
    request = request_of(
        options={"disks": 5}, total=31, steps=31, samples=8, variants=True, check=False, max_tokens={"scripted": 750}, seed=1
    )
    with open_calibration(tmp_path / "c.jsonl", request) as calibration:
        asyncio.run(calibrate(calibration, Hanoi(5), model, "scripted"))
        result = calibration.conclude("scripted", (1.0, 2.0))
        lines = [*calibration.steps.values()]
    assert result.variants is not None
    assert result.variants.within is not None
    assert result.variants.between is not None
    assert result.variants.within > result.variants.between + 0.2
    assert sum(result.variants.pairs) == 31 * 28
    assert all(len(line.variants) == 8 and set(line.variants) <= set(range(6)) for line in lines)
    with open_calibration(tmp_path / "c.jsonl", request) as calibration:
        assert calibration.missing("scripted") == []


def test_without_variants_nothing_is_said_of_them(tmp_path: Path) -> None:
    model = resolve_model("sim:perfect,error=.3", seed=1)
    with open_calibration(tmp_path / "c.jsonl", request_of(max_tokens={"scripted": 750})) as calibration:
        asyncio.run(calibrate(calibration, Hanoi(3), model, "scripted"))
        assert calibration.conclude("scripted", (1.0, 2.0)).variants is None


class Verified(Hanoi):
    """Its verifier proves the answers of a third of the steps, right or wrong, and knows nothing of the others."""

    def verify(self, state: Any, answer: Any) -> Valid | Unknown:
        proved = state["pegs"][0] and (len(state["pegs"][0]) == 1 or answer != self.truth(state))
        return Valid("it looks right", conclusive=True) if proved else Unknown()


def test_what_a_verifier_proves_is_measured_and_where_it_is_wrong_is_told(tmp_path: Path) -> None:
    task = Verified(3)

    def script(index: int, prompt: str) -> str:
        states = (task.state_at(step) for step in range(7))
        state = next(state for state in states if f"Current state: {state['pegs']}" in prompt)
        wrong = {"move": [1, 0, 1], "next_state": [[3, 2], [1], []]}
        answer = wrong if index == 2 and state["pegs"] == [[3, 2, 1], [], []] else task.truth(state)
        return f"move = {answer['move']}\nnext_state = {answer['next_state']}"

    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of()) as calibration:
        asyncio.run(calibrate(calibration, task, Scripted(script=script), "scripted"))
        found = calibration.conclude("scripted", None).verifier
    assert found is not None
    alone = sum(len(task.state_at(step)["pegs"][0]) == 1 for step in range(7))
    assert (found.proved * 21, found.unknown * 21, found.valid) == pytest.approx((3 * alone + 1, 20 - 3 * alone, 0))
    assert (found.first * 7, found.steps * 7, found.wrong) == pytest.approx((alone, alone + 1, 1))
    with open_calibration(path, request_of()) as again:
        assert again.results["scripted"].verifier == found
    assert "proved a wrong answer on 1 of the steps" in estimates_of(again.results["scripted"]).remarks[-1]


def test_without_a_verifier_nothing_of_it_stands_in_the_file(tmp_path: Path) -> None:
    with open_calibration(tmp_path / "c.jsonl", request_of(max_tokens={"scripted": 999})) as calibration:
        asyncio.run(calibrate(calibration, Hanoi(3), resolve_model("sim:perfect"), "scripted"))
        calibration.conclude("scripted", None)
    content = (tmp_path / "c.jsonl").read_text()
    assert "standings" not in content
    assert "verifier" not in content


def test_both_calls_of_a_sample_are_measured_and_each_is_paid_at_its_own_price(tmp_path: Path) -> None:
    for name, writer, price in (("same", None, 0.06 * 7), ("other", "sim:perfect", 0.03 * 7)):
        request = request_of(emit=Emit(model=writer).to_json())
        model = Scripted(script=lambda _, prompt: "nothing" if "begin of notes" in prompt else "I move a disk.", log=[])
        with open_calibration(tmp_path / name, request) as calibration:
            asyncio.run(calibrate(calibration, Hanoi(3), model, "scripted", price=lambda _: 0.01))
        steps = [line for line in map(json.loads, (tmp_path / name).read_text().splitlines()) if "sequence" in line]
        assert sum(step["cost"] for step in steps) == pytest.approx(price)
        assert {flag for step in steps for flag in step["sequence"]} == {"malformed"}
        assert len(model.log) == (42 if writer is None else 21)
