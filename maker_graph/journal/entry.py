"""How a decision is written into the journal as an *entry*, and read back.

An entry is a list in compact JSON, usually of seven elements:

    [answer, candidates, sequence, rounds, [input, cached, output], winner, first_agrees]

- `candidates` are in the order of the ballot. The candidate that is the answer itself is written as null.
- `sequence` has an element for each sample: the place of its candidate among the candidates, or its red flag.
- `input`, `cached` and `output` are tokens. `output` is a list with those of each sample. Old journals have their sum.
- `winner` is the place of the winner among the candidates, or null for a step that was left open.

Other entries are longer or shorter:

- If several rungs voted on the step, two elements follow: `by`, the rung that decided it, and a list of the earlier votes, each
  `[by, candidates, sequence, rounds, [input, cached, output]]`.
- If replies were lost, these two follow, and then `lost`: a list of how many were lost on each rung, the last rung last.
- If the program or the world gave the answer, the entry is only `[answer, by]`.
- If the task has several parts, the name of the part is added. After `by` and the earlier votes, `lost` is then always
  written. So the entry has 3, 8 or 11 elements.
- If a verifier or `key` said something about the votes, an object is added. `proved` is the evidence of a proof. `standings`
  has a list for each rung: how many of its votes are proved, valid and unknown (`STANDINGS`). `merged` is true if the winner
  won only because `key` makes one candidate of several answers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from pydantic_core import from_json

from maker_graph.core.ballot import count
from maker_graph.core.canonical import canonical, sorted_json
from maker_graph.core.decision import Decision, Vote, given
from maker_graph.core.judging import Usage
from maker_graph.core.verifying import STANDINGS

GIVEN = ("program", "world")
"""Who gives answers without a vote."""

MAY_BE_OPEN = ",null,"
"""A text that each entry of an open step contains, because its winner is null. Few other entries contain it."""

_GIVEN_LENGTHS = {2, 3}
"""How many elements the entry of a given answer has: without and with the name of a part."""


def encode(decision: Decision) -> str:
    """Return `decision` as the text of an entry."""
    part = [decision["part"]] if "part" in decision else []
    if decision["by"] in GIVEN:
        return canonical([decision["answer"], decision["by"], *part], own=True)
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
        parts += [decision["by"], tried, lost] if any(lost) or part else [decision["by"], tried]
    said = _said(decision)
    return canonical([*parts, *part, said] if said else parts + part)


def _said(decision: Decision) -> dict[str, Any]:
    """Return what a verifier and `key` said, in the form in which it is written. It is empty for most steps."""
    said: dict[str, Any] = {}
    if "proved" in decision:
        said["proved"] = decision["proved"]
    votes = (*decision["tried"], decision)
    if any("standings" in vote for vote in votes):
        said["standings"] = [[vote.get("standings", {}).get(each, 0) for each in STANDINGS] for vote in votes]
    if decision.get("merged"):
        said["merged"] = True
    return said


def decode(entry: str) -> Decision:
    """Return the decision in the text of an entry. The text of the winning reply is empty, because entries do not keep it.

    Raises:
        ValueError: the text is not an entry.
    """
    parts, said = _apart(_parts(entry))
    if len(parts) in _GIVEN_LENGTHS:
        answer, by, *named = parts
        return _of_part(given(answer, _given_by(by)), named)
    answer, candidates, sequence, rounds, tokens, winner, first_agrees, by, tried, lost, *named = _whole(parts)
    if winner is not None and candidates[winner] is None:
        candidates[winner] = canonical(answer)
    found = {
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
    return _of_part(_with_said(cast("Decision", found), said), named)


def _with_said(decision: Decision, said: dict[str, Any]) -> Decision:
    """Return a decision with what a verifier and `key` said about it."""
    if "proved" in said:
        decision["proved"] = str(said["proved"])
    if said.get("merged"):
        decision["merged"] = True
    for vote, numbers in zip([*decision["tried"], decision], said.get("standings", []), strict=False):
        if any(numbers):
            vote["standings"] = {name: number for name, number in zip(STANDINGS, numbers, strict=True) if number}
    return decision


def _of_part(decision: Decision, named: Sequence[str]) -> Decision:
    if named:
        decision["part"] = named[0]
    return decision


def _given_by(by: Any) -> str:
    if by not in GIVEN:
        raise ValueError("it is not an entry")
    return str(by)


def _vote(by: str, candidates: list[str], sequence: list[int | str], rounds: int, tokens: list[Any], *, lost: int) -> Vote:
    """Return the vote of one rung. The candidate of its first sample is empty, because entries do not keep it."""
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
        raise ValueError("it is not an entry")  # noqa: TRY004  the error is about the text, not about its type
    return parts


def _apart(parts: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return an entry without the object at its end, and that object, which holds what a verifier and `key` said.

    An answer may be an object too. It is the first element of an entry, and never the last.
    """
    said = parts[-1] if len(parts) > min(_GIVEN_LENGTHS) else None
    return (parts[:-1], said) if isinstance(said, dict) else (parts, {})


