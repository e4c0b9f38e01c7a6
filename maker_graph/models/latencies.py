"""How long replies take, and the time-out that leaves them room.

A time-out that right answers do not keep, because they are longer, biases a vote. So the default one is no fixed number: it is
several times as long as nearly all replies have taken. Requests that were given up count as if they had been answered just
then, for their replies would have taken longer still; but a server that hangs does not make the time-out grow without end.
"""

import math
from collections import Counter

from maker_graph.models.names import TIMEOUT

ROOM = 3.0
"""The time-out is so many times the latency that all but one in a thousand replies keep."""

LONGEST = 600.0
"""Seconds to which requests that were given up can raise the time-out: as long as OpenAI's own client waits."""

_WIDTH = 1.1
"""Of a bucket of latencies, as a factor."""


class Latencies:
    """Counts latencies, as far as they bear on the time-out: of quick replies only the number is kept."""

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
