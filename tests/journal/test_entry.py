"""Entries: what is read of them quickly is what all of them says, and no answer passes for votes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Decision, after_trying, answered, decide, vote_of
from maker_graph.core.decision import given as given_answer
from maker_graph.core.judging import Reader, judge, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.journal.entry import decode, encode, skim, unanimous
from maker_graph.tasks import Hanoi
from tests.journal.kept import MOVES, decision

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**63 - 1) | st.text('ab,[]"\\', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
)


def decided(*texts: str, k: int, answer: Any = "first") -> Decision:
    """Return the decision on these replies: "a" is for `answer`, the empty one is malformed, others are for themselves."""

    def parsed(text: str) -> Any:
        if not text:
            raise ValueError(text)
        return answer if text == "a" else {"text": text}

    samples = [Sample(index, text, output_tokens=index + 2) for index, text in enumerate(texts)]
    return decide(judge_all(samples, Reader(parsed, None, None, {})), Voting(AheadBy(k)), rounds=2)


@pytest.mark.parametrize("part", ["", "look-1"])
@pytest.mark.parametrize("by", ["program", "world"])
@pytest.mark.parametrize(
    "answer", [None, True, {"a": [1, ',[null],[0],1,[0,0,0],0,true,"look"]']}, ["x", [None], [0], 1, [0, 0, 0], 0, True]]
)
def test_a_given_answer_is_kept_in_a_few_bytes(by: str, part: str, answer: Any) -> None:
    made = given_answer(answer, by)
    if part:
        made["part"] = part
    entry = encode(made)
    assert decode(entry) == made
    seen = skim(entry)
    assert (seen.answer, seen.part, [vote.by for vote in seen.votes], seen.votes[0].sequence) == (answer, part, [by], ())
    assert unanimous(entry) is None


@pytest.mark.parametrize("texts", [("a", "a"), ("a", "b", "a", "a"), ("", "a", "a"), ("b", "")])
def test_the_name_of_a_part_is_kept_with_the_votes(texts: tuple[str, ...]) -> None:
    made = decided(*texts, k=2)
    with_tried: Decision = {**made, "by": "model", "tried": [vote_of(made)]}
    for each in (made, with_tried, {**with_tried, "lost": 2}):
        named: Any = {**each, "part": "choose"}
        assert decode(encode(named)) == {**decode(encode(each)), "part": "choose"}  # type: ignore[arg-type]  # a decision
        assert (skim(encode(named)).part, skim(encode(named)).votes) == ("choose", skim(encode(each)).votes)  # type: ignore[arg-type]  # a decision
    votes = unanimous(encode(made))
    assert unanimous(encode({**made, "part": "choose"})) == (None if votes is None else (votes[0], "choose"))


@given(st.lists(st.sampled_from(["a", "b", "", ",[null],[0],1,[1,2,3],0,true]"]), min_size=1, max_size=9), st.integers(1, 3))
def test_a_quick_look_sees_what_the_whole_entry_says(texts: list[str], k: int) -> None:
    made = decided(*texts, k=k)
    entry = encode(made)
    whole, seen = decode(entry), skim(entry)
    (vote,) = seen.votes
    candidates = [seen.answer_text if candidate is None else candidate for candidate in vote.candidates]
    assert candidates == list(whole["ballot"])
    assert seen.winner is None if whole["candidate"] is None else candidates[seen.winner or 0] == whole["candidate"]
    assert (seen.answer, list(vote.sequence), list(vote.lengths)) == (whole["answer"], whole["sequence"], whole["lengths"])
    assert (vote.by, vote.rounds, seen.first_agrees) == (whole["by"], whole["rounds"], whole["first_agrees"])
    alone = whole["status"] == "decided" and len(whole["ballot"]) == 1
    assert unanimous(entry) == ((sum(whole["ballot"].values()), "") if alone else None)


@given(JSONS)
def test_no_answer_passes_for_votes(answer: Any) -> None:
    lookalike = encode(decided("a", "", "a", k=2, answer=answer))
    answers: list[Any] = [answer, [answer, lookalike], lookalike, [1, [None], [0, 0, 0], 1, [1, 2, 3], 0, True]]
    for hidden in answers:
        entry = encode(decided("a", "", "a", k=2, answer=hidden))
        assert skim(entry).answer == decode(entry)["answer"] == hidden
        assert unanimous(entry) == (2, "")
        assert unanimous(encode(decided("a", "b", "a", "a", k=2, answer=hidden))) is None


def test_lengths_are_read_where_they_were_kept() -> None:
    old, new = (
        skim(f'["a",[null,"\\"b\\""],[0,1,"empty",0],2,[5,0,{output}],0,true]').votes[0] for output in ("9", "[2,3,0,4]")
    )
    assert (old.lengths, new.lengths) == ([], [2, 3, 0, 4])
    quick = [skim(f'["a",[null],[0,"empty",0],2,[5,0,{output}],0,true]').votes[0] for output in ("9", "[2,0,4]", "[]")]
    assert [list(vote.lengths) for vote in quick] == [[], [2, 0, 4], []]


def test_every_rung_of_a_stuck_step_is_seen_and_it_is_not_unanimous() -> None:
    stuck, after = decided("a", "b", k=2), decided("a", "a", k=2)
    after |= {"by": "temperature", "tried": [stuck]}
    entry = encode(after)
    assert [vote.by for vote in skim(entry).votes] == ["base", "temperature"]
    assert unanimous(entry) is None


@pytest.mark.parametrize("text", ["", "[]", "no JSON", '["a",[null],[0],1,[1,2,3],0,tru', "{}", '["a",[null],[0]]'])
def test_what_is_no_entry_is_refused(text: str) -> None:
    assert unanimous(text) is None
    with pytest.raises(ValueError, match=r"."):
        skim(text)


@pytest.mark.parametrize("part", ["", "solve"])
@pytest.mark.parametrize("tried", [0, 1])
@pytest.mark.parametrize("answer", ["a", {"proved": "a lie"}, {"x": [1]}])
def test_what_a_verifier_and_key_had_to_say_is_kept(answer: Any, tried: int, part: str) -> None:
    made = {**decided("b", "a", k=1, answer=answer), "text": "", "first": ""}
    said = {"proved": "3 * 5 = 15", "standings": {"proved": 1, "unknown": 1}}
    votes: Any = [{**vote_of(made), "standings": {"valid": 2}}] * tried  # type: ignore[arg-type]  # a decision
    kept: Any = {**made, **said, "tried": votes, **({"part": part} if part else {})}
    found = decode(encode(kept))
    assert (found["proved"], found["standings"], found["tried"]) == (said["proved"], said["standings"], votes)
    assert (found["answer"], found.get("part", "")) == (made["answer"], part)
    seen = skim(encode(kept))
    assert (seen.proved, seen.part, unanimous(encode(kept))) == (True, part, None)
    merged: Any = {**made, "merged": True}
    assert (decode(encode(merged)).get("merged"), skim(encode(merged)).proved) == (True, False)


def test_an_answer_that_is_an_object_passes_for_nothing_that_a_verifier_said() -> None:
    lie: Any = {"proved": "so it says", "standings": [[9, 0, 0]], "merged": True}
    for entry in (encode(decided("a", "a", k=2, answer=lie)), encode(given_answer(lie, "program"))):
        assert not {"proved", "standings", "merged"} & decode(entry).keys()
        assert not skim(entry).said


@given(st.lists(st.sampled_from([*MOVES[:2], "", "?"]), min_size=1, max_size=9), st.integers(1, 3))
def test_an_entry_gives_back_the_decision_but_for_the_text_of_the_reply(texts: list[str], k: int) -> None:
    made = decision(*texts, k=k)
    assert decode(encode(made)) == {**made, "text": "", "reason": "", "first": "", "replies": []}


def test_the_entry_of_a_stuck_step_keeps_every_rung() -> None:
    tried, answer = decision("?", MOVES[0], MOVES[1], k=2), decision(MOVES[0])
    climbed = after_trying([vote_of(tried)], {**answer, "by": "temperature"})
    kept = decode(encode(climbed))
    assert (kept["by"], kept["tried"][0]["ballot"]) == ("temperature", tried["ballot"])
    assert kept["tried"][0]["flags"] == {"malformed": 1}
    person = answered(tried, judge(Sample(0, MOVES[0]), Reader(parse=Hanoi(3).parse, key=None, check=None, red_flags={})))
    assert decode(encode(person))["by"] == "person"
    assert decode(encode(person))["answer"] == answer["answer"]


def test_an_entry_of_twenty_disks_takes_at_most_200_bytes() -> None:
    pegs = [[20, 19, 18, 17, 16, 15, 12, 1], [13], [14, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]]
    text = f"move = [2, 2, 1]\nnext_state = {pegs}"
    how = Reader(parse=Hanoi(20).parse, key=None, check=None, red_flags={})
    made = decide([judge(Sample(i, text, "stop", 590, 0, 538), how) for i in range(3)], Voting(AheadBy(3), max_samples=99), 1)
    assert len(canonical(made["answer"])) > 60
    assert len(encode(made)) + 16 + 8 + 8 <= 200  # hash, mark, step
