"""What a run is worth, and its figures: by a replay from the journal alone."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import Invalid, LimitReached, UsageError
from maker_graph.core.decision import decide
from maker_graph.core.guarding import guarded
from maker_graph.core.judging import Reader, judge
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.run import directory as directories
from maker_graph.run.summary import kept_verdict, summary
from maker_graph.runs import Run
from maker_graph.tasks import Hanoi
from tests.made import created, new_settings


def test_proved_means_legal_moves_that_reach_the_goal(tmp_path: Path) -> None:
    jump = ["[2, 0, 1]", "[[1], [2], []]"], ["[2, 1, 2]", "[[1], [], [2]]"], ["[1, 0, 2]", "[[], [], [2, 1]]"]
    legal = ["[1, 0, 1]", "[[2], [1], []]"], ["[2, 0, 2]", "[[], [1], [2]]"], ["[1, 1, 2]", "[[], [], [2, 1]]"]
    short = (["[2, 0, 2]", "[[], [], [2, 1]]"],)
    for number, (steps, verdict) in enumerate([(jump, "contradicted"), (legal, "proved"), (short, "contradicted")]):
        settings = new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1, check=False)
        with created(tmp_path / f"run-{number}", settings) as run:
            run.journal.claim()
            at = run.machine.begin()
            for move, state in steps:
                sample = Sample(0, f"move = {move}\nnext_state = {state}")
                how = Reader(parse=Hanoi(2).parse, key=None, check=None, red_flags={})
                made = decide([judge(sample, how)], Voting(AheadBy(1), max_samples=9), 1)
                at = run.machine.advance(at, made)
                run.journal.append([(made, at)])
            made_of = summary(run)
        assert (made_of["done"], made_of["verdict"]) == (True, verdict)


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
            how = Reader(parse=guarded(run.task).parse, key=None, check=None, red_flags={})
            made = decide([judge(Sample(0, f"move = [{disk}, 0, 2]\nnext_state = {state}"), how)], Voting(k=1), 1)
            run.journal.append([(made, run.machine.advance(run.machine.begin(), made))])
            if kind is Strict:
                assert summary(run)["verified"] == verified
            else:
                with pytest.raises(UsageError, match="check must return True or False"):
                    summary(run)


def test_what_a_run_was_worth_is_kept_for_who_does_not_replay_it_as_long_as_no_step_is_added(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), model="sim:perfect", k=1, max_calls=2) as run:
        with pytest.raises(LimitReached):
            run.solve()
        run.verify()
        assert kept_verdict(run._opened) is None, "it is not over"
        run.solve(max_calls=9)
        assert kept_verdict(run._opened) == ("proved", run.verify()["because"])
