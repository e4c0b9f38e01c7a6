"""Verifiers: what can be said of one answer without asking anybody else.

A `check` says only yes or no. A verifier also says "I do not know", and it may prove an answer:

- It raises `Invalid("why")`: the answer is wrong. The sample is discarded as invalid, as by a `check`.
- It returns `Unknown("why")`: it cannot tell. The sample is a vote like any other.
- It returns `Valid("what it rests on")`: a necessary condition holds. The sample is a vote like any other, because a wrong
  answer may keep the condition too.
- It returns `Valid("what it rests on", conclusive=True)`: the answer is proved. The first such sample decides the step alone.

A vote counts how often a model says something. A proof does not depend on that, so it also removes the errors that all samples
make in unison. It is worth as much as the verifier: `conclusive` belongs only where no wrong answer can pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from maker_graph.core.checks import failed, shown
from maker_graph.errors import Invalid, UsageError


@dataclass(frozen=True, slots=True)
class Valid:
    """The answer keeps a condition.

    >>> Valid("x = 5 solves 3*x + 5 = 20", conclusive=True).conclusive
    True

    Attributes:
        evidence: what that rests on, in a clause that a reader can check.
        conclusive: whether the condition decides the question, so that no wrong answer keeps it: then the answer is proved.
    """

    evidence: str
    conclusive: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The verifier cannot tell; this never counts as valid.

    Attributes:
        why: the reason, in a clause.
    """

    why: str = ""


Standing: TypeAlias = Literal["proved", "valid", "unknown"]
"""What a verifier says of a vote, in a word; "proved" is valid and conclusive."""

STANDINGS: tuple[Standing, ...] = ("proved", "valid", "unknown")
"""All of them, in the order in which they are told, and in which a journal counts them: it never changes."""

Verification: TypeAlias = Valid | Unknown
"""What a verifier returns; of an answer that is wrong it raises `Invalid`."""


def verification_of(verify: Callable[..., object], *given: object) -> Verification | str:
    """Return what `verify` says; a text is the reason for which the answer is invalid, and may be empty.

    >>> verification_of(lambda answer: Valid("it is even") if answer % 2 == 0 else Unknown(), 3)
    Unknown(why='')

    Raises:
        UsageError: it says something else, or fails in another way than by `Invalid`.
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
    """Return what a verifier has returned, in a word.

    >>> standing_of(Valid("it is even")), standing_of(Valid("it is the largest", conclusive=True))
    ('valid', 'proved')

    Raises:
        UsageError: it is none of the things that a verifier may return.
    """
    if isinstance(found, Unknown):
        if not isinstance(found.why, str):
            raise UsageError(f"verify must return Unknown(text), and it returned {shown(found)}.")
        return "unknown"
    if not isinstance(found, Valid):
        raise UsageError(
            f"verify must return Valid(...) or Unknown(...), or raise Invalid, and it returned {shown(found)}. "
            "A function that returns True or False is a check."
        )
    if not isinstance(found.conclusive, bool) or not isinstance(found.evidence, str):
        raise UsageError(f"verify must return Valid(text, conclusive=True or False), and it returned {shown(found)}.")
    if found.conclusive and not found.evidence.strip():
        raise UsageError("verify called an answer proved without saying what the proof rests on: Valid(evidence) is empty.")
    return "proved" if found.conclusive else "valid"
