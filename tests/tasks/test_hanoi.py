"""Hanoi: the strategy is right for any number of disks and any pegs, and the parser is strict."""

import json
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.errors import UsageError
from maker_graph.models.prompts import as_pairs
from maker_graph.models.simulation.hanoi import HanoiRehearsal
from maker_graph.tasks.hanoi import Hanoi, HanoiState, moved

PAPER = [
    {
        "step": 10241,
        "previous": [1, 2, 0],
        "pegs": [[20, 19, 18, 17, 16, 15, 12, 1], [13], [14, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]],
        "move": [2, 2, 1],
    },
    {"step": 539011, "previous": [1, 0, 1], "pegs": None, "move": [3, 2, 0]},
    {"step": 950202, "previous": [2, 2, 1], "pegs": None, "move": [1, 0, 1]},
]


def reply(move: object, state: object) -> str:
    return f"Some thoughts.\nmove = {json.dumps(move)}\nnext_state = {json.dumps(state)}"


def messages(task: Hanoi, state: HanoiState) -> list[tuple[str, str]]:
    prompt = task.prompt(state)
    assert not isinstance(prompt, str)
    return list(prompt)


@pytest.mark.parametrize("disks", [1, 2, 5, 6])
def test_states_made_from_the_step_number_and_the_truth_in_them_are_those_of_the_walk(disks: int) -> None:
    for source, target in permutations(range(3), 2):
        task = Hanoi(disks, source=source, target=target)
        state = task.start()
        for step in range(task.total()):
            assert task.state_at(step) == state == solved(task, step)
            state = task.apply(state, task.truth(state))
        assert task.state_at(task.total()) == state
        assert task.done(state)


@pytest.mark.parametrize("step", [-1, 8])
def test_there_is_no_state_beyond_the_ends(step: int) -> None:
    with pytest.raises(UsageError, match=r"take 7 moves"):
        Hanoi(3).state_at(step)


def solved(task: Hanoi, steps: int | None = None) -> HanoiState:
    """Follow the strategy as the prompt words it."""
    state, rehearsal = task.start(), HanoiRehearsal()
    for _ in range(task.total() if steps is None else steps):
        known = rehearsal.replies(messages(task, state))
        assert known is not None
        answer: Any = task.parse(known.right)
        assert task.check(state, answer)
        state = task.apply(state, answer)
    return state


@pytest.mark.parametrize("disks", range(1, 10))
@pytest.mark.parametrize(("source", "target"), list(permutations(range(3), 2)))
def test_the_strategy_in_the_prompt_solves_any_number_of_disks_from_any_peg_to_any(
    disks: int, source: int, target: int
) -> None:
    task = Hanoi(disks, source=source, target=target)
    assert not task.done(solved(task, task.total() - 1))
    assert task.done(solved(task))


def test_the_three_states_of_the_paper_come_out_right() -> None:
    task = Hanoi(20)
    for known in PAPER:
        state = Hanoi(20).state_at(known["step"])  # type: ignore[arg-type]  # the fixture's own numbers
        assert state["previous"] == known["previous"]
        assert known["pegs"] in (None, state["pegs"])
        answer: Any = task.parse(HanoiRehearsal().replies(messages(task, state)).right)  # type: ignore[union-attr]
        assert answer["move"] == known["move"]
        assert task.check(state, answer)


def test_those_states_are_the_ones_of_the_shared_data_where_it_is_at_hand() -> None:
    data = Path(__file__).parents[3] / "shared" / "data" / "paper.json"
    if data.is_file():
        for ours, theirs in zip(PAPER, json.loads(data.read_text())["states"], strict=True):
            assert (ours["step"], ours["previous"], ours["move"]) == (theirs["step"], theirs["previous_move"], theirs["move"])


def test_the_prompt_holds_the_two_lines_and_says_how_to_read_them() -> None:
    task = Hanoi(3)
    user = messages(task, {"pegs": [[3, 2], [1], []], "previous": [1, 0, 1]})[1][1]
    assert "\nPrevious move: [1, 0, 1]\n" in user
    assert "\nCurrent state: [[3, 2], [1], []]\n" in user
    assert "\nPrevious move: none\n" in messages(task, task.start())[1][1]
    everything = " ".join(text for _, text in messages(task, task.start()))
    assert re.search("bottom to top", everything)
    assert re.search("numbered from 0", everything)


