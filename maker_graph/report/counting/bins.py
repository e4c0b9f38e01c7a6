"""Samples, lost votes and red flags along the run, in bins of steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maker_graph.report.counting.steps import CountedStep

BINS = 60
"""The most bins along a run."""


@dataclass(frozen=True, slots=True)
class BinnedCounts:
    """Counts along the run, each in bins of `size` steps; the last bin may be smaller."""

    size: int
    steps: Sequence[int]
    samples: Sequence[int]
    outvoted: Sequence[int]
    flags: Mapping[str, Sequence[int]]


class BinCounter:
    """Samples, lost votes and red flags, in bins along the run."""

    def __init__(self, steps: int) -> None:
        self.size = max(1, math.ceil(steps / BINS))
        bins = math.ceil(steps / self.size)
        self.steps = [min(self.size, steps - i * self.size) for i in range(bins)]
        self.samples, self.outvoted = [0] * bins, [0] * bins
        self.flags: dict[str, list[int]] = {}

    def add(self, step: CountedStep) -> None:
        """Count a step in its bin."""
        at = (step.number - 1) // self.size
        self.samples[at] += step.samples
        self.outvoted[at] += step.outvoted
        for count in step.counts:
            for flag, number in count.flags:
                self.flags.setdefault(flag, [0] * len(self.steps))[at] += number
