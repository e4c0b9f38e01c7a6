"""From samples to a decision: judge each sample, count the votes, ask the rule.

A decision is a pure function of the samples in the order in which they were launched, never of the order of arrival, so a
replay decides the same.

No rule ever declares a silent winner. A vote ends undecided when
- the rule needs more samples than the cap allows: nobody can win within it, so none of them is drawn;
- ten valid samples have come and no two agree: then the answers hold something that varies freely;
- the rule says that it is hung.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import TypedDict

from maker_graph.core.ballot import count
from maker_graph.core.canonical import JSON, MAX_CHARACTERS, MAX_DEPTH, canonical, plain, visible
from maker_graph.core.red_flags import RedFlag, Sample
from maker_graph.core.rules import Decided, Draw, Hung, StoppingRule

SCATTERED = 10
"""So many valid samples without two that agree end a vote."""


class Usage(TypedDict):
    """Tokens of all samples of a microstep, flagged ones included; each request counted once."""

    input: int
    cached: int
    output: int


class Judged(TypedDict):
    """A sample after the red flags: a vote for `candidate` if `flag` is None, discarded otherwise.

    `candidate` is also set on a discarded sample whose reply could be read; it is never counted. It is empty if not.
    """

    index: int
    text: str
    flag: str | None
    why: str
    candidate: str
    answer: JSON
    usage: Usage


class Decision(TypedDict):
    """How a microstep ended.

    Attributes:
        status: "decided" or "undecided".
        reason: why it is undecided, in one sentence; empty if decided.
        answer: the first answer that voted for the winner; None if undecided.
        candidate: the winner, canonical JSON; None if undecided.
        text: the reply which held that answer.
        ballot: candidate -> votes, in the order of each candidate's first vote.
        flags: red flag -> discarded samples.
        samples: how many samples were drawn; each cost money.
        sequence: what became of each sample, in the order of launch: the place of its candidate in the ballot, or its red flag.
        rounds: parallel fan-outs of samples.
        first_agrees: whether the very first sample, alone, gives the decided answer.
        usage: tokens of all samples.
    """

    status: str
    reason: str
    answer: JSON
    candidate: str | None
    text: str
    ballot: dict[str, int]
    flags: dict[str, int]
    samples: int
    sequence: list[int | str]
    rounds: int
    first_agrees: bool
    usage: Usage


@dataclass(frozen=True, slots=True)
class Reading:
    """How replies become votes.

    Attributes:
        parse: from text to the answer; whatever it raises, the sample is malformed.
        key: from what `parse` made to what is voted on; the whole answer if None.
        check: whether what `parse` made keeps the rules of the domain; everything does if None.
        red_flags: name -> predicate over the raw sample, tried in order.
    """

    parse: Callable[[str], Any]
    key: Callable[[Any], object] | None
    check: Callable[[Any], bool] | None
    red_flags: Mapping[str, RedFlag]


def judge(sample: Sample, reading: Reading) -> Judged:
    """Return the sample with its candidate, and with the one red flag it is discarded for, if any.

    A reply that is garbled or too long to be read is malformed, whatever else holds: no function of the task or the caller sees
    it. What a parser complains of may quote the reply, so it is made visible and cut short.
    """
    room = 8  # what a state, an entry of the journal and a digest put around an answer is nested too
    flag, why, candidate, answer = None, "", "", None
    if sample.garbled:
        flag, why = "malformed", "control characters or lone surrogates in the reply"
    elif len(sample.text) > MAX_CHARACTERS:
        flag, why = "malformed", f"a reply of more than {MAX_CHARACTERS:,} characters"
    else:
        try:
            value = reading.parse(sample.text)
            answer = plain(value, depth=MAX_DEPTH - room)
            candidate = canonical(answer if reading.key is None else plain(reading.key(value)), depth=MAX_DEPTH - room)
            if reading.check is not None and not reading.check(value):
                flag = "invalid"
        except Exception as error:  # noqa: BLE001  a parser may fail in any way on text that a model wrote
            flag, why, candidate, answer = "malformed", visible(f"{type(error).__name__}: {error}")[:300], "", None
        flag = next((name for name, raised in reading.red_flags.items() if raised(sample)), flag)
    return Judged(
        index=sample.index,
        text=visible(sample.text),
        flag=flag,
        why=why,
        candidate=candidate,
        answer=answer,
        usage=Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens),
    )


def tally(judged: Sequence[Judged]) -> dict[str, int]:
    """Return the ballot of the samples that carry no red flag, in the order of launch."""
    return count(j["candidate"] for j in judged if j["flag"] is None)


def next_draw(judged: Sequence[Judged], rule: StoppingRule, max_samples: int) -> int:
    """Return how many samples the next round draws; 0 if the vote has ended, decided or not."""
    verdict = _verdict(tally(judged), rule)
    if isinstance(verdict, Draw) and len(judged) + verdict.samples <= max_samples:
        return verdict.samples
    return 0


def decide(judged: Sequence[Judged], rule: StoppingRule, max_samples: int, rounds: int) -> Decision:
    """Return the decision of a vote that has ended (`next_draw` is 0)."""
    ballot = tally(judged)
    verdict = _verdict(ballot, rule)
    winner: Judged | None = None
    reason = ""
    if isinstance(verdict, Decided):
        winner = next(j for j in judged if j["flag"] is None and j["candidate"] == verdict.candidate)
    elif isinstance(verdict, Hung) and _scattered(ballot):
        reason = (
            f"no two of {len(ballot)} valid samples agree. If their answers hold free text, "
            "pass key= to say which answers are the same vote."
        )
    elif isinstance(verdict, Hung):
        reason = f"no candidate won ({rule})."
    else:
        last = next((j for j in reversed(judged) if j["flag"] == "malformed"), None)
        cause = f" The last malformed reply failed with {last['why']}." if last else ""
        if sum(j["flag"] in {"truncated", "too_long"} for j in judged) > len(judged) / 2:
            cause = " Most replies were longer than the output cap: raise max_tokens."
        reason = f"no candidate won ({rule}) within {max_samples} samples.{cause}"
    places = {candidate: place for place, candidate in enumerate(ballot)}
    return Decision(
        status="undecided" if winner is None else "decided",
        reason=reason,
        answer=None if winner is None else winner["answer"],
        candidate=None if winner is None else winner["candidate"],
        text="" if winner is None else winner["text"],
        ballot=ballot,
        flags=count(j["flag"] for j in judged if j["flag"] is not None),
        samples=len(judged),
        sequence=[j["flag"] or places[j["candidate"]] for j in judged],
        rounds=rounds,
        first_agrees=winner is not None and judged[0]["candidate"] == winner["candidate"],
        usage=Usage(
            input=sum(j["usage"]["input"] for j in judged),
            cached=sum(j["usage"]["cached"] for j in judged),
            output=sum(j["usage"]["output"] for j in judged),
        ),
    )


def _verdict(ballot: dict[str, int], rule: StoppingRule) -> Decided | Draw | Hung:
    verdict = rule(ballot)
    if isinstance(verdict, Draw) and _scattered(ballot):
        return Hung()
    return verdict


def _scattered(ballot: dict[str, int]) -> bool:
    return len(ballot) >= SCATTERED and sum(ballot.values()) == len(ballot)
