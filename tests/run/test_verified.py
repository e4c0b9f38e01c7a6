"""A run whose task has a verifier: what is proved is booked as proved, from the vote to the audit."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Invalid, Items, PartsTask, Run, Unknown, UsageError, Valid, avote, create_maker, create_microstep, vote
from maker_graph.report.certificate import as_json
from maker_graph.simulation import Replies
from tests.conftest import Scripted, replies
from tests.run.labelled import person

MODEL = "sim:perfect,error=.3"


class Squares(Items):
    """Numbers whose square root is asked: the verifier is sure of it below 100, and beyond knows only the last digit."""

    def __init__(self, number: int = 30) -> None:
        self.items = [n * n for n in range(1, number + 1)]

    def prompt(self, item: int) -> str:
        return f"The square root of {item}, in digits only?"

    def parse(self, text: str) -> int:
        return int(text)

    def verify(self, item: int, answer: int) -> Valid | Unknown:
        if answer <= 0:
            raise Invalid("a root is above 0")
        if item < 100 and answer * answer != item:
            raise Invalid(f"{answer} * {answer} is {answer * answer}")
        if item < 100:
            return Valid(f"{answer} * {answer} = {item}", conclusive=True)
        return Valid("the last digit fits") if str(answer * answer)[-1] == str(item)[-1] else Unknown("the digits are large")

    def truth(self, item: int) -> int:
        return int(item**0.5)

    def rehearse(self, item: int) -> Replies:
        right = round(item**0.5)
        return Replies(str(right), [str(right + 1), str(right + 2), str(-right)])


@pytest.fixture
def run(tmp_path: Path) -> Any:
    with Run.create(tmp_path / "r", Squares(), model=MODEL, k=3, seed=4) as made:
        made.solve()
        yield made


def test_what_is_proved_takes_one_valid_sample_and_is_never_wrong(run: Run) -> None:
    summary = run.verify()
    steps = [*run.steps()]
    for number, step in enumerate(steps, start=1):
        decision = run._opened.journal.decision(number)
        assert decision is not None
        assert ("proved" in decision) == (number < 10)
        if number < 10:
            assert decision["proved"] == f"{number} * {number} = {number**2}"
            assert (step.answer, sum(decision["ballot"].values())) == (number, 1)
        else:
            assert max(decision["ballot"].values()) >= 3
    assert (summary["proved"], summary["standings"]["proved"], summary["merged"]) == (9, 9, 0)
    assert summary["standings"]["valid"] + summary["standings"]["unknown"] == summary["votes"] - 9
    assert summary["flags"]["invalid"] > 0


def test_the_certificate_the_audit_and_the_report_keep_what_is_proved_apart(run: Run) -> None:
    certificate = as_json(run.certify())
    assert (certificate["steps"], certificate["covered"], certificate["proved"]) == (30, 21, 9)
    assert any(text.startswith("9 steps were proved by the task's verifier") for text in certificate["assumptions"])
    audit = run.audit(random=50, truth=True)
    assert (audit.population, audit.proved) == (21, 9)
    assert str(audit).endswith("9 proved by the task's verifier.")
    (page,) = [path for path in run.report() if path.suffix == ".html"]
    said = page.read_text()
    assert "verifier proved the answers of 9 steps" in said
    assert "step 3: 3 * 3 = 9" in said
    assert "a proved sample decides alone" in said
    assert "9 steps were decided by no vote, so the lines do not reach the bottom" in said


def test_provenance_says_what_a_proof_rests_on(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with Run.create(tmp_path / "r", Squares(10), model="sim:perfect", k=3, provenance=path) as run:
        run.solve()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["by"], line["proved"]) for line in lines[8:]] == [("vote", "9 * 9 = 81"), ("vote", None)]


def test_a_run_that_is_proved_throughout_says_so_and_leaves_nothing_to_certify(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Squares(9), model=MODEL, k=3, seed=4) as run:
        summary = run.solve()
        assert (summary["verdict"], summary["verified"]) == ("proved", True)
        assert summary["because"] == "the task's verifier proves every answer"
        with pytest.raises(UsageError, match=r"nothing to certify\. The task's verifier proved 9"):
            run.certify()
        with pytest.raises(UsageError, match=r"nothing to audit\. The task's verifier proved 9"):
            run.audit(random=3, ask=person())


def test_a_proof_that_does_not_hold_when_it_is_looked_at_again_contradicts_the_run(tmp_path: Path) -> None:
    task = Squares(9)
    with Run.create(tmp_path / "r", task, model="sim:perfect", k=3) as run:
        run.solve()

        def verify(item: int, answer: int) -> Valid:
            if item == 16:
                raise Invalid("it was a mistake")
            return Valid(f"{answer} fits {item}", conclusive=True)

        task.verify = verify  # type: ignore[method-assign]  # a mended verifier
        summary = run.verify()
    assert summary["verdict"] == "contradicted"
    assert "booked as proved, and the verifier now says: it was a mistake" in (summary["because"] or "")


def test_without_rules_nothing_is_proved(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Squares(9), model="sim:perfect", k=2, check=False) as run:
        summary = run.solve()
    assert (summary["proved"], summary["standings"], summary["samples"]) == (0, {}, 18)


def test_an_answer_of_the_program_that_the_verifier_calls_invalid_stops_the_run(tmp_path: Path) -> None:
    class Sure(Squares):
        def given(self, item: int) -> int | None:
            return 5 if item == 9 else None

    with Run.create(tmp_path / "r", Sure(), model="sim:perfect", k=2) as run:
        with pytest.raises(UsageError, match=r"given returned an answer that verify refuses: 5 \* 5 is 25"):
            run.solve()
        assert run.step == 2


@pytest.mark.parametrize("rule", ["check", "verify"])
def test_a_rule_that_fails_on_an_answer_of_the_program_stops_the_run_after_what_is_before_it(tmp_path: Path, rule: str) -> None:
    class Sure(Squares):
        def given(self, item: int) -> int | None:
            return 3 if item == 9 else None

    def failing(item: int, answer: int) -> bool | Valid:  # noqa: ARG001  the contract's
        return (True if rule == "check" else Valid("fine")) if item != 9 else bool(1 / 0)

    task = Sure()
    setattr(task, rule, failing)
    with Run.create(tmp_path / "r", task, model="sim:perfect", k=2) as run:
        with pytest.raises(UsageError, match=f"{rule} failed with ZeroDivisionError"):
            run.solve()
        assert run.step == 2


def test_errors_in_unison_are_open_where_the_verifier_sees_them_and_a_persons_answer_is_verified_too(tmp_path: Path) -> None:
    class Unison(Squares):
        def rehearse(self, item: int) -> Replies:
            return Replies("5" if item == 16 else str(round(item**0.5)), ["77"])

    with Run.create(tmp_path / "r", Unison(9), model="sim:perfect", k=3) as run:
        assert run.solve()["proved"] == 8
        refused = run.answer({4: "6"})
        assert (refused.taken, "6 * 6 is 36" in refused.refused[4]) == ([], True)
        assert run.answer({4: "4"}).taken == [4]
        summary = run.verify()
    assert summary["wrong"] == 0


def test_items_for_which_two_answers_were_proved_wait_for_a_person_and_are_not_voted_on_again(tmp_path: Path) -> None:
    class Unsound(Items):
        items = tuple(range(60))

        def prompt(self, item: int) -> str:
            return f"{item}?"

        def parse(self, text: str) -> int:
            return int(text)

        def verify(self, item: int, answer: int) -> Valid | Unknown:  # noqa: ARG002  it does not look
            return Unknown() if answer == 1 else Valid("so it seems", conclusive=True)

        def rehearse(self, item: int) -> Replies:  # noqa: ARG002  all alike
            return Replies("1", ["2", "3"])

    with Run.create(tmp_path / "r", Unsound(), model="sim:perfect,error=.6", k=3, seed=1) as run:
        before = run.solve()
        waiting = [each.number for each in run.open_items()]
        assert 2 < len(waiting) == before["passed"]
        after = run.solve()
        assert [each.number for each in run.open_items()] == waiting
    assert (after["samples"], after["proved"]) == (before["samples"], before["proved"])


def _nothing() -> Unknown:
    return Unknown()


def test_a_vote_without_a_graph_knows_verifiers() -> None:
    asked = list[int]()

    def draw(number: int) -> str:
        asked.append(number)
        return ["-1", "6", "5"][number]

    def verify(answer: int) -> Valid | Unknown:
        if answer < 0:
            raise Invalid("negative")
        return Valid("5 * 5 = 25", conclusive=True) if answer == 5 else Unknown()

    decision = vote(draw, answer=int, verify=verify, k=2)
    assert (decision["answer"], decision["proved"], asked) == (5, "5 * 5 = 25", [0, 1, 2])
    with pytest.raises(UsageError, match=r"verify .*answer"):
        vote(draw, answer=int, verify=_nothing, k=2)  # type: ignore[arg-type]  # it takes no answer


async def test_while_a_verifier_thinks_other_votes_go_on() -> None:
    both = threading.Barrier(2)

    def verify(*given: Any) -> Valid:
        both.wait(20)  # until another vote verifies as well
        return Valid(f"{given[-1]} is it", conclusive=True)

    async def draw(_: int) -> str:
        return "5"

    voted = [avote(draw, answer=int, verify=verify, k=2) for _ in range(2)]
    assert [decision["proved"] for decision in await asyncio.gather(*voted)] == ["5 is it"] * 2
    node = create_microstep(Scripted(script=replies("5")), prompt=lambda _: "?", verify=verify, k=2)
    said = await asyncio.gather(*(node.ainvoke({"messages": []}) for _ in range(2)))
    assert [state["messages"][-1].content for state in said] == ["5", "5"]


def test_items_are_verified_beside_each_other(tmp_path: Path) -> None:
    both, waits = threading.Barrier(2), [4, 9]

    class Slow(Squares):
        def verify(self, item: int, answer: int) -> Valid | Unknown:
            if item in waits:
                waits.remove(item)  # a proof is asked for again when the run is over, one after the other
                both.wait(20)
            return super().verify(item, answer)

    with Run.create(tmp_path / "r", Slow(4), model="sim:perfect", k=2) as run:
        assert run.solve()["proved"] == 4


class Both:
    """Two parts, one of which has a verifier."""

    def __init__(self) -> None:
        self.parts = {"plain": _Plain(), "proved": _Proved()}

    def start(self) -> Any:
        return {"n": 0}

    def part(self, state: Any) -> str | None:
        return None if state["n"] == 4 else ["plain", "proved"][state["n"] % 2]

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002  only its number counts
        return {"n": state["n"] + 1}


class _Plain:
    def prompt(self, state: Any) -> str:
        return f"What comes after {state['n']}?"

    def parse(self, text: str) -> int:
        return int(text)

    def rehearse(self, state: Any) -> Replies:
        return Replies(str(state["n"] + 1), ["9"])


class _Proved(_Plain):
    def verify(self, state: Any, answer: int) -> Valid:
        if answer != state["n"] + 1:
            raise Invalid(f"it is not one more than {state['n']}")
        return Valid(f"{answer} is one more", conclusive=True)


def test_only_the_part_with_a_verifier_proves(tmp_path: Path) -> None:
    task: PartsTask = Both()
    with Run.create(tmp_path / "r", task, model="sim:perfect", k=2) as run:
        summary = run.solve()
        assert (summary["proved"], summary["samples"], summary["steps"]) == (2, 6, 4)
        assert as_json(run.certify())["proved"] == 2


def test_a_graph_without_a_run_proves_as_well() -> None:
    graph = create_maker(Squares(3), model=Scripted(script=replies("1", "3", "2", "3")), k=2).compile()
    assert graph.invoke({})["totals"]["proved"] == 3


def test_lookahead_never_takes_a_vote_on_another_state_where_a_verifier_looks_at_the_state(tmp_path: Path) -> None:
    class Count:
        """Asks the same at each step; what is right depends on the state."""

        def start(self) -> Any:
            return {"n": 0}

        def done(self, state: Any) -> bool:
            return bool(state["n"] == 6)

        def prompt(self, state: Any) -> str:  # noqa: ARG002
            return "Say 1."

        def parse(self, text: str) -> int:
            return int(text)

        def verify(self, state: Any, answer: int) -> Valid:
            return Valid(f"at {state['n']} it is {answer}", conclusive=True)

        def apply(self, state: Any, answer: int) -> Any:
            return {"n": state["n"] + answer}

        def draft(self, state: Any, n: int) -> list[Any]:
            return [{"n": state["n"] + 1 + i} for i in range(n)]

        def rehearse(self, state: Any) -> Replies:  # noqa: ARG002
            return Replies("1", ["2"])

    with Run.create(tmp_path / "r", Count(), model="sim:perfect", k=2, lookahead=4) as run:
        run.solve()
        evidence = [entry["proved"] for entry in run._opened.journal.decisions()]
    assert evidence == [f"at {n} it is 1" for n in range(6)]
