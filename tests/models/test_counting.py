"""A vote is counted round by round, in the order of launch."""

from collections.abc import Sequence

from maker_graph.core.judging import Reader
from maker_graph.core.red_flags import Sample
from maker_graph.core.voting import Voting
from maker_graph.models.counting import VoteCount


def test_rounds_go_on_until_the_rule_decides_and_each_sees_what_came_before() -> None:
    seen: list[tuple[int, int]] = []

    def look(drawn: Sequence[Sample], earlier: Sequence[Sample]) -> bool:
        seen.append((len(drawn), len(earlier)))
        return False

    count = VoteCount(Voting(k=2), Reader(str.strip, None, None, {}), look, by="model")
    texts = iter("abaa")
    while count.more:
        count.take([Sample(index, next(texts)) for index in count.next])
    decision = count.decision()
    assert (decision["answer"], decision["ballot"], decision["rounds"], decision["by"]) == (
        "a",
        {'"a"': 3, '"b"': 1},
        2,
        "model",
    )
    assert seen == [(2, 0), (2, 2)]
    assert count.rounds == 2
