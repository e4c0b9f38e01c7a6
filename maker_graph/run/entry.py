"""How a decision is written into the journal, and read back.

An entry is compact JSON: `[answer, candidates, sequence, rounds, [input, cached, output], winner, first_agrees]`.
`candidates` are in the order of the ballot, null for the one that is the answer itself; `sequence` says for each sample which
candidate it voted for, or its red flag; `output` lists the output tokens of each, or is their sum, as it was before;
`winner` is a place among the candidates, or null for a step that was left open. A step that was stuck has two more parts: `by`,
the rung that decided it, and for each rung before `[by, candidates, sequence, rounds, [input, cached, output]]`. A step on
which replies were lost has these two parts too, and then `lost`: how many, of each rung before and of the last one.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import from_json

from maker_graph.core.ballot import count
from maker_graph.core.canonical import canonical, sorted_json
from maker_graph.core.decision import Decision, Usage, Vote


def encode(decision: Decision) -> str:
    """Return `decision` as the text of an entry."""
    candidates: list[str | None] = list(decision["ballot"])
    winner = None
    if decision["status"] == "decided":
        if decision["candidate"] not in candidates:  # a person's answer, which nobody voted for
            candidates.append(decision["candidate"])
        winner = candidates.index(decision["candidate"])
        if candidates[winner] == canonical(decision["answer"]):
            candidates[winner] = None
    parts: list[Any] = [
        decision["answer"],
        candidates,
        decision["sequence"],
        decision["rounds"],
        _tokens(decision),
        winner,
        decision["first_agrees"],
    ]
    lost = [vote.get("lost", 0) for vote in (*decision["tried"], decision)]
    if decision["tried"] or any(lost):
        tried = [
            [each["by"], list(each["ballot"]), each["sequence"], each["rounds"], _tokens(each)] for each in decision["tried"]
        ]
        parts += [decision["by"], tried, lost] if any(lost) else [decision["by"], tried]
    return canonical(parts)


def decode(entry: str) -> Decision:
    """Return the decision in the text of an entry; the text of the reply was not kept.

    Raises:
        ValueError: the text is no entry.
    """
    answer, candidates, sequence, rounds, tokens, winner, first_agrees, by, tried, lost = _parts(entry)
    if winner is not None and candidates[winner] is None:
        candidates[winner] = canonical(answer)
    return {
        **_vote(by, candidates, sequence, rounds, tokens, lost=lost[-1]),
        "status": "undecided" if winner is None else "decided",
        "reason": "",
        "answer": answer,
        "candidate": None if winner is None else candidates[winner],
        "text": "",
        "first_agrees": first_agrees,
        "tried": [_vote(*each, lost=number) for each, number in zip(tried, lost, strict=False)],
        "replies": [],
    }


def _vote(by: str, candidates: list[str], sequence: list[int | str], rounds: int, tokens: list[Any], *, lost: int) -> Vote:
    """Return one sampler's vote; what its first sample would have voted for was not kept."""
    read, cached, written = tokens
    lengths = written if isinstance(written, list) else []
    return Vote(
        by=by,
        first="",
        ballot=count(candidates[place] for place in sequence if isinstance(place, int)),
        flags=count(flag for flag in sequence if isinstance(flag, str)),
        samples=len(sequence),
        sequence=sequence,
        lengths=lengths,
        rounds=rounds,
        usage=Usage(input=read, cached=cached, output=sum(lengths) if isinstance(written, list) else written),
        lost=lost,
    )


def _tokens(vote: Vote) -> list[Any]:
    return [vote["usage"]["input"], vote["usage"]["cached"], vote["lengths"]]


def _parts(entry: str) -> list[Any]:
    parts = json.loads(entry)
    if not isinstance(parts, list):
        raise ValueError("it is no entry")  # noqa: TRY004  text that is no entry, whatever else it is
    return _whole(parts)


