"""A run in Python."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, LimitReached, ProviderFailure, Run, TakenOver, Undecided, UnusableRun, UsageError
from maker_graph.core.machine import MakerOutput
from maker_graph.models.gate import Gate, Pass
from maker_graph.simulation import Replies
from maker_graph.tasks import Hanoi, Records
from maker_graph.tasks.loading import load_task

MODEL = "sim:gpt-oss-20b"


def test_a_run_is_made_solved_opened_again_and_looked_at(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=4), model=MODEL, k=3) as run:
        result = run.solve()
    assert (result["verified"], result["steps"], result["k"]) == (True, 15, 3)
    with Run.open(tmp_path / "r") as again:
        steps = [*again.steps()]
        assert again.verify() == result
        assert again.certify().steps == 15
        assert (again.directory / "report.html") in again.report()
    assert [step.step for step in steps] == [*range(1, 16)]
    assert sum(step.samples for step in steps) == result["samples"]
    assert steps[0].answer == {"move": [1, 0, 1], "next_state": [[4, 3, 2], [1], []]}
    assert max(steps[0].ballot.values()) >= 3


def test_each_step_is_an_event_when_it_is_committed(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1) as run:
        for number, step in enumerate(run.events(), start=1):
            assert (step.step, run.step) == (number, number)
        assert number == 7
        assert [*run.events()] == []


def test_a_reader_that_stops_loses_nothing(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1) as run:
        for step in run.events():
            if step.step == 3:
                break
        at = run.step
        assert at >= 3
        assert [step.step for step in run.events()] == [*range(at + 1, 8)]
        assert run.verify()["verified"]


async def test_in_a_running_loop_it_says_what_to_use_and_that_works(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1) as run:
        with pytest.raises(UsageError, match=r"await run\.asolve"):
            run.solve()
        with pytest.raises(UsageError, match="aevents"):
            next(run.events())
        assert [step.step async for step in run.aevents()] == [*range(1, 8)]
        assert (await run.asolve())["verified"]


def test_opening_claims_nothing_and_solving_does(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1) as owner:
        events = owner.events()
        next(events)
        with Run.open(tmp_path / "r") as other:
            assert other.step == 1
            next(events)
            assert other.solve()["verified"]
        with pytest.raises(TakenOver):
            list(events)


def test_limits_are_kept_and_a_higher_one_goes_on(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1, max_calls=3) as run:
        with pytest.raises(LimitReached):
            run.solve()
        assert (run.step, run.options.max_calls) == (3, 3)
    with Run.open(tmp_path / "r") as run:
        with pytest.raises(LimitReached):
            run.solve()
        assert run.solve(max_calls=100)["verified"]


def test_a_limit_on_steps_is_kept_like_the_others(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1, max_steps=2, lookahead=4) as run:
        with pytest.raises(LimitReached, match="limit of 2 steps"):
            run.solve()
        assert (run.step, run.options.max_steps, run.verify()["dropped"]) == (2, 2, 0)
    with Run.open(tmp_path / "r") as run:
        with pytest.raises(LimitReached, match="limit of 2 steps"):
            run.solve()
        with pytest.raises(LimitReached, match="limit of 4 steps"):
            run.solve(max_steps=4)
        assert run.solve(max_steps=7)["steps"] == 7


class Own(Hanoi):
    """A task of a user's own."""


def test_a_task_of_ones_own_is_handed_in_again(tmp_path: Path) -> None:
    Run.create(tmp_path / "r", Own(3), model="sim:perfect", k=1).close()
    with Run.open(tmp_path / "r") as run, pytest.raises(UnusableRun, match="task="):
        run.solve()
    with Run.open(tmp_path / "r", task=Own(3)) as run:
        assert run.solve()["verified"]
    with Run.open(tmp_path / "r", task=Own(4)) as run, pytest.raises(UnusableRun, match="no longer"):
        run.solve()


def test_what_cannot_be_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_samples"):
        Run.create(tmp_path / "r", Hanoi(3), model="sim:perfect", k=9, max_samples=3)
    with pytest.raises(UsageError, match="names no model"):
        Run.create(tmp_path / "r", Hanoi(3), model="")
    with pytest.raises(UsageError, match="No price"):
        Run.create(tmp_path / "r", Hanoi(3), model="sim:perfect", max_cost=1.0)
    with pytest.raises(UsageError, match="draft"):
        Run.create(tmp_path / "r", Hanoi(3), model="tiny", lookahead=4)
    assert not (tmp_path / "r").exists()