def test_the_last_of_each_line_counts() -> None:
    text = reply([1, 0, 1], [[3, 2], [1], []]) + "\nNo, wait.\n" + reply([1, 0, 2], [[3, 2], [], [1]])
    assert Hanoi(3).parse(text) == {"move": [1, 0, 2], "next_state": [[3, 2], [], [1]]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "move = [1, 0, 2]",
        "next_state = [[3, 2], [], [1]]",
        reply([1, 0], [[3, 2], [], [1]]),
        reply([1, 0, 2, 0], [[3, 2], [], [1]]),
        reply([True, 0, 2], [[3, 2], [], [1]]),
        reply([1.0, 0, 2], [[3, 2], [], [1]]),
        reply(["1", 0, 2], [[3, 2], [], [1]]),
        reply([[1, 0, 2]], [[3, 2], [], [1]]),
        reply([1, 0, 2], [[3, 2], [1]]),
        reply([1, 0, 2], [[3, 2], [], [1], []]),
        reply([1, 0, 2], [[3, 2], [], []]),
        reply([1, 0, 2], [[3, 2], [2], [1]]),
        reply([1, 0, 2], [[3, 2], [4], [1]]),
        reply([1, 0, 2], [[3, 2], [], [True]]),
        reply([1, 0, 2], [[3, 2], [], [1.0]]),
        reply([1, 0, 2], [3, 2, 1]),
        reply([1, 0, 2], {"0": [3, 2, 1]}),
        reply([1, 0, 2], [[3, 2], [], [1]])[:-1],
        reply([1, 0, 2], [[3, 2], [], [1]]) + "\nmove = [1, 0",
        reply([1, 0, 2], [[3, 2], [], [1]]) + "\nmove = [disk, from_peg, to_peg]",
        f"move = [{'9' * 5000}, 0, 2]\nnext_state = [[3, 2], [], [1]]",
        "move = [0x1, 0, 2]\nnext_state = [[3, 2], [], [1]]",
        "move = " + "[" * 100_000,
    ],
)
def test_the_strict_parser_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Hanoi(3).parse(text)


@pytest.mark.parametrize(
    ("move", "after", "valid"),
    [
        ([1, 0, 2], [[3, 2], [], [1]], True),
        ([1, 0, 1], [[3, 2], [1], []], True),  # legal and wrong: it must be able to win
        ([2, 0, 2], [[3, 1], [], [2]], False),
        ([1, 0, 2], [[3, 2], [1], []], False),
        ([1, 0, 0], [[3, 2, 1], [], []], False),
        ([1, 0, 3], [[3, 2], [], [1]], False),
        ([1, 0, -1], [[3, 2], [], [1]], False),
    ],
)
def test_check_knows_the_rules_and_not_the_solution(move: list[int], after: list[list[int]], valid: bool) -> None:
    task = Hanoi(3)
    assert task.check(task.start(), {"move": move, "next_state": after}) is valid


def test_no_larger_disk_on_a_smaller_one() -> None:
    assert moved([[3, 2], [], [1]], [2, 0, 2]) is None


@pytest.mark.parametrize("settings", [{"disks": 0}, {"disks": -1}, {"disks": True}, {"source": 1, "target": 1}, {"target": 3}])
def test_a_puzzle_that_is_none_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Hanoi(**settings)


@given(st.integers(1, 6), st.integers(0, 62), st.sampled_from([(0, 1), (0, 2), (1, 0), (2, 1)]))
def test_under_each_naming_of_the_pegs_the_right_reply_means_the_right_move(
    disks: int, step: int, ends: tuple[int, int]
) -> None:
    task = Hanoi(disks, source=ends[0], target=ends[1])
    state = task.state_at(step % task.total())
    variants = task.variants(state)
    assert (len(variants), variants[0].prompt) == (6, task.prompt(state))
    for variant in variants:
        replies = HanoiRehearsal().replies(as_pairs(variant.prompt))
        assert replies is not None
        assert variant.parse(replies.right) == task.truth(state)
        wrong = variant.parse(replies.wrong[-1])
        assert wrong != task.truth(state)


def test_a_move_between_pegs_that_do_not_exist_is_no_answer_under_another_name() -> None:
    task = Hanoi(2)
    for variant in task.variants(task.start()):
        with pytest.raises(ValueError, match="pegs"):
            variant.parse("move = [1, 0, 3]\nnext_state = [[2], [1], []]")
