"""The replies to Hanoi's prompts: read from the prompt alone, the right one right and all others wrong."""

from typing import Any

import pytest

from maker_graph.models.simulation.hanoi import HanoiRehearsal, legal_moves, right_move
from maker_graph.tasks import Hanoi


def seen(prompt: Any) -> list[tuple[str, str]]:
    return [("human", text) for _, text in prompt]


@pytest.mark.parametrize("task", [Hanoi(1), Hanoi(4), Hanoi(3, source=1, target=0)])
def test_the_right_reply_is_right_at_every_step_and_no_other_is(task: Hanoi) -> None:
    for step in range(task.total()):
        state = task.state_at(step)
        replies = HanoiRehearsal().replies(seen(task.prompt(state)))
        assert replies is not None
        assert task.parse(replies.right) == task.truth(state)
        assert all(task.parse(wrong) != task.truth(state) for wrong in replies.wrong)
        favourite: Any = task.parse(replies.wrong[0])
        assert task.check(state, favourite), "the favourite keeps the rules"


def test_a_draft_lists_the_next_moves_and_goes_on_from_a_slip() -> None:
    task = Hanoi(4)
    prompt = seen(task.draft_prompt(task.state_at(2), 5))
    right = list(HanoiRehearsal().draft(prompt, lambda: False) or [])
    slips = iter([False, True, False, False, False])
    wrong = list(HanoiRehearsal().draft(prompt, lambda: next(slips)) or [])
    moves = [task.truth(task.state_at(step))["move"] for step in range(2, 7)]
    assert right == [str(move) for move in moves]
    assert (wrong[0] == right[0], wrong[1] == right[1], len(wrong)) == (True, False, 5)


def test_what_is_not_its_own_it_leaves_to_others() -> None:
    rehearsal, step = HanoiRehearsal(), seen(Hanoi(3).prompt(Hanoi(3).start()))
    assert rehearsal.replies([("human", "Hello?")]) is None
    assert rehearsal.replies([]) is None
    assert rehearsal.draft(step, lambda: False) is None, "a step asks for no draft"
    assert rehearsal.replies(seen(Hanoi(3).draft_prompt(Hanoi(3).start(), 3))) is None


def test_only_moves_onto_larger_disks_are_legal_and_off_the_path_there_is_an_answer_too() -> None:
    assert legal_moves([[3], [2], [1]]) == [[1, 2, 0], [1, 2, 1], [2, 1, 0]]
    assert right_move([[3], [2], [1]], [2, 0, 1], 1) == [1, 2, 0]
    assert right_move([[], [], [1]], [1, 0, 2], 1) in legal_moves([[], [], [1]])
