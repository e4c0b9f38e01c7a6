"""Replies to the prompts of Hanoi, made from the prompt alone."""

import json
import re
from collections.abc import Callable, Iterator

from maker_graph.models.simulation.rehearsal import Messages, Replies
from maker_graph.tasks.hanoi import Move, Pegs, moved

_ASKED = re.compile(r"^List the next (\d{1,9}) moves\.$", re.MULTILINE)
_CYCLE = re.compile(r"in the order 0 -> ([12]) -> [12] -> 0")
_PREVIOUS = re.compile(r"^Previous move: (none|\[.*\])$", re.MULTILINE)
_STATE = re.compile(r"^Current state: (\[.*\])$", re.MULTILINE)


class HanoiRehearsal:
    """Makes the move that the prompt's rule asks for, or a slip: another legal move, a misread peg, a forgotten update."""

    def replies(self, prompt: Messages, /) -> Replies | None:
        """Return the replies to a Hanoi prompt; None for any other prompt."""
        asked = _asked(prompt)
        if asked is None or asked[3] is not None:
            return None
        pegs, last, stride, _ = asked
        right = right_move(pegs, last, stride)
        others = [move for move in legal_moves(pegs) if move != right]
        favourite = others[0]
        slips = [(move, moved(pegs, move) or pegs) for move in others[1:]]
        slips.append((right, pegs))  # the move is right, the state was not updated
        slips.append((_misread(pegs, right), pegs))  # the bottom of a peg was taken for its top
        return Replies(
            _reply(right, moved(pegs, right) or pegs),
            [
                _reply(favourite, moved(pegs, favourite) or pegs),
                *(_reply(move, after) for move, after in slips),
            ],
        )

    def draft(self, prompt: Messages, slips: Callable[[], bool], /) -> Iterator[str] | None:
        """Return an iterator that makes the next moves one by one; after a slip it goes on from the wrong state."""
        if not prompt or _ASKED.search(prompt[-1][1]) is None:
            return None
        asked = _asked(prompt)
        if asked is None or asked[3] is None:
            return None
        pegs, last, stride, n = asked
        return _moves(pegs, last, stride, n or 0, slips)


def _moves(pegs: Pegs, last: Move | None, stride: int, n: int, slips: Callable[[], bool]) -> Iterator[str]:
    for _ in range(n):
        move = right_move(pegs, last, stride)
        if slips():
            move = next((other for other in legal_moves(pegs) if other != move), move)
        pegs, last = moved(pegs, move) or pegs, move
        yield str(move)


def _asked(prompt: Messages) -> tuple[Pegs, Move | None, int, int | None] | None:
    """Return what a prompt shows: pegs, previous move, stride, and how many moves a draft is to list."""
    text = prompt[-1][1] if prompt else ""
    cycle, previous, state, n = (pattern.search(text) for pattern in (_CYCLE, _PREVIOUS, _STATE, _ASKED))
    if cycle is None or previous is None or state is None:
        return None
    last: Move | None = None if previous[1] == "none" else json.loads(previous[1])
    return json.loads(state[1]), last, int(cycle[1]), None if n is None else int(n[1])


def legal_moves(pegs: Pegs) -> list[Move]:
    """Return all legal moves, those of disk 1 first.

    >>> legal_moves([[3, 2], [1], []])
    [[1, 1, 0], [1, 1, 2], [2, 0, 2]]
    """
    tops = sorted((peg[-1], number) for number, peg in enumerate(pegs) if peg)
    moves = [[disk, source, target] for disk, source in tops for target in range(3)]
    return [move for move in moves if moved(pegs, move) is not None]


def right_move(pegs: Pegs, previous: Move | None, stride: int) -> Move:
    """Return the move that the rule in the prompt asks for; in a wrong state, a legal move that is close to it.

    >>> right_move([[3, 2], [1], []], [1, 0, 1], 1)
    [2, 0, 2]
    """
    legal = legal_moves(pegs)
    if previous is not None and previous[0] == 1:
        return next((move for move in legal if move[0] != 1), legal[0])
    return next((move for move in legal if move[0] == 1 and (move[1] + stride) % 3 == move[2]), legal[0])


def _misread(pegs: Pegs, right: Move) -> Move:
    _, source, target = right
    return [pegs[source][0], source, target] if len(pegs[source]) > 1 else [right[0], target, source]


def _reply(move: Move, after: Pegs) -> str:
    return f"The previous move and the tops of the pegs decide the move.\nmove = {move}\nnext_state = {after}"
