"""How fast a run goes and how long its replies take, in a few hundred numbers, however long the run lasts.

They are one note of the journal, `pace`, which is written in the transaction of a commit. `points` are [step, seconds
at work]. `latencies` counts replies by how long they took: bucket b holds those of 1.1^b to 1.1^(b+1) milliseconds.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass, field

PACE = "pace"
"""The name of the note."""

MOST_POINTS = 400
"""The most points that are kept. When there are more, every second one is dropped, and new ones come half as often."""

WIDTH = 1.1
"""The upper end of each bucket of latencies, divided by its lower end."""


@dataclass(slots=True)
class Pace:
    """The pace of one run, in all its sessions."""

    points: list[tuple[int, float]] = field(default_factory=list)
    latencies: Counter[int] = field(default_factory=Counter)
    _every: float = 1.0

    @classmethod
    def of(cls, note: str | None) -> "Pace":
        """Return the pace that a note holds; an empty one if there is no note."""
        kept = {} if note is None else json.loads(note)
        latencies = Counter({int(bucket): number for bucket, number in kept.get("latencies", {}).items()})
        return cls([(step, seconds) for step, seconds in kept.get("points", [])], latencies, kept.get("every", 1.0))

    def heard(self, seconds: float) -> None:
        """Count a reply that took this long."""
        self.latencies[bucket_of(seconds)] += 1

    def reached(self, step: int, seconds: float) -> bool:
        """Add a point if it is time for one, and say whether it was: `step` was committed after `seconds` of work."""
        if self.points and seconds - self.points[-1][1] < self._every:
            return False
        self.points.append((step, round(seconds, 2)))
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            self._every *= 2
        return True

    def note(self) -> str:
        """Return the text of the note."""
        latencies = {str(bucket): number for bucket, number in sorted(self.latencies.items())}
        return json.dumps({"every": self._every, "points": self.points, "latencies": latencies}, separators=(",", ":"))


def bucket_of(seconds: float) -> int:
    """Return the bucket of a latency; all replies that took less than a hundredth of a millisecond share one.

    >>> bucket_of(0.5), round(1000 * 0.5 / WIDTH ** bucket_of(0.5), 2)
    (65, 1.02)
    """
    return math.floor(math.log(max(1000 * seconds, 0.01)) / math.log(WIDTH))
