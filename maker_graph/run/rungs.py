"""Counts for each rung of a cascade: the steps that it voted on, what it decided and passed on, and what it cost."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import TypedDict

from maker_graph.core.decision import Decision, Vote, given_up
from maker_graph.core.judging import Usage
from maker_graph.core.rules import StoppingRule
from maker_graph.journal.entry import GIVEN
from maker_graph.models.pricing import Price
from maker_graph.run.options import RunOptions, cost_of, prices_of
from maker_graph.run.settings import Settings


class RungCounts(TypedDict):
    """What one rung of a cascade did on committed steps.

    Attributes:
        by: the rung, as a decision names it.
        model: the model that it asks.
        rule: the rule that decides, in words.
        steps: how many steps it voted on.
        decided: how many of them it decided.
        passed: how many of them it passed on, to the next rung or a person, because nobody could win any more.
        stuck: how many of them ended without a winner for another reason, such as red flags.
        samples: how many samples were drawn.
        tokens: the tokens of these samples.
        cost_usd: what these samples cost; None if the price is not known.
    """

    by: str
    model: str
    rule: str
    steps: int
    decided: int
    passed: int
    stuck: int
    samples: int
    tokens: Usage
    cost_usd: float | None


@dataclass(slots=True)
class _Rung:
    by: str
    model: str
    rule: StoppingRule
    price: Price | None
    steps: int = 0
    decided: int = 0
    passed: int = 0
    samples: int = 0
    usage: Usage = field(default_factory=lambda: Usage(input=0, cached=0, output=0))
    cost: float = 0.0

    def ended(self, vote: Vote, *, decided: bool) -> None:
        """Count a step by its last vote on this rung."""
        self.steps += 1
        self.decided += decided
        self.passed += not decided and given_up(vote, self.rule)

    def drew(self, vote: Vote) -> None:
        """Count the samples of a vote."""
        self.samples += vote["samples"]
        usage = vote["usage"]
        self.usage = Usage(
            input=self.usage["input"] + usage["input"],
            cached=self.usage["cached"] + usage["cached"],
            output=self.usage["output"] + usage["output"],
        )
        if self.price is not None:
            self.cost += cost_of(vote, self.price)

    def counts(self) -> RungCounts:
        return RungCounts(
            by=self.by,
            model=self.model,
            rule=str(self.rule),
            steps=self.steps,
            decided=self.decided,
            passed=self.passed,
            stuck=self.steps - self.decided - self.passed,
            samples=self.samples,
            tokens=self.usage,
            cost_usd=None if self.price is None else round(self.cost, 6),
        )


def counted_rungs(settings: Settings, options: RunOptions, decisions: Iterable[Decision]) -> list[RungCounts]:
    """Return the counts of each rung of the cascade, in order; nothing for a run without a cascade.

    Raises:
        UsageError: see `prices_of`.
    """
    if not settings.cascade:
        return []
    prices = prices_of(settings, options)
    rungs: dict[str, _Rung] = {"base": _Rung("base", settings.model, settings.voting.rule, prices.model)}
    for number, (rung, price) in enumerate(zip(settings.cascade, prices.rungs, strict=True), start=2):
        rungs[f"rung {number}"] = _Rung(f"rung {number}", rung.model, rung.voting.rule, price)
    for decision in decisions:
        if decision["by"] in GIVEN:
            continue
        votes: list[Any] = [*decision["tried"], decision]
        last = {vote["by"]: vote for vote in votes}  # a rung that was stuck on a step may have voted on it once more
        for vote in votes:
            if vote["by"] in rungs:
                rungs[vote["by"]].drew(vote)
        for by, vote in last.items():
            if by in rungs:
                rungs[by].ended(vote, decided=vote is decision and decision["status"] == "decided")
    return [rung.counts() for rung in rungs.values()]
