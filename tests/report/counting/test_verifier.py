"""What a verifier and a key had to say is counted, with the first proofs."""

from typing import Any

from maker_graph.journal.entry import skim
from maker_graph.report.counting.steps import counted_step
from maker_graph.report.counting.verifier import VerifierCounter


def counted(*entries: str) -> Any:
    counter = VerifierCounter()
    for number, entry in enumerate(entries, start=1):
        counter.add(counted_step(number, skim(entry), 2, None))
    return counter.counts()


PROVED = '["a",[null],[0],1,[5,0,9],0,true,{"proved":"it is a","standings":[[1,0,0]]}]'
MERGED = '["a",["b",null],[0,1,1],1,[5,0,9],1,false,{"merged":true,"standings":[[0,1,2]]}]'
PLAIN = '["a",[null],[0,0],1,[5,0,9],0,true]'


def test_proofs_votes_and_merged_winners_are_counted_and_told() -> None:
    found = counted(PLAIN, PROVED, MERGED, PROVED, PROVED, PROVED)
    assert (found.proved, found.merged, found.merged_at) == (4, 1, 3)
    assert found.standings == {"proved": 4, "valid": 1, "unknown": 2}
    assert found.first == ((2, "it is a"), (4, "it is a"), (5, "it is a"))
    verifier, merged = found.told()
    assert "proved the answers of 4 steps. It judged the votes: 4 proved, 1 valid, 2 unknown." in verifier
    assert merged.startswith("On 1 step, the first of them step 3, the winner has the most votes only because")


def test_of_a_run_without_a_verifier_nothing_is_told() -> None:
    assert [*counted(PLAIN, PLAIN).told()] == []
