"""The page about the votes of an agent."""

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent

from maker_graph import UsageError
from maker_graph.agents import VotingMiddleware
from maker_graph.report.agents import decisions_page, read_decisions, write_page
from tests.agents.shop import ASK, Shop, call, in_turn
from tests.conftest import Cli
from tests.report.making import HOSTILE

WRONG, RIGHT = call("refund", order=8), call("refund", order=7)


def worked(journal: Path, *replies: Any, **settings: Any) -> None:
    vote = VotingMiddleware(**{"k": 2, "journal": journal, **settings})
    agent: Any = create_agent(in_turn(*replies), Shop().tools, middleware=[vote])
    agent.invoke(ASK, {"configurable": {"thread_id": "42"}})


def test_the_report_counts_by_what_won_and_shows_the_ballots(tmp_path: Path, cli: Cli) -> None:
    journal = tmp_path / "votes.jsonl"
    worked(journal, WRONG, RIGHT)
    done = cli("report", str(journal))
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip()).read_text()
    assert "2 decisions, 1 of them contested" in page
    assert "<th scope='row'>refund</th><td>1</td><td>1</td><td>4.0</td>" in page
    assert "<em>won</em>" in page


def test_no_reply_gets_into_the_page_as_html(tmp_path: Path) -> None:
    journal = tmp_path / "votes.jsonl"
    worked(journal, HOSTILE, text_key=str, max_samples=2)
    assert HOSTILE not in decisions_page(HOSTILE, read_decisions(journal))
    assert "<script" not in decisions_page(HOSTILE, read_decisions(journal))


def test_a_line_that_was_cut_short_is_left_out_and_what_is_no_decision_is_told(tmp_path: Path, cli: Cli) -> None:
    journal = tmp_path / "votes.jsonl"
    worked(journal, RIGHT)
    whole = journal.read_text()
    journal.write_text(whole + whole[:100])
    assert len(read_decisions(journal)) == 2
    for content, said in ((whole + "{}\n", "line 3: this is not a decision"), ("", "holds no decision")):
        journal.write_text(content)
        done = cli("report", str(journal))
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert said in done.stderr


def test_a_file_of_the_users_stays(tmp_path: Path) -> None:
    journal = tmp_path / "votes.jsonl"
    worked(journal, RIGHT)
    (tmp_path / "votes.jsonl.html").write_text("mine")
    with pytest.raises(UsageError, match="is not a report"):
        write_page(journal)
    assert "decisions" in write_page(journal, force=True).read_text()
