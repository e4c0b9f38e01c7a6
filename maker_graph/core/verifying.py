"""Verifiers: functions that say more about an answer than whether it keeps the rules.

A `check` says only yes or no. A verifier also says "I do not know", and it may prove an answer:

- It raises `Invalid("why")`: the answer is wrong. The sample is discarded as invalid, as by a `check`.
- It returns `Unknown("why")`: it cannot tell. The sample is a vote like any other.
- It returns `Valid("what it rests on")`: a necessary condition holds. The sample is a vote like any other, because a wrong
  answer may keep the condition too.
- It returns `Valid("what it rests on", conclusive=True)`: the answer is proved. The first such sample decides the step alone.

A vote counts how often a model says something. A proof does not depend on that, so it also removes errors that all samples make
in the same way. A proof is only as good as its verifier: use `conclusive` only if no wrong answer can pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from maker_graph.core.checks import failed, shown
from maker_graph.errors import Invalid, UsageError


@dataclass(frozen=True, slots=True)
class Valid:
    """What a verifier returns if the answer keeps a condition that every right answer keeps.

    >>> Valid("x = 5 solves 3*x + 5 = 20", conclusive=True).conclusive
    True

    Attributes:
        evidence: what the verdict rests on, in a clause that a reader can check. It may not be empty if `conclusive`.
        conclusive: whether no wrong answer can keep the condition. Then the answer is proved, and decides its step alone.
    """

    evidence: str
    conclusive: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """What a verifier returns if it cannot tell whether the answer is right. The sample is a vote like any other.

    Attributes:
        why: the reason, in a clause.
    """

    why: str = ""


Standing: TypeAlias = Literal["proved", "valid", "unknown"]
"""What a verifier says of a vote, in a word. "proved" means valid and conclusive."""

STANDINGS: tuple[Standing, ...] = ("proved", "valid", "unknown")
"""All standings, in the order in which they are shown and in which a journal counts them. The order never changes."""

Verification: TypeAlias = Valid | Unknown
"""What a verifier returns. For a wrong answer it raises `Invalid` instead."""


def verification_of(verify: Callable[..., object], *given: object) -> Verification | str:
    """Return what `verify` says of an answer; if it is invalid, the reason as a text, which may be empty.

    >>> verification_of(lambda answer: Valid("it is even") if answer % 2 == 0 else Unknown(), 3)
    Unknown(why='')

    Raises:
        UsageError: `verify` returns something else, or raises anything but `Invalid`.
    """
    try:
        found = verify(*given)
    except Invalid as error:
        return str(error)
    except Exception as error:
        raise failed("verify", error) from error
    standing_of(found)
    return cast("Verification", found)


def standing_of(found: object) -> Standing:
    """Return the standing, in a word, for what a verifier has returned.

    >>> standing_of(Valid("it is even")), standing_of(Valid("it is the largest", conclusive=True))
    ('valid', 'proved')

    Raises:
        UsageError: it is none of the things that a verifier may return.
    """
    if isinstance(found, Unknown):
        if not isinstance(found.why, str):
            raise UsageError(f"verify must return Unknown(text), but it returned {shown(found)}.")
        return "unknown"
    if not isinstance(found, Valid):
        raise UsageError(
            f"verify must return Valid(...) or Unknown(...), or raise Invalid, but it returned {shown(found)}. "
            "A function that returns True or False is a check."
        )
    if not isinstance(found.conclusive, bool) or not isinstance(found.evidence, str):
        raise UsageError(f"verify must return Valid(text, conclusive=True or False), but it returned {shown(found)}.")
    if found.conclusive and not found.evidence.strip():
        raise UsageError("verify called an answer proved without saying what the proof rests on: Valid(evidence) is empty.")
    return "proved" if found.conclusive else "valid"
