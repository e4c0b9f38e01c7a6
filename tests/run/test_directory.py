"""What can be said of a run from its directory alone."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import Invalid, UsageError
from maker_graph.core.decision import Reading, decide, judge
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.run import directory as directories
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


class Strict(Hanoi):
    """Says of a move that it may not be made by an `Invalid`, and changes what it is given."""

    def check(self, state: Any, answer: Any) -> bool:
        if not super().check(state, answer):
            raise Invalid("an illegal move")
        state["pegs"].clear()
        return True


class Vague(Hanoi):
    """Says neither yes nor no."""

    def check(self, state: Any, answer: Any) -> Any:
        return str(super().check(state, answer))


@pytest.mark.parametrize(("disk", "verified"), [(1, True), (2, False)])
def test_verify_hears_a_check_in_every_way_in_which_it_may_say_no(tmp_path: Path, disk: int, verified: bool) -> None:
    state = "[[], [], [1]]" if disk == 1 else "[[], [1], []]"
    settings = new_settings("hanoi", {"disks": 1}, "sim:perfect", k=1, check=False)
    for kind in (Strict, Vague):
        with directories.created(tmp_path / kind.__name__, settings, kind(1)) as run:
            run.journal.claim()
            how = Reading(parse=run.task.parse, key=None, check=None, red_flags={})
            made = decide([judge(Sample(0, f"move = [{disk}, 0, 2]\nnext_state = {state}"), how)], Voting(k=1), 1)
            run.journal.append([(made, run.machine.advance(run.machine.begin(), made))])
            if kind is Strict:
                assert summary(run)["verified"] == verified
            else:
                with pytest.raises(UsageError, match="check must return True or False"):
                    summary(run)
