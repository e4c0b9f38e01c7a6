"""The number of microsteps in flight at once, computed from how often drafts have held."""

from dataclasses import dataclass, field

WASTE = 0.25
"""The share of microsteps that may be dropped because a draft before them was wrong. The width is set to keep to it."""

MOST = 64
"""The most microsteps in flight if nothing else limits them."""

_MEMORY = 2_000  # drafts after which older ones begin to count less


@dataclass(slots=True)
class Width:
    """The number of microsteps in flight: fixed, or adapted to how often drafts hold.

    A draft that turns out wrong drops about all microsteps in flight. So with a share e of wrong drafts, a width of WASTE / e
    drops WASTE microsteps for each one committed. The share is estimated as (missed + 1/2) / (held + missed + 10). It begins at
    5 %, so the width begins at 5. The width grows while drafts hold and shrinks when they miss.

    >>> width = Width()
    >>> width(), width(most=2)
    (5, 2)
    >>> width.held = 90
    >>> width()
    50

    Attributes:
        fixed: the width, if it is not to adapt.
        held: drafts that came true.
        missed: drafts that did not.
    """

    fixed: int | None = None
    held: float = field(default=0, init=False)
    missed: float = field(default=0, init=False)

    def __call__(self, most: int = MOST) -> int:
        """Return how many microsteps may be in flight, at least 1 and at most `most`."""
        if self.fixed is not None:
            return max(1, min(self.fixed, most))
        share = (self.missed + 0.5) / (self.held + self.missed + 10)
        return max(1, min(most, int(WASTE / share)))

    def hold(self) -> None:
        """Count a draft that came true."""
        self.held += 1
        self._forget()

    def miss(self) -> None:
        """Count a draft that did not come true."""
        self.missed += 1
        self._forget()

    def rest(self) -> None:
        """Count a step for which nothing was drafted: older counts lose weight, so that a width of 1 does not stay for ever."""
        self.held, self.missed = 0.99 * self.held, 0.99 * self.missed

    def _forget(self) -> None:
        if self.held + self.missed > _MEMORY:
            self.held, self.missed = self.held / 2, self.missed / 2
