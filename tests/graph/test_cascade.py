"""A cascade: what a rung does not decide goes to the next one, contested or stuck."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from maker_graph import AheadBy, Confirm, Items, LimitReached, Rung, Undecided, Unknown, UsageError, Valid, Voting, create_maker
from maker_graph.core.rules import Decided, Draw
from maker_graph.core.task import Variant
from maker_graph.graph.cascade import Cascade, see_cascade
from maker_graph.journal.entry import decode
from maker_graph.models.sampler import Sampler
from tests.conftest import Scripted, replies
from tests.graph.test_items import Words, run, upper
from tests.graph.test_ladder import Stubborn
from tests.graph.test_lookahead import Kept
from tests.graph.test_maker import Countdown, counting

UNANIMOUS = Voting(k=AheadBy(2, within=2))


def torn(index: int, text: str) -> str:
    """Give the right answer and a wrong one in turn."""
    return counting(index, text) if index % 2 == 0 else "7"


def test_a_contested_step_goes_to_the_next_rung_and_votes_from_zero() -> None:
    weak, strong = Scripted(script=torn), Scripted(script=counting)
    cascade = [Rung(weak, UNANIMOUS), Rung(strong, Voting(k=3))]
    result = create_maker(Countdown(2), cascade=cascade).compile().invoke({})
    assert (result["done"], result["totals"]["samples"]) == (True, 2 * (2 + 3))
    assert (len(weak.log), len(strong.log)) == (4, 6)


def test_a_stuck_step_goes_to_the_next_rung_too() -> None:
    cascade = [Rung(Scripted(script=replies("?")), Voting(k=2, stuck_after=2)), Rung(Scripted(script=counting), Voting(k=1))]
    assert create_maker(Countdown(1), cascade=cascade).compile().invoke({})["totals"]["flags"] == {"malformed": 2}


def test_a_contested_step_climbs_no_ladder() -> None:
    """The ladder would ask three times more, and decide by chance what the model does not know."""
    model = Scripted(script=torn)
    with pytest.raises(Undecided) as caught:
        create_maker(Stubborn(1), model=model, k=AheadBy(2, within=2)).compile().invoke({})
    assert (len(model.log), caught.value.passed, caught.value.ballot) == (2, True, {"0": 1, "7": 1})
    assert "ahead by 2 within 2 votes" in str(caught.value)


def test_no_rung_votes_on_a_step_for_which_a_verifier_proved_two_answers() -> None:
    """The same verifier would prove one of them on the next rung, and the step would pass for proved."""

    class Unsound(Stubborn):
        def verify(self, state: Any, answer: Any) -> Valid | Unknown:  # noqa: ARG002  it does not look
            return Unknown() if answer == 5 else Valid("so it seems", conclusive=True)

    weak, strong = Scripted(script=replies("5", "6", "7")), Scripted(script=counting)
    with pytest.raises(Undecided, match="the verifier proved two different answers, 6 and 7") as caught:
        create_maker(Unsound(1), cascade=[Rung(weak, Voting(k=3)), Rung(strong, Voting(k=3))]).compile().invoke({})
    assert (caught.value.passed, len(strong.log)) == (True, 0)
    with pytest.raises(Undecided, match="two different answers"):
        create_maker(Unsound(1), model=weak, k=3).compile().invoke({})
    assert len(weak.log) == 6


def test_what_no_rung_decides_is_put_to_a_person_with_the_votes_of_all() -> None:
    cascade = [Rung(Scripted(script=torn), UNANIMOUS), Rung(Scripted(script=torn), Voting(k=Confirm(1, of=1)))]
    graph = create_maker(Countdown(1), cascade=cascade, on_undecided="interrupt").compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    (asked,) = graph.invoke({}, config)["__interrupt__"]
    assert (asked.value["samples"], asked.value["passed"]) == (4, True)
    assert graph.invoke(Command(resume="0"), config)["done"]


def test_a_rung_may_ask_in_other_words() -> None:
    asked: list[str] = []

    def reply(_: int, text: str) -> str:
        asked.append(text)
        return str(int(text.rpartition(" ")[2]) - 1)

    strong = Scripted(script=reply)
    cascade = [Rung(Scripted(script=torn), UNANIMOUS), Rung(strong, Voting(k=1), rephrase=2)]
    assert create_maker(Stubborn(1), cascade=cascade).compile().invoke({})["done"]
    assert asked == ["In other words, attempt 2: 1"]


@pytest.mark.parametrize("blocking", [True, False])
def test_items_go_through_a_cascade_in_their_slots(blocking: bool) -> None:
    task = Words("one", "two", "three")
    first = Scripted(script=lambda index, text: text if text == "two" and index % 2 else text.upper())
    second = Scripted(script=upper)
    rungs = [Rung(first, UNANIMOUS), Rung(second, Voting(k=1))]
    log = run(task, blocking=blocking, k=3, max_samples=100, cascade=rungs)
    decided = [decode(entry) for entry in log.entries]
    assert [each["answer"] for each in decided] == ["ONE", "TWO", "THREE"]
    assert [each["by"] for each in decided] == ["base", "rung 2", "base"]


@pytest.mark.parametrize(
    ("cascade", "more", "says"),
    [
        ([], {}, "at least one rung"),
        ("openai:gpt-4.1", {}, "list of Rung"),
        ([UNANIMOUS], {}, "list of Rung"),
        ([Rung("sim:perfect", rephrase=1)], {}, "own prompt"),
        ([Rung("sim:perfect"), Rung("sim:perfect", rephrase=1)], {}, "has no rephrase"),
        ([Rung("sim:perfect")], {"model": "sim:perfect"}, "leave out model"),
        ([Rung("sim:perfect")], {"k": 2}, "leave out model"),
    ],
)
def test_what_is_no_cascade_is_told(cascade: Any, more: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        create_maker(Countdown(1), cascade=cascade, **more)


def test_a_rung_is_checked_when_it_is_made() -> None:
    with pytest.raises(UsageError, match="rephrase"):
        Rung("sim:perfect", rephrase=-1)
    with pytest.raises(UsageError, match="Voting"):
        Rung("sim:perfect", 3)  # type: ignore[arg-type]


def test_the_first_rung_is_the_vote_of_every_step() -> None:
    first, after = see_cascade([Rung("sim:perfect"), Rung("sim:perfect", rephrase=1)])
    assert (first.rephrase, after) == (0, Cascade([Rung("sim:perfect", rephrase=1)]))
    assert after.votes(None) == 2


def by_a_loop(rungs: list[Rung], said: Callable[[int, int], str]) -> tuple[str | None, list[str]]:
    """Return what a cascade comes to, counted vote by vote in a plain loop: the winner, and the votes of each rung.

    `said(rung, index)` is the reply of sample `index`; one that is not a word is red-flagged.
    """
    ended = []
    for number, rung in enumerate(rungs):
        ballot: Counter[str] = Counter()
        verdict: Any = None
        for index in range(rung.voting.max_samples):
            if (reply := said(number, index)) == "?":
                continue
            ballot[reply] += 1
            verdict = rung.voting.rule(dict(ballot))
            if not isinstance(verdict, Draw):
                break
        ended.append(type(verdict).__name__)
        if isinstance(verdict, Decided):
            return verdict.candidate, ended
    return None, ended


class Answers(Countdown):
    """Steps whose answers are words, each its own question; it drafts them all."""

    def start(self) -> Any:
        return 0

    def done(self, state: int) -> bool:
        return state == self._start

    def parse(self, text: str) -> Any:
        if text == "?":
            raise ValueError(text)
        return text

    def apply(self, state: int, answer: Any) -> int:  # noqa: ARG002
        return state + 1

    def skip(self, state: int) -> int:
        return state + 1

    def draft(self, state: int, n: int) -> list[int]:
        return list(range(state + 1, min(state + n, self._start - 1) + 1))


class Asked(Items):
    """The same as items."""

    def __init__(self, number: int) -> None:
        self.items = [str(each) for each in range(number)]

    def prompt(self, item: str) -> str:
        return item

    def parse(self, text: str) -> str:
        if text == "?":
            raise ValueError(text)
        return text


RULES = (AheadBy(2), AheadBy(2, within=2), AheadBy(2, within=5), AheadBy(3, within=4), Confirm(1, of=2), Confirm(2, of=3))
STEPS = 8


@given(
    st.integers(0, 10**6), st.lists(st.sampled_from(RULES), min_size=1, max_size=3), st.sampled_from(["?aab", "abc", "aaab"])
)
@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
def test_every_way_of_running_a_cascade_is_the_cascade_of_a_plain_loop(seed: int, rules: list[Any], letters: str) -> None:
    def said(step: str, rung: int, index: int) -> str:
        return random.Random(f"{seed} {step} {rung} {index}").choice(letters)

    models = [Scripted(script=lambda index, text, at=at: said(text, at, index)) for at in range(len(rules))]  # type: ignore[misc]
    rungs = [Rung(model, Voting(k=rule, stuck_after=90)) for model, rule in zip(models, rules, strict=True)]
    expected = [by_a_loop(rungs, partial(said, str(step))) for step in range(STEPS)]

    def outcome(decision: Any) -> tuple[str | None, list[str]]:
        votes = [*decision["tried"], decision]
        verdicts = [rungs[place].voting.rule(vote["ballot"]) for place, vote in enumerate(votes)]
        return decision["answer"], [type(verdict).__name__ for verdict in verdicts]

    for task, how in (
        (Answers(STEPS), {}),
        (Answers(STEPS), {"lookahead": 4}),
        (Asked(STEPS), {}),
        (Asked(STEPS), {"lookahead": 1}),
    ):
        for blocking in (True, False):
            log = Kept(task)
            graph = create_maker(task, cascade=rungs, log=log, **how).compile()  # type: ignore[arg-type]
            graph.invoke({}) if blocking else asyncio.run(graph.ainvoke({}))
            assert [outcome(decode(entry)) for entry in log.entries] == expected, (type(task).__name__, how, blocking)
    graph = create_maker(Asked(STEPS), cascade=rungs, log=(listened := Kept(Asked(STEPS)))).compile()
    for _ in graph.stream({}, stream_mode="custom", subgraphs=True):
        pass  # who listens has each vote taken by its graph
    assert [outcome(decode(entry)) for entry in listened.entries] == expected


def test_each_rung_holds_answers_against_the_rules_if_its_own_voting_says_so() -> None:
    class Ruled(Countdown):
        def check(self, state: int, answer: int) -> bool:
            return answer == state - 1

    wrong, right = Scripted(script=replies("7")), Scripted(script=lambda index, text: "7" if index < 2 else counting(0, text))
    strict, loose = Voting(k=1, stuck_after=2), Voting(k=1, check=False)
    at_last = create_maker(Ruled(1), cascade=[Rung(wrong, strict), Rung(right, Voting(k=1))]).compile().invoke({})
    assert (at_last["state"], at_last["totals"]["flags"]) == (0, {"invalid": 4})
    first = create_maker(Ruled(1), cascade=[Rung(wrong, strict), Rung(wrong, loose)], max_steps=1)
    with pytest.raises(LimitReached):  # it is at 7 now
        first.compile().invoke({})


def test_the_rungs_draw_variants_and_models_each_for_itself() -> None:
    """Else the second rung would be asked just those variants that made the first one contested."""
    asked: dict[str, list[str]] = {"base": [], "rung 2": []}

    class Told(Countdown):
        def variants(self, state: int) -> list[Variant]:
            return [Variant(f"{name} {state}", int) for name in "abcdef"]

    def script(by: str) -> Any:
        def say(index: int, text: str) -> str:
            asked[by].append(f"{index} {text}")
            return str(index)

        return say

    rungs = [Rung(Scripted(script=script(by)), Voting(k=AheadBy(6, within=6), variants=True)) for by in asked]
    with pytest.raises(Undecided):
        create_maker(Told(1), cascade=rungs).compile().invoke({})
    assert len(asked["base"]) == len(asked["rung 2"]) == 6
    assert sorted(asked["base"]) != sorted(asked["rung 2"])
    several = [
        Sampler([Scripted(script=replies("x"))] * 9, temperature=0, max_tokens=9, seed=None, salt=by) for by in ("", "r")
    ]
    drawn = [[each._turn("which?", index) for index in range(9)] for each in several]
    assert drawn[0] != drawn[1]
