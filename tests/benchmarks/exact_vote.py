"""Is the vote exact under parallel sampling? Real microsteps, with wrong replies as fast as right ones, and twice as fast.

    python tests/benchmarks/exact_vote.py --votes 200000

Beside it, in the same run, the rival: replies counted as they arrive, with a new one launched for each.
"""

import argparse
import asyncio
import heapq
import json
import math
import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import TypedDict

from maker_graph import AheadBy, Decided, create_microstep, expected_votes, p_sub
from maker_graph.core.ballot import count

MEDIAN = 0.004
"""Seconds that a reply takes, at the median."""


class Step(TypedDict):
    """One question."""

    number: int
    answer: str
    decision: dict[str, Any]


class Coin(BaseChatModel):
    """Right with probability `p`; a wrong reply takes `haste` times as long as a right one."""

    p: float
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
        chance = random.Random(f"{messages[-1].text} {run_manager.metadata['sample']}")
        vote, seconds = toss(chance, self.p, self.haste)
        await asyncio.sleep(seconds)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(vote))])


def toss(chance: random.Random, p: float, haste: float) -> tuple[str, float]:
    """Return a vote and the seconds it takes."""
    vote = "right" if chance.random() < p else "wrong"
    return vote, MEDIAN * chance.lognormvariate(0, 0.4) * (haste if vote == "wrong" else 1.0)


def ours(decisions: range, *, p: float, k: int, haste: float) -> tuple[int, int, int, int]:
    """Return (decisions, wrong ones, samples, rounds) of real microsteps."""
    step = create_microstep(
        Coin(p=p, haste=haste), state=Step, prompt=lambda s: str(s["number"]), into="answer", decision="decision", k=k
    )
    inputs = [{"number": number} for number in decisions]
    results = asyncio.run(step.abatch(inputs, {"max_concurrency": 64}))
    return (
        len(results),
        sum(result["answer"] == "wrong" for result in results),
        sum(result["decision"]["samples"] for result in results),
        sum(result["decision"]["rounds"] for result in results),
    )


def as_they_arrive(decisions: int, *, p: float, k: int, haste: float) -> float:
    """Return the share of wrong decisions if k replies are always under way and each is counted when it comes."""
    chance, wrong = random.Random(1), 0
    for _ in range(decisions):
        under_way: list[tuple[float, str]] = []
        votes: list[str] = []
        now = 0.0
        while not isinstance(verdict := AheadBy(k)(count(votes)), Decided):
            while len(under_way) < k:
                vote, seconds = toss(chance, p, haste)
                heapq.heappush(under_way, (now + seconds, vote))
            now, vote = heapq.heappop(under_way)
            votes.append(vote)
        wrong += verdict.candidate == "wrong"
    return wrong / decisions


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--votes", type=int, default=200_000)
    parser.add_argument("--p", type=float, default=0.9)
    parser.add_argument("--k", type=int, default=3)
    given = parser.parse_args()
    decisions = round(given.votes / expected_votes(given.p, given.k))
    promised = 1 - p_sub(given.p, given.k)
    result = vars(given) | {"decisions": decisions, "promised_wrong": round(promised, 6)}
    result["standard_error"] = round(math.sqrt(promised / decisions), 6)
    result["promised_samples"] = round(expected_votes(given.p, given.k), 4)
    for name, haste in (("equal", 1.0), ("wrong_twice_as_fast", 0.5)):
        with ProcessPoolExecutor() as pool:
            parts = [range(start, min(start + 500, decisions)) for start in range(0, decisions, 500)]
            done = list(pool.map(partial(ours, p=given.p, k=given.k, haste=haste), parts))
        number, wrong, samples, rounds = (sum(part[i] for part in done) for i in range(4))
        result[name] = {
            "wrong": round(wrong / number, 6),
            "samples": round(samples / number, 4),
            "rounds": round(rounds / number, 4),
            "wrong_if_counted_on_arrival": round(as_they_arrive(decisions, p=given.p, k=given.k, haste=haste), 6),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