def _whole(parts: list[Any]) -> list[Any]:
    """Return the ten elements of a voted entry, and the part if there is one. Elements that most entries lack are filled in."""
    match len(parts):
        case 7 | 8:
            return [*parts[:7], "base", [], [0], *parts[7:]]
        case 9:
            return [*parts, [0] * (len(parts[8]) + 1)]
        case 10 | 11:
            return parts
        case _:
            raise ValueError("it is not an entry")


_UNANIMOUS = re.compile(
    r',\[null\],\[((?:0|"\w+")(?:,(?:0|"\w+"))*)\],(\d+),\[\d+,\d+,(\d+|\[[\d,]*\])\],0,(true|false)(?:,"([\w-]+)")?\]$'
)
"""The end of an entry whose only candidate is the answer. Nearly all entries have this form.

The pattern matches up to the end of the entry, and contains `[null]` only once. So no answer can be taken for it.
"""

_ANSWER_ALONE = (None,)
"""The candidates of such an entry."""


class SkimmedVote(NamedTuple):
    """The vote of one rung in an entry. `lengths` are the output tokens of each sample; it is empty if they were not kept."""

    by: str
    candidates: Sequence[str | None]
    sequence: Sequence[int | str]
    rounds: int
    lengths: Sequence[int]
    lost: int = 0


class Skimmed(NamedTuple):
    """An entry that is read quickly, to count a million of them. Nothing in it is checked or completed.

    Attributes:
        text: the entry itself.
        votes: the vote of each rung; the last one ended the step.
        winner: the place of the winner among the candidates of the last vote. There, None is the answer itself.
        first_agrees: whether the first sample voted for the winner.
        part: the part of the task; empty if the task has only one.
        said: what a verifier and `key` said: `proved`, `standings`, `merged`.
    """

    text: str
    votes: Sequence[SkimmedVote]
    winner: int | None
    first_agrees: bool
    part: str = ""
    said: Mapping[str, Any] = MappingProxyType({})

    @property
    def proved(self) -> bool:
        """Whether a verifier proved the answer."""
        return "proved" in self.said

    @property
    def answer(self) -> Any:
        """The answer. It is read from the text only now, because few callers need it."""
        return from_json(self.text)[0]

    @property
    def answer_text(self) -> str:
        """The answer as canonical JSON."""
        return sorted_json(self.answer)


def skim(entry: str) -> Skimmed:
    """Return the content of an entry, several times as fast as `decode`.

    >>> skim('["a",[null],[0,"empty",0],2,[5,0,9],0,true]').votes[0].sequence
    (0, 'empty', 0)

    Raises:
        ValueError: the text is not an entry.
    """
    seen = _UNANIMOUS.search(entry)
    if seen is None:
        return _skimmed(entry)
    sequence, rounds, output, agrees, part = seen.groups()
    lengths = list(map(int, output[1:-1].split(","))) if output[0] == "[" and output != "[]" else ()
    vote = SkimmedVote("base", _ANSWER_ALONE, _sequence(sequence), int(rounds), lengths)
    return Skimmed(entry, (vote,), 0, agrees == "true", part or "")


def unanimous(entry: str) -> tuple[int, str] | None:
    """Return the number of votes for the answer, and the part, if the entry has the form of nearly all entries; else None.

    In this form all votes were for the answer, and a verifier and `key` said nothing. Nothing else is read, so this is even
    faster than `skim`.

    >>> unanimous('["a",[null],[0,"empty",0],2,[5,0,9],0,true]')
    (2, '')
    """
    seen = _UNANIMOUS.search(entry)
    return None if seen is None else (seen[1].split(",").count("0"), seen[5] or "")


@lru_cache(maxsize=1 << 14)
def _sequence(text: str) -> Sequence[int | str]:
    return tuple(from_json(f"[{text}]"))


def _skimmed(entry: str) -> Skimmed:
    whole = from_json(entry)
    if not isinstance(whole, list):
        raise ValueError("it is not an entry")  # noqa: TRY004  as in `_parts`
    parts, said = _apart(whole)
    if len(parts) in _GIVEN_LENGTHS:
        _, by, *named = parts
        vote = SkimmedVote(_given_by(by), _ANSWER_ALONE, (), 0, ())
        return Skimmed(entry, (vote,), 0, first_agrees=True, part="".join(named))
    _, candidates, sequence, rounds, tokens, winner, first_agrees, by, tried, lost, *named = _whole(parts)
    votes = [_skimmed_vote(*each, lost=number) for each, number in zip(tried, lost, strict=False)]
    votes.append(_skimmed_vote(by, candidates, sequence, rounds, tokens, lost=lost[-1]))
    return Skimmed(entry, votes, winner, first_agrees, "".join(named), said)


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
