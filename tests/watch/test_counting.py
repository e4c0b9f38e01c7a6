"""What is shown of steps while they come: the same sums as at the end, and texts that can be shown."""

import pytest

from maker_graph.core.decision import decide, unasked
from maker_graph.core.voting import Voting
from maker_graph.errors import DamagedRun
from maker_graph.journal.entry import encode
from maker_graph.watch.counting import LONGEST, MOST_CANDIDATES, RECENT, Counts, shown
from tests.core.judged import verified

UNANIMOUS = '["a",[null],[0,"empty",0],2,[5,0,9],0,true]'
CONTESTED = '["a",["\\"b\\"",null],[0,1,1,"truncated",1],2,[5,0,9],1,false]'
OPEN = '[null,["1","2"],[0,1],1,[5,0,[1,1]],null,true]'


def test_sums_flags_and_who_decided_are_counted_as_steps_come() -> None:
    counts = Counts(2)
    counts.add([(1, UNANIMOUS)])
    counts.add([(2, CONTESTED), (3, OPEN), (4, '["x","program"]')])
    assert (counts.samples, counts.votes, counts.outvoted) == (10, 8, 1)
    assert counts.flags == {"empty": 1, "truncated": 1}
    assert counts.by == {"base": 2, "program": 1}
    assert counts.open == {3}
    assert counts.contested == 2
    newest, *_ = counts.recent()
    assert (newest["step"], newest["by"]) == (4, "program")
    contested = next(each for each in counts.recent() if each["step"] == 2)
    assert [(row["candidate"], row["votes"], row["won"]) for row in contested["ballot"]] == [
        ('"a"', 3, True),
        ('"b"', 1, False),
    ]
    assert [each["step"] for each in counts.contests()] == [2, 3]


def test_an_answer_that_came_later_closes_its_step_once() -> None:
    counts = Counts(2)
    counts.add([(3, OPEN)])
    answered = {3: {**unasked("person", ""), "by": "person"}, 9: unasked("person", "")}
    for _ in range(2):
        counts.answered(answered)  # type: ignore[arg-type]  # as much as is looked at
    assert (counts.open, counts.by) == (set(), {"person": 1})


def test_what_is_kept_does_not_grow_with_the_run_or_the_ballot() -> None:
    counts = Counts(2)
    candidates = ",".join(f'"{number:0400}"' for number in range(40))
    counts.add((step, f"[null,[{candidates}],[{','.join(map(str, range(40)))}],1,[5,0,9],null,true]") for step in range(1, 50))
    assert len(counts.recent()) == RECENT
    (first, *_) = counts.recent()
    assert len(first["ballot"]) == MOST_CANDIDATES
    assert all(len(row["candidate"]) <= LONGEST + 2 for row in first["ballot"])


def test_an_entry_that_is_none_is_damage_at_its_step() -> None:
    for entry in ("[1]", "{}", "no", '["a",[null],["x"],1,[5,0,9],7,true,1,2,3,4,5]'):
        with pytest.raises(DamagedRun, match="step 7"):
            Counts(2).add([(7, entry)])


def test_what_nobody_can_see_is_shown_and_cut_where_it_is_long() -> None:
    assert shown("a\u200b\x1b") == r"a\u200b\x1b"
    assert shown("x" * 400) == "x" * 300 + " …"


def test_a_step_that_was_open_is_shown_as_answered_where_it_stands() -> None:
    counts = Counts(2)
    counts.add([(3, OPEN)])
    assert [(each["open"], each["answered"]) for each in (*counts.recent(), *counts.contests())] == [(True, False)] * 2
    counts.answered({3: {**unasked("person", ""), "by": "person"}})
    assert [(each["open"], each["answered"]) for each in (*counts.recent(), *counts.contests())] == [(False, True)] * 2


def test_a_proof_and_answers_that_count_as_one_are_told() -> None:
    merged = decide(verified("7", "7", "7", "42", "7"), Voting(k=3), rounds=2)
    merged["merged"] = True
    counts = Counts(2)
    counts.add([(1, CONTESTED), (2, encode(merged))])
    newest, before = counts.recent()
    assert (newest["proved"], newest["proof"], newest["merged"]) == (True, "it is the answer", True)
    assert (before["proved"], before["proof"], before["merged"]) == (False, "", False)
    assert [(each["step"], each["proved"]) for each in counts.contests()] == [(2, True), (1, False)]
