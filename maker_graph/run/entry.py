"""How a decision is written into the journal, and read back.

An entry is compact JSON: `[answer, candidates, sequence, rounds, [input, cached, output], winner, first_agrees]`.
`candidates` are in the order of the ballot, null for the one that is the answer itself; `sequence` says for each sample which
candidate it voted for, or its red flag; `output` lists the output tokens of each, or is their sum, as it was before;
`winner` is a place among the candidates, or null for a step that was left open. A step that was stuck has two more parts: `by`,
the rung that decided it, and for each rung before `[by, candidates, sequence, rounds, [input, cached, output]]`.
"""

import json
from typing import Any, NamedTuple

from pydantic_core import from_json

from maker_graph.core.ballot import count
from maker_graph.core.canonical import canonical
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
    if decision["tried"]:
        tried = [
            [each["by"], list(each["ballot"]), each["sequence"], each["rounds"], _tokens(each)] for each in decision["tried"]
        ]
        parts += [decision["by"], tried]
    return canonical(parts)


def decode(entry: str) -> Decision:
    """Return the decision in the text of an entry; the text of the reply was not kept.

    Raises:
        ValueError: the text is no entry.
    """
    answer, candidates, sequence, rounds, tokens, winner, first_agrees, by, tried = _parts(entry)
    if winner is not None and candidates[winner] is None:
        candidates[winner] = canonical(answer)
    return {
        **_vote(by, candidates, sequence, rounds, tokens),
        "status": "undecided" if winner is None else "decided",
        "reason": "",
        "answer": answer,
        "candidate": None if winner is None else candidates[winner],
        "text": "",
        "first_agrees": first_agrees,
        "tried": [_vote(*each) for each in tried],
        "replies": [],
    }


def _vote(by: str, candidates: list[str], sequence: list[int | str], rounds: int, tokens: list[Any]) -> Vote:
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
    )


def _tokens(vote: Vote) -> list[Any]:
    return [vote["usage"]["input"], vote["usage"]["cached"], vote["lengths"]]


def _parts(entry: str) -> list[Any]:
    parts = json.loads(entry)
    if not isinstance(parts, list) or len(parts) not in {7, 9}:
        raise ValueError("it is no entry")
    return parts if len(parts) == 9 else [*parts, "base", []]


class Skimmed(NamedTuple):
    """An entry as it stands, for counting a million of them: nothing in it is checked or completed.

    `votes` are those of earlier rungs and, last, the one that ended the step; `winner` is a place among its candidates, where
    null stands for the answer itself.
    """

    answer: Any
    votes: "list[SkimmedVote]"
    winner: int | None
    first_agrees: bool


class SkimmedVote(NamedTuple):
    """One sampler's vote in an entry; `lengths` are the output tokens of each sample, empty if they were not kept."""

    by: str
    candidates: list[str | None]
    sequence: list[int | str]
    rounds: int
    lengths: list[int]


def skim(entry: str) -> Skimmed:
    """Return what stands in the text of an entry, several times as fast as `decode`.

    >>> skim('["a",[null],[0,"empty",0],2,[5,0,9],0,true]').votes[0].sequence
    [0, 'empty', 0]

    Raises:
        ValueError: the text is no entry.
    """
    parts = from_json(entry)
    if not isinstance(parts, list) or len(parts) not in {7, 9}:
        raise ValueError("it is no entry")
    answer, candidates, sequence, rounds, tokens, winner, first_agrees = parts[:7]
    by, tried = parts[7:] or ("base", ())
    votes = [_skimmed(*each) for each in tried]
    votes.append(_skimmed(by, candidates, sequence, rounds, tokens))
    return Skimmed(answer, votes, winner, first_agrees)


def _skimmed(
    by: str, candidates: list[str | None], sequence: list[int | str], rounds: int, tokens: tuple[int, int, int | list[int]]
) -> SkimmedVote:
    output = tokens[2]
    if isinstance(output, list):
        return SkimmedVote(by, candidates, sequence, rounds, output)
    return SkimmedVote(by, candidates, sequence, rounds, [])
