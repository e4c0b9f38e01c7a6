"""The note about the step on which a run stopped undecided: it counts until the step is decided, and damage to it is told."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import DamagedRun, Undecided
from maker_graph.run.stuck import kept_stuck, stuck_note, stuck_step
from maker_graph.tasks import Hanoi

NEVER: dict[str, Any] = {"k": 1, "max_samples": 2, "retry_temperature": None, "rephrase": False}
MOVE = "move = [1, 0, 2]\nnext_state = [[], [], [1]]"


def test_the_step_on_which_a_run_stopped_is_kept_until_it_is_decided(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(1), model="sim:perfect,flagged=1", **NEVER) as run:
        journal = run._opened.journal
        assert (kept_stuck(journal), stuck_step(journal)) == (None, None)
        with pytest.raises(Undecided) as failed:
            run.solve()
        kept = kept_stuck(journal)
        assert kept is not None
        assert (kept["step"], kept["samples"], kept["flags"]) == (1, failed.value.samples, failed.value.flags)
        assert (stuck_step(journal), kept.get("passed")) == (1, False)
        assert run.solve(answer=MOVE)["stuck"] is None
        assert stuck_step(journal) is None, "its step is decided"


def test_a_note_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(1), model="sim:perfect", k=1) as run:
        journal = run._opened.journal
        journal.claim()
        name, _ = stuck_note(1, Undecided("Nobody won.", {}, {}, 2))
        journal.set_note(name, '{"step": "one"}')
        with pytest.raises(DamagedRun, match="stuck step cannot be read"):
            kept_stuck(journal)
