"""Towers of Hanoi, one voted move at a time: the task of the paper (arXiv 2511.09030, section 4).

State: `{"pegs": [[..], [..], [..]], "previous": [disk, from, to] | None}`, each peg from bottom to top.
Answer: `{"move": [disk, from, to], "next_state": [[..], [..], [..]]}`. The vote is on both together.

The strategy is in the prompt, so the model only has to carry out one step. Disk 1 moves on every other step, always in the
same direction round the pegs. Between two of its moves exactly one other move is legal. The direction that leads to the goal
depends on the number of disks: with an even number the smallest disk starts towards the peg that is not the goal, with an odd
number towards the goal itself. (The text in the paper covers even numbers only.)

No vote compares an answer with the known solution. A legal wrong move must be able to win, or the vote would mean nothing. The
end of a run shows whether it was right: the goal is reached by legal moves in exactly 2^n - 1 steps.
"""

import re
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON, strict_json
from maker_graph.core.task import Prompt, Variant
from maker_graph.errors import UsageError

Pegs = list[list[int]]
Move = list[int]

SYSTEM = """\
You solve one step of a Towers of Hanoi puzzle.

The puzzle has three pegs, numbered 0, 1 and 2, and {disks} disks, numbered from 1 (the smallest) to {disks} (the largest).
A move takes the top disk of one peg and puts it on top of another. No disk may lie on a smaller one.
At the start all disks are on peg {source}; at the end all must be on peg {target}.

How a state is written: three lists, one for each peg in the order 0, 1, 2. In each list the disks stand from bottom to top:
the LAST number is the top disk of that peg, and the only one there that can move. An empty list is an empty peg.
How a move is written: [disk, from_peg, to_peg].

Example with 3 disks: in the state [[3, 2], [1], []] the top disk of peg 0 is 2. Moving it to peg 2 is written
move = [2, 0, 2]
next_state = [[3], [1], [2]]
"""

POSITION = """\
Rule to follow:
1. If the previous move did not move disk 1, or there is no previous move: move disk 1 to the next peg in the order {cycle}.
2. If the previous move moved disk 1: make the only legal move that does not move disk 1.

Pegs are numbered from 0; each list runs from bottom to top.
Previous move: {previous}
Current state: {pegs}
"""

USER = f"""\
Find the one next move.

{POSITION}
Think briefly. Then end your reply with exactly these two lines, with the move and the state after it filled in:
move = [disk, from_peg, to_peg]
next_state = [[...], [...], [...]]
"""

DRAFT = f"""\
List the next {{n}} moves.

{POSITION}
Write one move a line as [disk, from_peg, to_peg], {{n}} lines, and nothing else.
"""

OTHERWISE = """\
The same position, shown in another way. Only a top disk can move:
{tops}
Where each disk lies: {places}.

In the current state above, each list runs from bottom to top, so its last number is the top disk.
First say which disk is on top of each peg. Then apply the rule, and end your reply with the two lines asked for.
"""

_MOVES = re.compile(r"\[\s*(\d{1,9})\s*,\s*([0-2])\s*,\s*([0-2])\s*\]")
_LISTS = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]")  # one list, or a list of lists


class HanoiState(TypedDict):
    """The position of the disks, and the last move."""

    pegs: Pegs
    previous: Move | None


class HanoiAnswer(TypedDict):
    """A move and the pegs after it."""

    move: Move
    next_state: Pegs


