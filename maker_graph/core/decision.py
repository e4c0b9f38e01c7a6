"""From judged samples (`judging.py`) to a decision: count the votes, and ask the rule.

A decision depends only on the samples in the order in which they were launched, never on the order of arrival. So a replay
decides the same.

A vote without a winner is undecided, never decided in silence. It ends undecided when
- the rule needs more samples than the cap allows: nobody can win within the cap, so none of them is drawn;
- the last `stuck_after` samples all have red flags: the model is stuck on this prompt;
- ten valid samples have come and no two agree: then the answers hold something that varies freely;
- a verifier proved two different answers: then it is wrong about one of them;
- the rule says that the vote is hung.
In the last two cases the step is contested, and its decision says `passed`: more votes of the same kind would decide it, but
often wrongly. In the others the step is stuck.

A proof ends a vote before the rule is asked (`core/verifying.py`): the first sample with a proved answer decides, in the order
of launch. So a vote with a verifier begins with one sample, and draws one at a time until a sample is valid. From then on the
rule says how many. Smaller rounds never change what the rule decides (`core/rules.py`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NotRequired

from typing_extensions import TypedDict

from maker_graph.core.ballot import count
from maker_graph.core.canonical import JSON, canonical
from maker_graph.core.characters import visible
from maker_graph.core.judging import Judged, Usage
from maker_graph.core.rules import Decided, Draw, Hung, StoppingRule, checked_verdict
from maker_graph.core.voting import Voting
from maker_graph.errors import Undecided

SCATTERED = 10
"""A vote ends undecided when it has this many valid samples and no two of them agree."""

LAST_REPLIES = 3
"""How many of its last replies an undecided vote shows."""


class Round(TypedDict):
    """How a vote stands after a round.

    Attributes:
        by: the name of the microstep.
        round: its number, from 1.
        samples: drawn so far.
        ballot: candidate -> votes so far.
        flags: red flag -> discarded samples so far.
    """

    by: str
    round: int
    samples: int
    ballot: dict[str, int]
    flags: dict[str, int]


class Vote(TypedDict):
    """What the samples of one rung came to. The fields are those of a `Decision`, which explains them."""

    by: str
    first: str
    ballot: dict[str, int]
    flags: dict[str, int]
    samples: int
    sequence: list[int | str]
    lengths: list[int]
    rounds: int
    usage: Usage
    lost: NotRequired[int]
    fallbacks: NotRequired[int]
    standings: NotRequired[dict[str, int]]


class Decision(Vote):
    """How a microstep ended, as plain JSON: the last vote, and its result.

    Attributes:
        by: who decided: "base" for the first vote; "temperature", "rephrased" or "model" for a rung of a ladder; "rung 2",
            "rung 3" and so on for a rung of a cascade; "program", "world" or "person" if the answer was not voted on.
        first: the candidate of the first sample, also if the sample was discarded; empty if it could not be read.
        ballot: candidate -> votes, in the order of each candidate's first vote.
        flags: red flag -> discarded samples.
        samples: how many samples were drawn, discarded ones included.
        sequence: for each sample, in the order of launch, the place of its candidate in the ballot, from 0, or its red flag.
        lengths: output tokens of each sample, in the same order; empty if they are not known.
        rounds: how many rounds of samples there were.
        usage: the tokens of all samples.
        lost: replies that never came, for a reason that may depend on what they said. They are no samples and do not vote.
            Decisions that maker_graph 0.1.0 left in a checkpoint do not have it.
        fallbacks: samples of a model that stands in for the one that was asked first; left out if there are none.
        standings: "proved", "valid", "unknown" -> votes of which the verifier says so; left out without a verifier. Answers
            that it calls invalid are among the flags.
        status: "decided" or "undecided".
        reason: why it is undecided, in one sentence. It is empty if it was decided, unless a person answered: then it says so.
        answer: the answer of the first sample that voted for the winner; None if undecided.
        candidate: the winner, as canonical JSON; None if undecided.
        text: the reply that held this answer; empty if undecided.
        first_agrees: whether the very first sample of the step, alone, gives the decided answer.
        tried: the votes of earlier rungs, all of them undecided. They do not count in the fields above.
        replies: the last three replies, if it is undecided; else empty.
        passed: true if it is undecided because the rule gave it up, or because a verifier proved two answers. Then the step is
            contested, and not stuck. Left out otherwise.
        part: the part of the task that was asked; left out if the task has only one.
        proved: what the proof of the answer rests on, if a verifier proved it. Then one sample decided. Left out otherwise.
        merged: true if the winner won only because of `key`: another answer has the most votes if whole answers are counted.
            Left out otherwise.
    """

    status: str
    reason: str
    answer: JSON
    candidate: str | None
    text: str
    first_agrees: bool
    tried: list[Vote]
    replies: list[str]
    passed: NotRequired[bool]
    part: NotRequired[str]
    proved: NotRequired[str]
    merged: NotRequired[bool]


def tally(judged: Sequence[Judged]) -> dict[str, int]:
    """Return the ballot of the samples that carry no red flag, in the order of launch."""
    return count(j["candidate"] for j in judged if j["flag"] is None)


def round_of(judged: Sequence[Judged], number: int, by: str) -> Round:
    """Return how a vote stands after round `number`, for those who watch it."""
    flags = count(j["flag"] for j in judged if j["flag"] is not None)
    return Round(by=by, round=number, samples=len(judged), ballot=tally(judged), flags=flags)


def next_draw(judged: Sequence[Judged], voting: Voting, *, verifies: bool = False) -> int:
    """Return how many samples the next round draws; 0 if the vote has ended, decided or not.

    `verifies` says that there is a verifier.
    """
    ballot = tally(judged)
    verdict = _verdict(ballot, voting.rule)
    if not isinstance(verdict, Draw) or _proofs(judged) or _stuck(judged, voting):
        return 0
    if len(judged) + verdict.samples > voting.max_samples:
        return 0
    return 1 if verifies and not ballot else verdict.samples


def decide(judged: Sequence[Judged], voting: Voting, rounds: int, by: str = "base") -> Decision:
    """Return the decision of a vote that has ended (`next_draw` is 0)."""
    ballot = tally(judged)
    verdict = _verdict(ballot, voting.rule)
    winner: Judged | None = None
    proofs = _proofs(judged)
    if proofs:
        winner = proofs[0] if len({each["candidate"] for each in proofs}) == 1 else None
    elif isinstance(verdict, Decided):
        winner = next(j for j in judged if j["flag"] is None and j["candidate"] == verdict.candidate)
    places = {candidate: place for place, candidate in enumerate(ballot)}
    decision = Decision(
        status="undecided" if winner is None else "decided",
        reason="" if winner is not None else _reason(judged, ballot, verdict, voting),
        answer=None if winner is None else winner["answer"],
        candidate=None if winner is None else winner["candidate"],
        text="" if winner is None else winner["text"],
        by=by,
        first=judged[0]["candidate"],
        ballot=ballot,
        flags=count(j["flag"] for j in judged if j["flag"] is not None),
        samples=len(judged),
        sequence=[j["flag"] or places[j["candidate"]] for j in judged],
        lengths=[j["usage"]["output"] for j in judged],
        rounds=rounds,
        first_agrees=winner is not None and judged[0]["candidate"] == winner["candidate"],
        usage=Usage(
            input=sum(j["usage"]["input"] for j in judged),
            cached=sum(j["usage"]["cached"] for j in judged),
            output=sum(j["usage"]["output"] for j in judged),
        ),
        lost=sum(j["lost"] for j in judged),
        tried=[],
        replies=[] if winner is not None else [j["text"] for j in judged[-LAST_REPLIES:]],
    )
    if standings := count(j["standing"] for j in judged if "standing" in j and j["flag"] is None):
        decision["standings"] = standings
    if winner is None and given_up(decision, voting.rule):
        decision["passed"] = True
    elif winner is not None and proofs:
        decision["proved"] = winner["evidence"]
    elif winner is not None and _merged(judged, ballot, winner["candidate"]):
        decision["merged"] = True
    if fallbacks := sum(j.get("fallback", False) for j in judged):
        decision["fallbacks"] = fallbacks
    return decision


def _proofs(judged: Sequence[Judged]) -> list[Judged]:
    """Return the votes whose answers are proved."""
    return [j for j in judged if j.get("standing") == "proved" and j["flag"] is None]


def _merged(judged: Sequence[Judged], ballot: Mapping[str, int], winner: str) -> bool:
    """Return whether the winner has the most votes, but none of its answers has the most if whole answers are counted.

    That happens if `key` made one candidate of several answers, which won only together. If the winner has fewer votes than
    another candidate, that is due to the rule and not to `key`.
    """
    if len(ballot) == 1 or ballot[winner] < max(ballot.values()):
        return False
    whole = Counter((j["candidate"], canonical(j["answer"], own=True)) for j in judged if j["flag"] is None)
    most = max(whole.values())
    return all(candidate != winner for (candidate, _), number in whole.items() if number == most)


def given_up(vote: Vote, rule: StoppingRule) -> bool:
    """Return whether a vote without a winner was given up by `rule` or is disputed. Then its step is contested, not stuck."""
    return disputed(vote) or isinstance(checked_verdict(rule, vote["ballot"]), Hung)


def disputed(vote: Vote) -> bool:
    """Return whether a verifier proved two different answers in a vote without a winner.

    If another rung voted, its first proof would decide the step, although such a proof is worth nothing here. So no rung votes
    on the step again, and a person answers it.
    """
    return bool(vote.get("standings", {}).get("proved"))


def rung_of(by: str) -> int:
    """Return the place of a rung in its cascade, from 0, given the name in the `by` of its votes.

    >>> rung_of("base"), rung_of("rung 3")
    (0, 2)
    """
    _, _, number = by.partition("rung ")
    return int(number) - 1 if number.isdigit() else 0


def vote_of(decision: Decision) -> Vote:
    """Return the part of an undecided `decision` that is kept when the next rung votes."""
    vote = Vote(
        by=decision["by"],
        first=decision["first"],
        ballot=decision["ballot"],
        flags=decision["flags"],
        samples=decision["samples"],
        sequence=decision["sequence"],
        lengths=decision["lengths"],
        rounds=decision["rounds"],
        usage=decision["usage"],
        lost=decision.get("lost", 0),
    )
    if "fallbacks" in decision:
        vote["fallbacks"] = decision["fallbacks"]
    if "standings" in decision:
        vote["standings"] = decision["standings"]
    return vote


def first_of(votes: Sequence[Vote]) -> str:
    """Return the candidate of the very first sample of a step, given the votes of its rungs; empty if it is not known.

    It is not known if the sample was discarded and the votes come from the journal, which does not keep such replies.
    """
    first = votes[0]
    place = first["sequence"][0] if first["sequence"] else ""
    return first["first"] or (list(first["ballot"])[place] if isinstance(place, int) else "")


def after_trying(tried: Sequence[Vote], decision: Decision) -> Decision:
    """Return `decision` with the votes of the rungs before it, so that the step's first sample is that of the first rung."""
    if not tried:
        return decision
    agrees = decision["candidate"] is not None and first_of(tried) == decision["candidate"]
    return {**decision, "tried": list(tried), "first_agrees": agrees}


