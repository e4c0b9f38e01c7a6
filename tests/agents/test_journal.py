"""The journal of an agent's votes, and the page about it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent

from maker_graph import Undecided, UsageError
from maker_graph.agents import VotingMiddleware
from maker_graph.report.agents import action_of, read_decisions
from tests.agents.shop import ASK, Shop, call, in_turn

WRONG, RIGHT = call("refund", order=8), call("refund", order=7)


def worked(journal: Path, *replies: Any, **settings: Any) -> None:
    vote = VotingMiddleware(**{"k": 2, "journal": journal, **settings})
    agent: Any = create_agent(in_turn(*replies), Shop().tools, middleware=[vote])
    agent.invoke(ASK, {"configurable": {"thread_id": "42"}})


def test_each_decision_is_in_the_journal_also_one_that_nobody_could_make(tmp_path: Path) -> None:
    journal = tmp_path / "votes.jsonl"
    worked(journal, WRONG, RIGHT)
    with pytest.raises(Undecided):
        worked(journal, WRONG, RIGHT, within=2)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [(each["name"], each["thread"], each["decision"]["status"]) for each in lines] == [
        ("vote", "42", "decided"),
        ("vote", "42", "decided"),
        ("vote", "42", "undecided"),
    ]
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert [action_of(each["candidate"]) for each in read_decisions(journal)] == [
        "refund",
        "a reply in words",
        "nothing: undecided",
    ]


def test_what_acts_is_in_the_journal_before(tmp_path: Path) -> None:
    journal, seen = tmp_path / "votes.jsonl", []

    def refund(order: int) -> str:
        """Give the money back."""
        seen.append((order, json.loads(journal.read_text())["decision"]["candidate"]))
        return "refunded"

    agent: Any = create_agent(in_turn(RIGHT), [refund], middleware=[VotingMiddleware(k=2, journal=journal)])
    agent.invoke(ASK)
    assert seen == [(7, '{"tool_calls":[["refund",{"order":7}]]}')]


def test_a_journal_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        VotingMiddleware(journal=tmp_path / "nowhere" / "votes.jsonl")
