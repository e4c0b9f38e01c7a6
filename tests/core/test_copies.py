"""Copies of a reply are no votes; replies that are merely alike are."""

from maker_graph.core.canonical import strict_json
from maker_graph.core.copies import LONG, alike, copies
from maker_graph.core.decision import decide, next_draw
from maker_graph.core.judging import Reader, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting

HOW = Reader(parse=strict_json, key=None, check=None, red_flags={})


def test_the_copy_of_an_earlier_sample_of_the_vote_never_votes() -> None:
    samples = [Sample(0, "1", id="a"), Sample(1, "2", id="b"), Sample(2, "1", id="a")]
    judged = judge_all(samples, HOW)
    assert [each["flag"] for each in judged] == [None, None, "copy"]
    later = judge_all([Sample(3, "2", id="b")], HOW, earlier=samples)
    assert [each["flag"] for each in later] == ["copy"], "in a later round too"


def test_which_of_two_is_the_copy_is_decided_by_the_order_of_launch() -> None:
    assert copies([Sample(4, "1", id="a"), Sample(7, "1", id="a")], ids_differ=True) == {7}


def test_a_vote_on_copies_ends_undecided_and_says_what_to_do() -> None:
    samples = [Sample(index, "1", id="a") for index in range(6)]
    judged = judge_all(samples, HOW, ids_differ=True)
    voting = Voting(AheadBy(3), stuck_after=5)
    assert next_draw(judged, voting) == 0
    decision = decide(judged, voting, 2)
    assert (decision["status"], decision["ballot"], decision["flags"]) == ("undecided", {"1": 1}, {"copy": 5})
    assert "cache" in decision["reason"]


def test_a_reply_of_which_a_cache_says_that_it_is_its_own_never_votes() -> None:
    assert copies([Sample(0, "1", from_cache=True), Sample(1, "1")]) == {0}


def test_short_right_answers_are_alike_and_prove_nothing() -> None:
    assert copies([Sample(index, "1", id=f"{index}") for index in range(9)], ids_differ=True) == set()
    assert copies([Sample(index, "1") for index in range(9)], ids_differ=True) == set()


def test_a_server_that_gives_all_replies_one_id_is_no_cache() -> None:
    assert copies([Sample(index, "1", id="a") for index in range(9)]) == set()


def test_an_id_that_comes_with_two_texts_names_neither() -> None:
    texts = ("1", "2", "1")
    assert copies([Sample(index, text, id="a") for index, text in enumerate(texts)], ids_differ=True) == set()


def test_a_copy_is_counted_as_such_whatever_else_it_is() -> None:
    samples = [Sample(0, "no JSON", id="a"), Sample(1, "no JSON", id="a")]
    assert [each["flag"] for each in judge_all(samples, HOW, ids_differ=True)] == ["malformed", "copy"]


def test_only_long_texts_are_compared() -> None:
    short, long = "x" * (LONG - 1), "x" * LONG
    assert alike([Sample(1, short)], [Sample(0, short)]) == (0, 0)
    assert alike([Sample(1, long), Sample(2, long), Sample(3, "y" * LONG)], [Sample(0, short)]) == (1, 2)