def test_k_is_planned_from_what_is_known(tmp_path: Path) -> None:
    with Run.create(tmp_path / "weak", Hanoi(disks=10), model=MODEL, target=0.99) as weak:
        assert weak.settings.k > 3
        assert weak.plan is not None
        assert weak.plan["p_full"] > 0.99
    with Run.create(tmp_path / "perfect", Hanoi(disks=10), model="sim:perfect") as perfect:
        assert perfect.settings.k == 1


def test_the_temperature_follows_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    for name, more, temperature in (
        ("lead", {}, (0.0, 0.1)),
        ("within", {"within": 5}, (0.7, 0.7)),
        ("own", {"within": 5, "temperature": 0.2}, 0.2),
    ):
        settings: dict[str, Any] = {"model": "openai:m", "k": 3, **more}
        with Run.create(tmp_path / name, Hanoi(disks=3), **settings) as run:
            assert run.settings.voting.temperature == temperature


def test_many_open_items_in_a_row_are_told_with_the_reason(tmp_path: Path) -> None:
    class Hopeless(Items):
        def __init__(self) -> None:
            self.items = list(range(44))

        def given(self, item: int) -> str | None:
            return "known" if item % 2 else None

        def prompt(self, item: int) -> str:
            return f"{item}?"

        def parse(self, text: str) -> int:
            return int(text)

        def rehearse(self, item: int) -> Replies:
            return Replies(f"no number, {item}", ["none"])

    told: list[str] = []
    with Run.create(tmp_path / "r", Hopeless(), model="sim:perfect", k=2, max_samples=4, rephrase=False) as run:
        run.solve(warn=told.append)
    (said,) = [text for text in told if "in a row" in text]
    assert said.startswith("20 items in a row are left open. The last one: ")
    assert "malformed" in said


def test_who_watches_is_told(tmp_path: Path) -> None:
    told: list[MakerOutput] = []
    replies: list[str] = []
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=2) as run:
        run.solve(progress=told.append, record=lambda call: replies.append(call.sample.text), lookahead=1)
    assert [at["step"] for at in told] == [*range(8)]
    assert len(replies) == 14


