"""How many microsteps to have in flight at once, from how often drafts have held."""

from dataclasses import dataclass, field

WASTE = 0.25
"""Of all microsteps, the share that may be dropped because a draft before them was wrong, as far as the width decides it."""

MOST = 64
"""So many microsteps are in flight at most if nothing else limits them."""

_MEMORY = 2_000  # drafts after which older ones begin to count less


@dataclass(slots=True)
class Width:
    """The number of microsteps in flight: fixed, or as many as drafts deserve.

    A draft that turns out wrong drops about all that are in flight, so with a share e of wrong drafts, a width of WASTE / e
    drops WASTE microsteps for each one committed. The share is estimated as (missed + 1/2) / (held + missed + 10): it begins at
    5 %, so the width at 5, grows while drafts hold and shrinks when they miss.

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
        """Count one that did not."""
        self.missed += 1
        self._forget()

    def rest(self) -> None:
        """Count a step for which nothing was drafted: what is known grows old, so that a width of 1 does not stay for ever."""
        self.held, self.missed = 0.99 * self.held, 0.99 * self.missed

    def _forget(self) -> None:
        if self.held + self.missed > _MEMORY:
            self.held, self.missed = self.held / 2, self.missed / 2
