"""A lead for each tool: the law is the one of votes drawn one after the other."""

import itertools
import random

import pytest

from maker_graph.agents.rule import AheadByTool, tools_of
from maker_graph.core.canonical import sorted_json
from maker_graph.core.rules import AheadBy, Decided, Draw, Hung

REFUND, LOOK, TEXT = (
    sorted_json({"tool_calls": [["refund", {"order": 7}]]}),
    sorted_json({"tool_calls": [["look_up", {}]]}),
    '"text"',
)
RULES = [
    AheadByTool({}, 3),
    AheadByTool({"refund": 3}, 1),
    AheadByTool({"refund": 1}, 3),
    AheadByTool({"refund": 4, "text": 2}, 1),
    AheadByTool({"refund": 3}, 1, within=4),
    AheadByTool({"refund": 2, "look_up": 3}, 2, within=5),
]


@pytest.mark.parametrize("within", [None, 3, 5])
def test_where_all_leads_are_the_same_it_is_ahead_by_k(within: int | None) -> None:
    for votes in itertools.product(range(5), repeat=3):
        ballot = {name: number for name, number in zip((REFUND, LOOK, TEXT), votes, strict=True) if number}
        tool, plain = AheadByTool({}, 3, within)(ballot), AheadBy(3, within)(ballot)
        assert tool == plain, ballot


@pytest.mark.parametrize("rule", RULES)
def test_a_round_draws_nothing_that_votes_one_after_the_other_would_have_spared(rule: AheadByTool) -> None:
    chance = random.Random(1)
    for _ in range(300):
        votes = chance.choices((REFUND, LOOK, TEXT), weights=(3, 2, 1), k=60)
        rounds, singly = [_outcome(rule, votes, single=each) for each in (False, True)]
        assert rounds[0] == singly[0]
        assert rounds[1] == singly[1] or isinstance(singly[0], Hung)


def _outcome(rule: AheadByTool, votes: list[str], *, single: bool) -> tuple[Decided | Hung | None, int]:
    ballot: dict[str, int] = {}
    drawn = 0
    while drawn < len(votes):
        verdict = rule(ballot)
        if not isinstance(verdict, Draw):
            return verdict, drawn
        for vote in votes[drawn : drawn + (1 if single else verdict.samples)]:
            ballot[vote] = ballot.get(vote, 0) + 1
            drawn += 1
    return None, drawn


def test_of_several_tools_in_one_reply_the_largest_lead_counts() -> None:
    both = sorted_json({"tool_calls": [["look_up", {}], ["refund", {}]]})
    assert (tools_of(both), AheadByTool({"refund": 5}, 1).lead_of(both)) == (["look_up", "refund"], 5)
    assert (tools_of(TEXT), tools_of('{"text":"refund"}')) == (["text"], ["text"])
    filled = sorted_json({"structured": ["City", {}], "tool_calls": [["look_up", {}]]})
    assert (tools_of(filled), AheadByTool({"City": 5}, 1).lead_of(filled)) == (["look_up", "City"], 5)
