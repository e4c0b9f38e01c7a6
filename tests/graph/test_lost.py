"""Replies that are lost because of what they say: counted by name, wherever a vote is told of."""

import asyncio
from typing import Any

import pytest
from typing_extensions import TypedDict

from maker_graph import create_maker, create_microstep
from maker_graph.core.decision import Decision
from maker_graph.journal.entry import decode, encode, skim
from maker_graph.report.certificate import ballots_in, ballots_of, certify
from tests.conftest import Scripted
from tests.graph.test_maker import Countdown, counting


class Answered(TypedDict):
    """A question with its decision."""

    answer: Any
    decision: Any


class SlowWhenRight(Scripted):
    """The first tries of each sample would be right, and come too late; what comes in time is wrong."""

    late: int = 1
    tries: dict[int, int] = {}  # noqa: RUF012  pydantic copies defaults

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        index = run_manager.metadata["sample"]
        self.tries[index] = self.tries.get(index, 0) + 1
        if self.tries[index] <= self.late:
            await asyncio.sleep(60)
        return self._generate(messages, stop, run_manager, **kwargs)


async def decided(late: int, **settings: Any) -> Decision:
    model = SlowWhenRight(script=lambda *_: "wrong", late=late)
    node = create_microstep(
        model,
        state=Answered,
        prompt=lambda _: "?",
        into="answer",
        decision="decision",
        calls={"timeout": 0.05, "patience": 60},
        **settings,
    )
    decision: Decision = (await node.ainvoke({}))["decision"]
    return decision


async def test_a_decision_says_how_many_replies_came_too_late() -> None:
    decision = await decided(late=2, k=3)
    assert (decision["answer"], decision["ballot"], decision["samples"]) == ("wrong", {'"wrong"': 3}, 3)
    assert decision["lost"] == 6


async def test_what_is_lost_is_no_red_flag_and_makes_no_step_stuck() -> None:
    decision = await decided(late=3, k=2, stuck_after=2)
    assert (decision["status"], decision["flags"], decision["lost"]) == ("decided", {}, 6)


async def test_an_entry_keeps_it_and_one_without_is_as_it_was() -> None:
    some, none = await decided(late=2, k=3), await decided(late=0, k=3)
    assert decode(encode(some))["lost"] == 6
    assert [vote.lost for vote in skim(encode(some)).votes] == [6]
    assert decode(encode(none))["lost"] == 0
    assert encode(none) == '["wrong",[null],[0,0,0],1,[3,0,[2,2,2]],0,true]'


async def test_the_certificate_counts_each_as_a_vote_for_the_runner_up() -> None:
    some, none = await decided(late=1, k=3), await decided(late=0, k=3)
    clear, doubtful = certify(ballots_of([none] * 50), 3), certify(ballots_of([*[none] * 49, some]), 3)
    assert doubtful.lost == 3
    assert doubtful.chance.value < 0.6 < clear.chance.value
    assert any("lost" in assumption for assumption in doubtful.assumptions)
    entries = [(number, encode(each)) for number, each in enumerate([*[none] * 49, some], start=1)]
    assert certify(ballots_in(entries)[""], 3).chance.value == pytest.approx(doubtful.chance.value)


def test_totals_count_them_and_do_not_mention_them_if_there_are_none() -> None:
    quick = create_maker(Countdown(2), model=Scripted(script=counting), k=1).compile().invoke({})
    assert "lost" not in quick["totals"]
    slow = create_maker(
        Countdown(2), model=SlowWhenRight(script=counting, late=1), k=1, calls={"timeout": 0.05, "patience": 60}
    ).compile()
    assert asyncio.run(slow.ainvoke({}))["totals"]["lost"] == 1
