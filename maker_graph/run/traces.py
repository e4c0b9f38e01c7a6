"""Which steps of a run are traced, and how large a trace may become. `tracing.py` sends the traces."""

from typing import Literal, TypeAlias

Trace: TypeAlias = Literal["off", "contested", "all"]
"""What is traced. off: nothing; contested: a summary of each contested or flagged step; all: every segment in full."""

FULL = 2_000
"""A task of up to this many steps is traced in full by default.

Of a longer one the first and the last segment are traced, and each contested or flagged step.
"""

RUNS_PER_TRACE = 20_000
"""The most runs (LangSmith's word for what a trace consists of) in a trace. LangSmith's own limit is 25,000."""

STEPS_PER_TRACE = 250
"""The most steps of a segment while a run is traced."""


def steps_per_trace(k: int, max_samples: int, *, emits: bool = False) -> int:
    """Return how many steps a traced segment has.

    The number is so small that `samples_per_trace` hardly ever ends the segment before the last step in its name.
    """
    return max(1, min(STEPS_PER_TRACE, samples_per_trace(max_samples, emits=emits) // (2 * k)))


def samples_per_trace(max_samples: int, *, emits: bool = False) -> int:
    """Return after how many samples a traced segment ends early, so that its trace has at most `RUNS_PER_TRACE` runs.

    A sample takes two runs in the trace, or three if it is two calls (`emits`). A round takes two, and has at least one
    sample. A step takes four. The step that reaches the limit may still draw `max_samples`, which counts all rungs.
    """
    return max(1, (RUNS_PER_TRACE - 3 - 4 * STEPS_PER_TRACE) // (5 if emits else 4) - max_samples)
