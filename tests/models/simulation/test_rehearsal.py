"""The contract of a rehearsal: one function, and a second for drafts."""

from maker_graph.models.simulation import Answers, DraftRehearsal, Replies
from maker_graph.models.simulation.hanoi import HanoiRehearsal
from maker_graph.models.simulation.records import RecordsRehearsal


def test_who_knows_drafts_is_known_by_its_function() -> None:
    assert isinstance(HanoiRehearsal(), DraftRehearsal)
    assert not isinstance(RecordsRehearsal(), DraftRehearsal)
    assert not isinstance(Answers({}), DraftRehearsal)


def test_replies_are_a_right_one_and_wrong_ones() -> None:
    replies = Replies("yes", ["no"])
    assert (replies.right, replies.wrong, replies.error) == ("yes", ["no"], None)
