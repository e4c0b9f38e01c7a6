"""Are the formulas of votes that pass right? Votes on the pure rule, and microsteps, also with wrong replies twice as fast.

    python tests/benchmarks/passing.py --out tests/benchmarks/results/passing.json

For each rule, p and correlation: the shares of right, wrong and passed votes and the mean votes of the sequential law and in
rounds, beside the formulas of `statistics/within.py`, and how many standard errors apart the shares are. All must be within
four.
"""

import argparse
import asyncio
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import TypedDict

from maker_graph import AheadBy, Confirm, Decided, Draw, StoppingRule, create_microstep
from maker_graph.core.ballot import count
from maker_graph.statistics.within import PassingLaw, passing_law

SETTINGS: list[tuple[StoppingRule, float, float]] = [
    (AheadBy(2, within=2), 0.9, 0.0),
    (AheadBy(3, within=5), 0.9, 0.1),
    (AheadBy(3, within=3), 0.72, 0.0),
    (AheadBy(5, within=5), 0.72, 0.27),
    (AheadBy(3, within=7), 0.6, 0.0),
    (AheadBy(5, within=9), 0.89, 0.5),
    (AheadBy(4, within=6), 0.5, 0.2),
    (Confirm(3, of=4), 0.73, 0.27),
]
"""The rule, p and rho."""

MEDIAN = 0.004
"""Seconds that a reply takes, at the median."""


class Step(TypedDict):
    """One question."""

    number: int
    answer: str
    decision: dict[str, Any]


class Coin(BaseChatModel):
    """Right with a probability of each question's own; a wrong reply takes `haste` times as long as a right one."""

    p: float
    rho: float
    haste: float

    @property
    def _llm_type(self) -> str:
        return "coin"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  BaseChatModel's signature
        run_manager: AsyncCallbackManagerForLLMRun | CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        assert run_manager is not None
        question = f"{messages[-1].text} {self.haste}"
        theta = error_of(random.Random(question), self.p, self.rho)
        chance = random.Random(f"{question} {run_manager.metadata['sample']}")
        vote = "wrong" if chance.random() < theta else "right"
        await asyncio.sleep(MEDIAN * chance.lognormvariate(0, 0.4) * (self.haste if vote == "wrong" else 1.0))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(vote))])


def error_of(chance: random.Random, p: float, rho: float) -> float:
    """Return how likely a sample of one question is wrong."""
    return chance.betavariate((1 - p) * (1 / rho - 1), p * (1 / rho - 1)) if rho else 1 - p


def on_the_rule(rule: StoppingRule, p: float, rho: float, votes: int) -> dict[str, float]:
    """Return the shares and the mean votes of `votes` votes on the rule alone, in rounds and one by one."""
    chance, ends = random.Random(f"{rule} {p} {rho}"), {"right": 0, "wrong": 0, "passed": 0}
    known: dict[tuple[str, ...], tuple[str, int]] = {}

    def asked(cast: tuple[str, ...]) -> tuple[str, int]:
        if cast not in known:
            verdict = rule(count(cast))
            end = verdict.candidate if isinstance(verdict, Decided) else "passed"
            known[cast] = ("", verdict.samples) if isinstance(verdict, Draw) else (end, 0)
        return known[cast]

    one_by_one = in_rounds = 0
    for _ in range(votes):
        theta = error_of(chance, p, rho)
        stream: list[str] = []

        def first(number: int, theta: float = theta, stream: list[str] = stream) -> tuple[str, ...]:
            while len(stream) < number:
                stream.append("wrong" if chance.random() < theta else "right")
            return tuple(stream[:number])

        cast = 0
        while (said := asked(first(cast)))[1]:
            cast += said[1]
        ends[said[0]] += 1
        in_rounds += cast
        cast = 0
        while (alone := asked(first(cast)))[1]:
            cast += 1
        assert alone[0] == said[0], "a round decides what the sequential rule decides"
        one_by_one += cast
    return {name: number / votes for name, number in ends.items()} | {
        "votes": one_by_one / votes,
        "votes_in_rounds": in_rounds / votes,
    }


def by_microsteps(rule: StoppingRule, p: float, rho: float, votes: int, haste: float) -> dict[str, float]:
    """Return the shares and the mean votes of real microsteps."""
    step = create_microstep(
        Coin(p=p, rho=rho, haste=haste),
        state=Step,
        prompt=lambda s: str(s["number"]),
        into="answer",
        decision="decision",
        k=rule,
        on_undecided="return",
    )
    results = asyncio.run(step.abatch([{"number": number} for number in range(votes)], {"max_concurrency": 64}))
    ends = [result["answer"] or "passed" for result in results]
    assert all(result["decision"].get("passed") for result in results if result["answer"] is None)
    shares = {end: ends.count(end) / votes for end in ("right", "wrong", "passed")}
    return shares | {"votes_in_rounds": sum(result["decision"]["samples"] for result in results) / votes}


def held_against(found: dict[str, float], law: PassingLaw, votes: int) -> dict[str, float]:
    """Return what was found, and the most standard errors by which a share is apart from its formula."""
    shares = {name: getattr(law, name) for name in ("right", "wrong", "passed")}
    apart = [
        abs(found[name] - share) / math.sqrt(max(share * (1 - share), 1 / votes) / votes) for name, share in shares.items()
    ]
    return {name: round(number, 5) for name, number in found.items()} | {"sigma": round(max(apart), 2)}


def main() -> int:
    """Run, print one JSON object and return 1 if a share is more than four standard errors apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=200_000)
    parser.add_argument("--microsteps", type=int, default=2_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for rule, p, rho in SETTINGS:
        law = passing_law(rule, p, rho=rho)
        row: dict[str, Any] = {
            "rule": str(rule),
            "p": p,
            "rho": rho,
            "formula": {name: round(number, 5) for name, number in law._asdict().items()},
        }
        row["rule_alone"] = held_against(on_the_rule(rule, p, rho, given.votes), law, given.votes)
        for name, haste in (("microsteps", 1.0), ("wrong_twice_as_fast", 0.5)):
            row[name] = held_against(by_microsteps(rule, p, rho, given.microsteps, haste), law, given.microsteps)
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    worst = max(row[name]["sigma"] for row in rows for name in ("rule_alone", "microsteps", "wrong_twice_as_fast"))
    result = {"votes": given.votes, "microsteps": given.microsteps, "worst_sigma": worst, "settings": rows}
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
    return int(worst > 4)


if __name__ == "__main__":
    sys.exit(main())