class Hanoi:
    """The puzzle of moving `disks` disks from peg `source` to peg `target`, in 2^disks - 1 moves.

    >>> task = Hanoi(disks=3)
    >>> task.start()
    {'pegs': [[3, 2, 1], [], []], 'previous': None}
    >>> task.total()
    7
    """

    def __init__(self, disks: int = 10, *, source: int = 0, target: int = 2) -> None:
        """Make the puzzle, with at least one disk and two different pegs.

        Args:
            disks: the number of disks.
            source: the peg on which the disks begin: 0, 1 or 2.
            target: the peg to which they go.

        Raises:
            UsageError: there are fewer than one disk, or source and target are not two different pegs of 0, 1 and 2.
        """
        if isinstance(disks, bool) or not isinstance(disks, int) or disks < 1:
            raise UsageError(f"Hanoi needs at least 1 disk, not {disks!r}.")
        if source == target or not {source, target} <= {0, 1, 2}:
            raise UsageError(f"source and target must be two different pegs of 0, 1 and 2, not {source}, {target}.")
        self.disks = disks
        self.source = source
        self.target = target
        self.stride = stride(disks, source, target)
        self._all = list(range(1, disks + 1))
        self._system = SYSTEM.format(disks=disks, source=source, target=target)
        cycle = [(self.stride * i) % 3 for i in range(4)]
        self._cycle = " -> ".join(map(str, cycle))

    def start(self) -> HanoiState:
        """Return the state with all disks on the source peg."""
        pegs: Pegs = [[], [], []]
        pegs[self.source] = self._all[::-1]
        return {"pegs": pegs, "previous": None}

    def total(self) -> int:
        """Return 2^disks - 1."""
        return (1 << self.disks) - 1

    def done(self, state: HanoiState) -> bool:
        """Say whether the whole tower stands on the target peg."""
        return state["pegs"][self.target] == self._all[::-1]

    def goal(self, state: HanoiState) -> bool:
        """Say whether the whole tower stands on the target peg, to which legal moves alone need not lead."""
        return self.done(state)

    def prompt(self, state: HanoiState) -> Prompt:
        """Return a system message with the rules and a user message with the strategy and the state."""
        return self._messages(state)

    def draft_prompt(self, state: HanoiState, n: int) -> Prompt:
        """Return the same rules and state, and ask for the next `n` moves in short."""
        return self._messages(state, DRAFT, n=n)

    def parse_draft(self, text: str) -> list[JSON]:
        """Return the moves in `text`, without the states after them, because `apply` makes the moves."""
        return [{"move": [int(number) for number in match.groups()]} for match in _MOVES.finditer(text)]

    def _messages(self, state: HanoiState, asked: str = USER, **more: int) -> list[tuple[str, str]]:
        previous = "none" if state["previous"] is None else str(state["previous"])
        user = asked.format(cycle=self._cycle, previous=previous, pegs=state["pegs"], **more)
        return [("system", self._system), ("user", user)]

    def rephrase(self, state: HanoiState, attempt: int) -> Prompt:  # noqa: ARG002  there is one other way
        """Return the prompt with the position shown again by tops and by disks, as models misread lists (paper, App. D)."""
        pegs = state["pegs"]
        tops = "\n".join(
            f"- peg {number}: " + (f"top disk {peg[-1]}, below it {len(peg) - 1} more" if peg else "empty")
            for number, peg in enumerate(pegs)
        )
        where = sorted((disk, number) for number, peg in enumerate(pegs) for disk in peg)
        places = ", ".join(f"disk {disk} on peg {number}" for disk, number in where)
        (_, system), (_, user) = self._messages(state)
        return [("system", system), ("user", user + "\n" + OTHERWISE.format(tops=tops, places=places))]

    def variants(self, state: HanoiState) -> Sequence[Variant]:
        """Return the question under the six ways to number the pegs, its own first. The parsers map the replies back."""
        return [self._renamed(state, names) for names in permutations(range(3))]

    def _renamed(self, state: HanoiState, names: tuple[int, ...]) -> Variant:
        """Return the question with peg i called `names[i]`."""
        other = Hanoi(self.disks, source=names[self.source], target=names[self.target])
        own = [names.index(name) for name in range(3)]
        previous = state["previous"]
        asked = HanoiState(
            pegs=[state["pegs"][peg] for peg in own],
            previous=None if previous is None else [previous[0], names[previous[1]], names[previous[2]]],
        )

        def parse(text: str) -> JSON:
            found: Any = other.parse(text)
            disk, source, target = found["move"]
            if not {source, target} <= {0, 1, 2}:
                raise ValueError("the move is between pegs that do not exist")
            return {"move": [disk, own[source], own[target]], "next_state": [found["next_state"][name] for name in names]}

        return Variant(other.prompt(asked), parse)

    def state_at(self, step: int) -> HanoiState:
        """Return the state after `step` right moves, made from the step number alone.

        >>> Hanoi(disks=3).state_at(4)
        {'pegs': [[], [2, 1], [3]], 'previous': [3, 0, 2]}

        Raises:
            UsageError: there is no such step.
        """
        if not 0 <= step <= self.total():
            raise UsageError(f"{self.disks} disks take {self.total()} moves: there is no state after {step}.")
        pegs: Pegs = [[], [], []]
        for disk in reversed(self._all):
            pegs[self._peg(disk, step)].append(disk)
        if step == 0:
            return {"pegs": pegs, "previous": None}
        disk = (step & -step).bit_length()  # move s moves disk 1 + the number of zeros at the end of s
        return {"pegs": pegs, "previous": [disk, self._peg(disk, step - 1), self._peg(disk, step)]}

    def _peg(self, disk: int, step: int) -> int:
        """Return the peg of `disk` after `step` moves: every second disk goes round one way, the others the other way."""
        moves = (step + (1 << (disk - 1))) >> disk
        way = self.stride if disk % 2 else -self.stride
        return (self.source + moves * way) % 3

    def truth(self, state: HanoiState) -> HanoiAnswer:
        """Return the move that the rule in the prompt asks for, and the state after it."""
        pegs, previous = state["pegs"], state["previous"]
        if previous is None or previous[0] != 1:
            source = next(number for number, peg in enumerate(pegs) if peg and peg[-1] == 1)
            move = [1, source, (source + self.stride) % 3]
        else:
            tops = sorted((peg[-1], number) for number, peg in enumerate(pegs) if peg and peg[-1] != 1)
            disk, source = tops[0]  # of the two pegs without disk 1, the smaller top can move, onto the other one
            (target,) = {0, 1, 2} - {source, previous[2]}
            move = [disk, source, target]
        after = moved(pegs, move)
        assert after is not None  # noqa: S101  the rule moves legally in any state of the solution
        return {"move": move, "next_state": after}

    def parse(self, text: str) -> JSON:
        """Return the last move and the last next state in `text`.

        Raises:
            ValueError: one of them is missing, the move is not 3 integers, or the state is not 3 lists that hold each disk
                once.
        """
        move, pegs = _last("move", text), _last("next_state", text)
        if len(move) != 3 or not all(type(x) is int for x in move):
            raise ValueError("the move is not three integers")
        if len(pegs) != 3 or not all(isinstance(peg, list) for peg in pegs):
            raise ValueError("the next state is not three lists")
        disks = [disk for peg in pegs for disk in peg]
        if not all(type(disk) is int for disk in disks) or sorted(disks) != self._all:
            raise ValueError(f"the next state does not hold each of the disks 1 to {self.disks} once")
        return {"move": move, "next_state": pegs}

    def check(self, state: HanoiState, answer: HanoiAnswer) -> bool:
        """Say whether the move is legal and the next state is the move applied."""
        return moved(state["pegs"], answer["move"]) == answer["next_state"]

    def apply(self, state: HanoiState, answer: HanoiAnswer) -> HanoiState:
        """Return the next state that the answer gives, which was voted on, as in the paper. A drafted move is made here.

        Raises:
            ValueError: a drafted move is not legal.
        """
        after = answer.get("next_state") or moved(state["pegs"], answer["move"])
        if after is None:
            raise ValueError("the move is not legal")
        return {"pegs": after, "previous": answer["move"]}


