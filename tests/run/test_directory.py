"""What can be said of a run from its directory alone."""

from pathlib import Path

from maker_graph.core.decision import Reading, decide, judge
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.run.directory import summary
from maker_graph.tasks import Hanoi
from tests.made import created, new_settings


def test_verified_means_legal_moves_and_exactly_the_total(tmp_path: Path) -> None:
    jump = ["[2, 0, 1]", "[[1], [2], []]"], ["[2, 1, 2]", "[[1], [], [2]]"], ["[1, 0, 2]", "[[], [], [2, 1]]"]
    legal = ["[1, 0, 1]", "[[2], [1], []]"], ["[2, 0, 2]", "[[], [1], [2]]"], ["[1, 1, 2]", "[[], [], [2, 1]]"]
    short = (["[2, 0, 2]", "[[], [], [2, 1]]"],)
    for number, (steps, verified) in enumerate([(jump, False), (legal, True), (short, False)]):
        settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1, check=False)
        with created(tmp_path / f"run-{number}", settings) as run:
            run.journal.claim()
            at = run.machine.begin()
            for move, state in steps:
                sample = Sample(0, f"move = {move}\nnext_state = {state}")
                how = Reading(parse=Hanoi(2).parse, key=None, check=None, red_flags={})
                made = decide([judge(sample, how)], Voting(AheadBy(1), max_samples=9), 1)
                at = run.machine.advance(at, made)
                run.journal.append([(made, at)])
            made_of = summary(run)
        assert (made_of["done"], made_of["verified"]) == (True, verified)