def given(answer: JSON, by: str) -> Decision:
    """Return the decision of a step whose answer is given by "program", "world" or "person": no sample was drawn for it."""
    return Decision(
        status="decided",
        reason="",
        answer=answer,
        candidate=canonical(answer, own=True),
        text="",
        by=by,
        first="",
        ballot={},
        flags={},
        samples=0,
        sequence=[],
        lengths=[],
        rounds=0,
        first_agrees=True,
        usage=Usage(input=0, cached=0, output=0),
        lost=0,
        tried=[],
        replies=[],
    )


def unasked(by: str, why: str) -> Decision:
    """Return the decision of a vote for which no model may be asked the question: undecided, without samples."""
    return {**given(None, by), "status": "undecided", "reason": why, "candidate": None}


def answered(question: Decision, reply: Judged) -> Decision:
    """Return the decision of a person who was asked `question`: no sample was drawn and no vote cast for it."""
    return {
        **given(reply["answer"], "person"),
        "reason": "a person answered.",
        "candidate": reply["candidate"],
        "text": reply["text"],
        "first_agrees": first_of([*question["tried"], question]) == reply["candidate"],
        "tried": [*question["tried"], vote_of(question)],
    }


def undecided(decision: Decision) -> Undecided:
    """Return the error for a step that no rung decided. It has the ballot of the last, and the samples and flags of all."""
    votes: list[Vote] = [*decision["tried"], decision]
    flags: dict[str, int] = {}
    for each in votes:
        for name, number in each["flags"].items():
            flags[name] = flags.get(name, 0) + number
    reason = decision["reason"]
    if decision["tried"]:
        reason = f"{reason} Tried: {', '.join(each['by'] for each in votes)}."
    samples, passed = sum(each["samples"] for each in votes), decision.get("passed", False)
    return Undecided(reason, decision["ballot"], flags, samples, decision["replies"], passed=passed)