def stride(disks: int, source: int, target: int) -> int:
    """Return by how many pegs (1 or 2, modulo 3) disk 1 moves each time it moves.

    >>> stride(20, 0, 2), stride(3, 0, 2)
    (1, 2)
    """
    towards_goal = (target - source) % 3
    return towards_goal if disks % 2 else 3 - towards_goal


def moved(pegs: Pegs, move: Move) -> Pegs | None:
    """Return the pegs after `move`, or None if it is not legal.

    >>> moved([[2, 1], [], []], [1, 0, 2])
    [[2], [], [1]]
    >>> moved([[2], [], [1]], [2, 0, 2]) is None
    True
    """
    disk, source, target = move
    if source == target or not {source, target} <= {0, 1, 2} or not pegs[source] or pegs[source][-1] != disk:
        return None
    if pegs[target] and pegs[target][-1] < disk:
        return None
    result = [list(peg) for peg in pegs]
    result[target].append(result[source].pop())
    return result


def _last(name: str, text: str) -> list[Any]:
    """Return the JSON list behind the last `name =` in `text`; an earlier one is never used instead."""
    starts = [match.end() for match in re.finditer(rf"\b{name}\s*=\s*", text)]
    found = _LISTS.match(text, starts[-1]) if starts else None
    if found is None:
        raise ValueError(f"no list after the last {name!r}" if starts else f"no line with {name} = [...]")
    value = strict_json(found[0])
    assert isinstance(value, list)  # noqa: S101  the pattern starts with a bracket
    return value
