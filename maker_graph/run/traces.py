"""Which steps of a run are traced, and how large a trace may become; `tracing.py` sends them."""

from typing import Literal, TypeAlias

Trace: TypeAlias = Literal["off", "contested", "all"]
"""What is traced: nothing; a summary of each contested or flagged step; every segment in full."""

FULL = 2_000
"""Up to so many steps everything is traced by default; beyond, the first and the last segment and what was contested."""

RUNS_PER_TRACE = 20_000
"""No trace holds more runs; LangSmith's own limit is 25,000."""

STEPS_PER_TRACE = 250
"""Steps of a segment while a run is traced."""


def steps_per_trace(k: int, max_samples: int, *, emits: bool = False) -> int:
    """Return the steps of a traced segment: so few that it hardly ever ends before the last step in its name."""
    return max(1, min(STEPS_PER_TRACE, samples_per_trace(max_samples, emits=emits) // (2 * k)))


def samples_per_trace(max_samples: int, *, emits: bool = False) -> int:
    """Return how many samples end a traced segment early, so that its trace keeps to `RUNS_PER_TRACE` whatever k is.

    A sample is two runs, three if it is two calls (`emits`), a round two, a step four; a round has at least one
    sample. The step that reaches the limit may still draw `max_samples`, those of all rungs.
    """
    return max(1, (RUNS_PER_TRACE - 3 - 4 * STEPS_PER_TRACE) // (5 if emits else 4) - max_samples)