def _whole(parts: list[Any]) -> list[Any]:
    """Return the ten parts of an entry; those that most entries do not have are filled in."""
    if len(parts) not in {7, 9, 10}:
        raise ValueError("it is no entry")
    if len(parts) == 7:
        return [*parts, "base", [], [0]]
    return parts if len(parts) == 10 else [*parts, [0] * (len(parts[8]) + 1)]


_UNANIMOUS = re.compile(r',\[null\],\[((?:0|"\w+")(?:,(?:0|"\w+"))*)\],(\d+),\[\d+,\d+,(\d+|\[[\d,]*\])\],0,(true|false)\]$')
"""The end of an entry whose only candidate is the answer, as it is on nearly all steps.

It is anchored at the end, and `[null]` stands in it just once, so that no answer can pass for it.
"""

_ANSWER_ALONE = (None,)
"""The candidates of such an entry."""


class SkimmedVote(NamedTuple):
    """One sampler's vote in an entry; `lengths` are the output tokens of each sample, empty if they were not kept."""

    by: str
    candidates: Sequence[str | None]
    sequence: Sequence[int | str]
    rounds: int
    lengths: Sequence[int]
    lost: int = 0


class Skimmed(NamedTuple):
    """An entry as it stands, for counting a million of them: nothing in it is checked or completed.

    Attributes:
        text: the entry itself.
        votes: those of earlier rungs and, last, the one that ended the step.
        winner: a place among the last vote's candidates, of which null stands for the answer itself.
        first_agrees: whether the first sample was for the winner.
    """

    text: str
    votes: Sequence[SkimmedVote]
    winner: int | None
    first_agrees: bool

    @property
    def answer(self) -> Any:
        """The answer, which is looked up in the text: few of those who count look at it."""
        return from_json(self.text)[0]

    @property
    def answer_text(self) -> str:
        """The answer as canonical JSON."""
        return sorted_json(self.answer)


def skim(entry: str) -> Skimmed:
    """Return what stands in the text of an entry, several times as fast as `decode`.

    >>> skim('["a",[null],[0,"empty",0],2,[5,0,9],0,true]').votes[0].sequence
    (0, 'empty', 0)

    Raises:
        ValueError: the text is no entry.
    """
    seen = _UNANIMOUS.search(entry)
    if seen is None:
        return _skimmed(entry)
    sequence, rounds, output, agrees = seen.groups()
    lengths = list(map(int, output[1:-1].split(","))) if output[0] == "[" and output != "[]" else ()
    vote = SkimmedVote("base", _ANSWER_ALONE, _sequence(sequence), int(rounds), lengths)
    return Skimmed(entry, (vote,), 0, agrees == "true")


def unanimous(entry: str) -> int | None:
    """Return the votes of a step on which all votes were for the answer, or None if the entry is of another step.

    It is faster still than `skim`, as nothing else is looked at.

    >>> unanimous('["a",[null],[0,"empty",0],2,[5,0,9],0,true]')
    2
    """
    seen = _UNANIMOUS.search(entry)
    return None if seen is None else seen[1].split(",").count("0")


@lru_cache(maxsize=1 << 14)
def _sequence(text: str) -> Sequence[int | str]:
    return tuple(from_json(f"[{text}]"))


def _skimmed(entry: str) -> Skimmed:
    parts = from_json(entry)
    if not isinstance(parts, list):
        raise ValueError("it is no entry")  # noqa: TRY004  as in `_parts`
    _, candidates, sequence, rounds, tokens, winner, first_agrees, by, tried, lost = _whole(parts)
    votes = [_skimmed_vote(*each, lost=number) for each, number in zip(tried, lost, strict=False)]
    votes.append(_skimmed_vote(by, candidates, sequence, rounds, tokens, lost=lost[-1]))
    return Skimmed(entry, votes, winner, first_agrees)


def _skimmed_vote(
    by: str,
    candidates: list[str | None],
    sequence: list[int | str],
    rounds: int,
    tokens: tuple[int, int, int | list[int]],
    *,
    lost: int,
) -> SkimmedVote:
    output = tokens[2]
    return SkimmedVote(by, candidates, sequence, rounds, output if isinstance(output, list) else [], lost)
