"""How fast a run was, according to a note in its journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast the run was: (step, seconds at work), and latencies as bucket b -> replies within [1.1^b, 1.1^(b+1)) ms."""

    points: Sequence[tuple[float, float]]
    latencies: Mapping[int, int]


def timing_of(note: Mapping[str, Any]) -> Timing:
    """Return the timing in the note `pace` of a journal."""
    points = [(float(step), float(seconds)) for step, seconds in note.get("points", ())]
    return Timing(points, {int(bucket): int(count) for bucket, count in note.get("latencies", {}).items()})
