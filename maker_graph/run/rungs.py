"""What each rung of a cascade took: the steps that it voted on, what it decided and passed on, and its share of the cost."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import TypedDict

from maker_graph.core.decision import Decision, Vote, given_up
from maker_graph.core.judging import Usage
from maker_graph.core.rules import StoppingRule
from maker_graph.journal.entry import GIVEN
from maker_graph.models.pricing import Price
from maker_graph.run.options import RunOptions, prices_of
from maker_graph.run.settings import Settings


class RungCounts(TypedDict):
    """What one rung took, on committed steps.

    Attributes:
        by: the rung, as a decision names it.
        model: that was asked.
        rule: that decides, in words.
        steps: that it voted on.
        decided: of them.
        passed: of them: contested, so the next rung or a person has them.
        stuck: of them: red flags, or no two samples agreed.
        samples: that were drawn.
        tokens: of these samples.
        cost_usd: of these samples; None where no price is known.
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
        """Count a step, whose last vote on this rung it is."""
        self.steps += 1
        self.decided += decided
        self.passed += not decided and given_up(vote, self.rule)

    def drew(self, vote: Vote) -> None:
        """Count the samples of a vote."""
        self.samples += vote["samples"]
        usage, drawn = vote["usage"], max(1, vote["samples"])
        self.usage = Usage(
            input=self.usage["input"] + usage["input"],
            cached=self.usage["cached"] + usage["cached"],
            output=self.usage["output"] + usage["output"],
        )
        if self.price is not None:  # each request has its own place among the tiers of a price
            read, cached, written = (round(usage[name] / drawn) for name in ("input", "cached", "output"))
            each = Usage(input=read, cached=cached, output=written)
            self.cost += drawn * self.price(each)

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
    """Return what each rung of the cascade took; nothing for a run without one."""
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
        last = {vote["by"]: vote for vote in votes}  # what was stuck may have been voted on once more
        for vote in votes:
            if vote["by"] in rungs:
                rungs[vote["by"]].drew(vote)
        for by, vote in last.items():
            if by in rungs:
                rungs[by].ended(vote, decided=vote is decision and decision["status"] == "decided")
    return [rung.counts() for rung in rungs.values()]
