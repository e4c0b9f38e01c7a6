"""How long replies take, and a time-out that leaves them enough room.

Right answers may be longer. If they exceed the time-out more often than wrong ones, the vote is biased. So the default time-out
is not fixed. It is several times as long as nearly all replies have taken. A request that was given up counts as if it had been
answered just then, because its reply would have taken even longer. But a server that hangs does not raise the time-out without
end.
"""

import math
from collections import Counter

from maker_graph.models.names import TIMEOUT

ROOM = 3.0
"""The time-out is so many times the latency that only one in a thousand replies exceeds."""

LONGEST = 600.0
"""The seconds to which requests that were given up can raise the time-out. OpenAI's own client waits as long."""

_WIDTH = 1.1
"""The width of a bucket of latencies, as a factor."""


class Latencies:
    """Counts the latencies that affect the time-out. Quick replies are only counted."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._number = 0
        self._heard: Counter[int] = Counter()
        self._late: Counter[int] = Counter()

    def heard(self, seconds: float) -> None:
        """Count a reply that took so long."""
        self._number += 1
        if ROOM * seconds > TIMEOUT:
            self._heard[_bucket(seconds)] += 1

    def late(self, seconds: float) -> None:
        """Count a request that was given up after so long."""
        self._number += 1
        self._late[_bucket(seconds)] += 1

    def timeout(self) -> float:
        """Return the seconds that a request may take.

        >>> latencies = Latencies()
        >>> latencies.timeout()
        120.0
        >>> latencies.heard(100)
        >>> 300 <= latencies.timeout() <= 330
        True
        """
        if not (self._heard or self._late):
            return TIMEOUT
        return max(
            TIMEOUT,
            ROOM * self._kept_by_nearly_all(self._heard),
            min(LONGEST, ROOM * self._kept_by_nearly_all(self._heard + self._late)),
        )

    def _kept_by_nearly_all(self, slow: Counter[int]) -> float:
        longer = self._number // 1000
        for bucket in sorted(slow, reverse=True):
            longer -= slow[bucket]
            if longer < 0:
                return _WIDTH**bucket
        return 0.0


def _bucket(seconds: float) -> int:
    return math.ceil(math.log(max(seconds, 0.001)) / math.log(_WIDTH))