def _reason(judged: Sequence[Judged], ballot: dict[str, int], verdict: Decided | Draw | Hung, voting: Voting) -> str:
    """Return in one sentence why the vote ended undecided, and what to do."""
    if proofs := _proofs(judged):
        proved = list(dict.fromkeys(each["candidate"] for each in proofs))
        return (
            f"the verifier proved two different answers, {visible(proved[0])[:80]} and {visible(proved[1])[:80]}: verify is "
            "wrong about one of them, or key tells apart what is the same."
        )
    if isinstance(verdict, Hung) and _scattered(ballot):
        return (
            f"no two of {len(ballot)} valid samples agree. If their answers hold free text, "
            "pass key= to say which answers are the same vote."
        )
    if isinstance(verdict, Hung):
        return f"no candidate won ({voting.rule})."
    last = next((j for j in reversed(judged) if j["flag"] is not None and j["why"]), None)
    cause = f" The last {last['flag']} reply: {last['why'].rstrip('.')}." if last else ""
    cut = [j for j in judged if j["flag"] in {"truncated", "too_long"}]
    if len(cut) > len(judged) / 2:
        of_form = sum(j.get("call") == "second" for j in cut) > len(cut) / 2
        cap = ("the output cap of the second call", "emit's max_tokens") if of_form else ("the output cap", "max_tokens")
        cause = f" Most replies were longer than {cap[0]}: raise {cap[1]}."
    if _stuck(judged, voting):
        return f"the last {_in_a_row(judged)} samples were all red-flagged.{cause}"
    return f"no candidate won ({voting.rule}) within {voting.max_samples} samples.{cause}"


def _stuck(judged: Sequence[Judged], voting: Voting) -> bool:
    return _in_a_row(judged) >= voting.stuck_after


def _in_a_row(judged: Sequence[Judged]) -> int:
    """Return how many samples at the end of the vote are flagged."""
    return next((number for number, j in enumerate(reversed(judged)) if j["flag"] is None), len(judged))


def _verdict(ballot: dict[str, int], rule: StoppingRule) -> Decided | Draw | Hung:
    verdict = checked_verdict(rule, ballot)
    if isinstance(verdict, Draw) and _scattered(ballot):
        return Hung()
    return verdict


def _scattered(ballot: dict[str, int]) -> bool:
    return len(ballot) >= SCATTERED and sum(ballot.values()) == len(ballot)
