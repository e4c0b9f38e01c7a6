"""What passing would be worth with one model at one temperature: from the samples of labelled steps in a calibration."""

from dataclasses import dataclass
from typing import Any

from maker_graph.calibration.file import Calibration
from maker_graph.calibration.lines import StepSamples
from maker_graph.calibration.votes import PoolName
from maker_graph.statistics.agreement import Agreement, StepVotes, agreement, alike, correlation, share_right

AGREED = (2, 3, 5)
"""The numbers of samples for which a result shows how often they are right if they agree."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What samples of one model at one temperature show.

    Attributes:
        name: the name of the model, with the temperature.
        right: share of the valid samples that are right; None if none was valid, or the truth is not known.
        correlation: correlation of the errors of two samples of one step; None if it cannot be measured.
        alike: share of the pairs of samples of one step that give the same answer; None if there is no pair.
        agreed: how often 2, 3 and 5 samples that agree are right; empty if the truth is not known.
    """

    name: PoolName
    right: float | None
    correlation: float | None
    alike: float | None
    agreed: tuple[Agreement, ...]

    def as_data(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "model": self.name.model,
            "temperature": self.name.temperature,
            "right": self.right,
            "correlation": self.correlation,
            "alike": self.alike,
            "agreed": [each._asdict() for each in self.agreed],
        }


def worth_of(calibration: Calibration, model: str) -> Worth:
    """Return what the samples of `model` show."""
    request = calibration.request
    steps = [votes_of(step) for (name, _), step in calibration.steps.items() if name == model]
    known = request.truth
    sizes = [k for k in AGREED if k <= request.samples] if known and steps else []
    return Worth(
        PoolName(model, request.temperature),
        share_right(steps) if known else None,
        correlation(steps) if known else None,
        alike(steps),
        tuple(agreement(steps, k) for k in sizes),
    )


def votes_of(step: StepSamples) -> StepVotes:
    """Return the valid samples of a step."""
    votes = step.votes()
    return StepVotes(0 if step.right is None else votes.pop(step.right), tuple(votes.values()))
