"""The rows of a journal: held against their hashes, wherever they are kept."""

import pytest

from maker_graph.core.machine import Machine
from maker_graph.errors import DamagedRun
from maker_graph.journal.chain import origin_digest
from maker_graph.journal.rules import new_rows
from maker_graph.journal.steps import Row, decoded, replayed, whole
from maker_graph.tasks import Hanoi
from tests.journal.kept import MOVES, decision

ORIGIN = origin_digest("run")


@pytest.fixture
def stored() -> list[Row]:
    """Return the rows of four steps."""
    machine = Machine(Hanoi(3))
    at, steps = machine.begin(), []
    for move in MOVES[:4]:
        made = decision(move)
        at = machine.advance(at, made)
        steps.append((made, at))
    return new_rows(steps, ORIGIN)


def test_a_replay_goes_on_from_anywhere_and_stops_where_a_step_is_not_what_was_written(stored: list[Row]) -> None:
    machine = Machine(Hanoi(3))
    places = [after for _, _, after in replayed(stored, ORIGIN, machine, None, 4)]
    assert [after for _, _, after in replayed(stored[1:], ORIGIN, machine, places[1], 4)] == places[2:]
    stored[2] = (stored[2][0], stored[0][1], *stored[2][2:])
    with pytest.raises(DamagedRun) as caught:
        list(replayed(stored, ORIGIN, machine, None, 4))
    assert caught.value.step == 3


def test_an_entry_that_cannot_be_read_is_damage() -> None:
    with pytest.raises(DamagedRun, match="step 5"):
        decoded(5, "[")


def test_a_replay_that_ends_before_the_last_step_says_so(stored: list[Row]) -> None:
    with pytest.raises(DamagedRun, match="step 4 is missing"):
        list(replayed(stored[:3], ORIGIN, Machine(Hanoi(3)), None, 4))


@pytest.mark.parametrize(("rows", "missing"), [(slice(3), 4), (slice(1, 4), 1), (slice(0, 4, 2), 2), (slice(0), 1)])
def test_a_list_of_steps_that_is_not_whole_says_which_one_is_missing(stored: list[Row], rows: slice, missing: int) -> None:
    assert [*whole(stored, 4)] == stored
    with pytest.raises(DamagedRun, match=f"step {missing} is missing"):
        list(whole(stored[rows], 4))
