"""Figures in words: how a report writes chances, counts, money and time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

NOTHING = "\N{EN DASH}"
"""It stands in the place of a figure that there is not."""

MOST_NINES = 7
"""The most nines after the point; chances that are nearer to 1 are not told apart."""


def chance(value: Any) -> str:
    r"""Return a probability in percent, with as many digits as show that it is not quite 1.

    >>> chance(0.99987), chance(0.5), chance(1 - 2e-9), chance(None) == NOTHING
    ('99.987\xa0%', '50\xa0%', '99.9999998\xa0%', True)
    >>> chance(1 - 1e-12)
    'more than 99.9999999\xa0%'
    """
    if not isinstance(value, int | float):
        return NOTHING
    gap = 1 - value
    if value < 0.99 or gap <= 0:
        return percent(float(value))
    digits = math.ceil(-math.log10(gap)) - 1
    if digits > MOST_NINES + 1:
        return f"more than 99.{'9' * MOST_NINES}\xa0%"
    cut = math.floor(100 * value * 10**digits + 1e-6) / 10**digits
    return f"{cut:.{digits}f}".rstrip("0") + "\xa0%"


def percent(share: float) -> str:
    r"""Return a share in percent, in two or three digits.

    >>> percent(0.0334), percent(0), percent(2.26e-4), percent(0.97204)
    ('3.34\xa0%', '0\xa0%', '0.0226\xa0%', '97.2\xa0%')
    """
    return f"{100 * share:.3g}\xa0%"


def number(value: Any) -> str:
    """Return a number, or the length of a list, in few characters; a dash for None."""
    if value is None:
        return NOTHING
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{len(value):,}"
    return str(value)


def count(value: Any) -> str:
    """Return a number of things that may be an expectation."""
    return NOTHING if value is None else f"{round(value):,}"


def dollars(value: Any) -> str:
    """Return an amount in USD."""
    return NOTHING if value is None else f"${value:,.2f}"


def with_interval(estimate: Mapping[str, float] | None) -> str:
    """Return an estimate of a certificate with its interval; a dash for None."""
    if estimate is None:
        return NOTHING
    return f"{number(estimate['value'])} ({number(estimate['low'])} to {number(estimate['high'])})"


def short(number: float) -> str:
    """Return a count in few characters.

    >>> short(1_829_039_121), short(950)
    ('1.83 G', '950')
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g} {name}"
    return f"{number:g}"


def duration(seconds: float) -> str:
    """Return a time in its two largest units.

    >>> duration(16.4), duration(5410), duration(200_000)
    ('16.4 s', '1 h 30 min', '2 d 8 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    for size, name, small, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {round(seconds % size / small)} {smaller}"
    raise AssertionError