def test_results_are_written(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('address,date,amount,note\n"5 Elm St., 10115 Berlin",3.4.24,$5,x\n')
    loaded = load_task("records", {"input": str(tmp_path / "rows.csv")})
    assert isinstance(loaded.task, Records)
    with Run.create(tmp_path / "r", loaded, model="sim:perfect", k=1, out=tmp_path / "out.csv") as run:
        run.solve()
    assert "2024-04-03" in (tmp_path / "out.csv").read_text()
    with Run.open(tmp_path / "r") as run:
        assert run.options.out == tmp_path / "out.csv"


class Lines(Items):
    """The lines of a file, which it declares as its input."""

    def __init__(self, path: Path) -> None:
        self.inputs = {"lines": path}
        self.items = path.read_text().splitlines()

    def given(self, item: str) -> str:
        return item.upper()

    def prompt(self, item: str) -> str:
        return item

    def rehearse(self, item: str) -> Replies:
        return Replies(item, ["-"])


def test_any_items_task_writes_its_results_and_never_over_its_input(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("a\nb\n")
    with pytest.raises(UsageError, match="would overwrite the input"):
        Run.create(tmp_path / "r", Lines(tmp_path / "lines"), model="sim:perfect", out=tmp_path / "lines", force=True)
    with Run.create(tmp_path / "r", Lines(tmp_path / "lines"), model="sim:perfect", out=tmp_path / "o.jsonl") as run:
        run.solve()
    assert '"answer":"B"' in (tmp_path / "o.jsonl").read_text()


def test_a_provider_that_fails_stops_it_and_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with Run.create(tmp_path / "r", Hanoi(disks=3), model="openai:gpt-4.1-mini", k=1) as run:
        with pytest.raises(ProviderFailure):
            run.solve(patience=0.1)
        assert run.step == 0


def test_two_runs_solve_in_one_loop(tmp_path: Path) -> None:
    async def both() -> list[bool | None]:
        made = [Run.create(tmp_path / str(n), Hanoi(disks=3), model="sim:perfect", k=1) for n in range(2)]
        results = await asyncio.gather(*(run.asolve() for run in made))
        for run in made:
            run.close()
        return [result["verified"] for result in results]

    assert asyncio.run(both()) == [True, True]


def test_a_stuck_step_that_is_tried_again_draws_fresh_samples(tmp_path: Path) -> None:
    drawn: list[tuple[str, ...]] = []
    model = "sim:perfect,error=.6"
    for session in range(3):
        replies: list[str] = []
        opened = (
            Run.open(tmp_path / "r")
            if session
            else Run.create(
                tmp_path / "r", Hanoi(disks=3), model=model, k=8, max_samples=8, retry_temperature=None, rephrase=False
            )
        )
        with opened as run, pytest.raises(Undecided):
            run.solve(record=lambda call, heard=replies: heard.append(call.sample.text))  # type: ignore[misc]  # bound at once
        assert run.step == 0
        drawn.append(tuple(replies))
    assert len(set(drawn)) == 3


class _Word:
    def prompt(self, state: Any) -> str:
        return f"word {state}"

    def parse(self, text: str) -> str:
        return text


class _Count:
    by = "program"

    def answer(self, state: Any, step: int) -> Any:
        return [state, step]


class Pages:
    """Chooses, counts and judges, three times each."""

    class rehearsal:  # noqa: N801  an object with one function
        @staticmethod
        def replies(prompt: Any) -> Replies:
            return Replies(prompt[-1][1], ["wrong", "odd"])

    def __init__(self) -> None:
        self.parts: Any = {"choose": _Word(), "count": _Count(), "verdict": _Word()}

    def start(self) -> int:
        return 0

    def part(self, state: int) -> str | None:
        return None if state == 9 else ("choose", "count", "verdict")[state % 3]

    def apply(self, state: int, answer: Any) -> int:  # noqa: ARG002  the contract's
        return state + 1


def test_each_part_of_a_run_has_its_own_lead_and_model_in_all_sessions(tmp_path: Path) -> None:
    asked: list[str] = []

    def record(call: Any) -> None:
        asked.append(call.model)

    models = {"choose": "sim:perfect", "verdict": "sim:perfect,output_tokens=7"}
    made = Run.create(tmp_path / "r", Pages(), model=models, k={"choose": 2, "verdict": 4}, max_steps=4)
    with made, pytest.raises(LimitReached):
        made.solve()
    with Run.open(tmp_path / "r", task=Pages()) as run:
        result = run.solve(max_steps=100, record=record)
        steps = list(run.steps())
        assert [step.samples for step in steps] == [2, 0, 4] * 3
        assert [step.decision.get("part") for step in steps] == ["choose", "count", "verdict"] * 3
        assert [step.decision["usage"]["output"] // 4 < 20 for step in steps if step.decision.get("part") == "verdict"] == [
            True
        ] * 3
        assert run.settings.leads == {"choose": 2, "verdict": 4}
        assert (result["verdict"], result["leads"]) == ("consistent", {"choose": 2, "verdict": 4})
        certificate = run.certify()
        assert {name: part.k for name, part in certificate.parts.items()} == {"choose": 2, "verdict": 4}
        assert (certificate.steps, certificate.given) == (9, 3)
        run.report()
        page = (tmp_path / "r" / "report.html").read_text()
        assert "3 steps by a lead of 4" in page
        assert "3 steps, answered by the program" in page
    assert len(asked) == 4 + 2 + 4


def test_the_price_of_a_parts_model_must_be_known_where_cost_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    with pytest.raises(UsageError, match=r"[Nn]o price"):
        Run.create(tmp_path / "r", Pages(), model={"choose": "sim:perfect", "verdict": "openai:nobody-knows"}, k=2, max_cost=1)


class Counting(Gate):
    """A gate that counts who passes."""

    passed = 0

    async def aenter(self) -> Pass:
        self.passed += 1
        return await super().aenter()


def test_runs_share_a_gate_that_has_its_own_rate(tmp_path: Path) -> None:
    gate, samples = Counting(), 0
    for name in ("a", "b"):
        with Run.create(tmp_path / name, Hanoi(disks=3), model="sim:perfect", k=1) as run:
            samples += run.solve(gate=gate)["samples"]
    assert gate.passed == samples == 14
    with (
        Run.create(tmp_path / "c", Hanoi(disks=3), model="sim:perfect") as run,
        pytest.raises(UsageError, match="leave rpm out"),
    ):
        run.solve(gate=gate, rpm=60)
