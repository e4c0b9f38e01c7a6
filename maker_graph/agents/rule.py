"""The stopping rule for tool calls: each tool has a lead of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from maker_graph.core.ballot import Ballot
from maker_graph.core.checks import whole
from maker_graph.core.rules import Decided, Draw, Hung, Verdict
from maker_graph.errors import UsageError

TEXT = "text"
"""The name that stands for a reply without a tool call, beside the names of tools."""

STRUCTURED = "structured"
"""The name that stands for a structured response whose schema has no name."""


@dataclass(frozen=True)
class AheadByTool:
    """First to be ahead of every other candidate by the lead of the tools that it calls; the law is that of `AheadBy`.

    A round draws the fewest samples with which any candidate can win. So it draws no sample that a vote with one sample after
    the other would not have drawn.

    >>> rule = AheadByTool({"refund": 3}, others=1)
    >>> rule({}), rule({'{"tool_calls":[["refund",{"order":7}]]}': 1}), rule({'{"tool_calls":[["look_up",{}]]}': 1})
    (Draw(samples=1), Draw(samples=2), Decided(candidate='{"tool_calls":[["look_up",{}]]}'))

    Attributes:
        leads: tool -> the lead that decides for a reply that calls it. If a reply calls several tools, the largest lead counts.
        others: the lead for all other replies, those without a tool call included.
        within: the most votes; None is no limit.

    Raises:
        UsageError: a lead is not a whole number of at least 1, or `within` is less than the largest lead.
    """

    leads: Mapping[str, int] = field(default_factory=dict)
    others: int = 3
    within: int | None = None

    def __post_init__(self) -> None:
        for name, lead in self.leads.items():
            whole(f"k of {name}", lead)
        whole("k", self.others)
        most = max([*self.leads.values(), self.others])
        if self.within is not None and whole("within", self.within) < most:
            raise UsageError(f"Within {self.within} votes nobody can be ahead by {most}: raise within or lower k.")

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`, whose candidates are those of `answers.py`."""
        votes = sorted(ballot.values(), reverse=True)
        missing = [votes[0] + min([*self.leads.values(), self.others])] if votes else [min([*self.leads.values(), self.others])]
        for candidate, number in ballot.items():
            best_other = votes[1] if number == votes[0] and len(votes) > 1 else votes[0] if number != votes[0] else 0
            lacks = best_other + self.lead_of(candidate) - number
            if lacks <= 0:
                return Decided(candidate)
            missing.append(lacks)
        if self.within is not None and sum(votes) + min(missing) > self.within:
            return Hung()
        return Draw(min(missing))

    def lead_of(self, candidate: str) -> int:
        """Return the lead that a candidate needs."""
        return max((self.leads.get(name, self.others) for name in tools_of(candidate)), default=self.others)

    def __str__(self) -> str:
        each = "".join(f", {name} by {lead}" for name, lead in self.leads.items())
        within = "" if self.within is None else f" within {self.within} votes"
        return f"ahead by {self.others}{each}{within}"


def tools_of(candidate: str) -> list[str]:
    """Return the tools that a candidate calls and the schema that it fills in; `TEXT` for a reply in words."""
    read = json.loads(candidate)
    if not isinstance(read, dict):
        return [TEXT]
    filled = [read[STRUCTURED]] if STRUCTURED in read else []
    return [name for name, _ in [*read.get("tool_calls", ()), *filled]] or [TEXT]
