"""Verifiers: what they may say."""

import pytest

from maker_graph import Invalid, Unknown, UsageError, Valid
from maker_graph.core.verifying import verification_of


def test_a_verifier_says_valid_unknown_or_raises_invalid_with_a_reason() -> None:
    def verify(state: int, answer: int) -> Valid | Unknown:
        if answer > state:
            raise Invalid(f"{answer} is more than {state}")
        return Valid("it is the largest", conclusive=True) if answer == state else Unknown("it may be smaller")

    assert verification_of(verify, 3, 4) == "4 is more than 3"
    assert verification_of(verify, 3, 3) == Valid("it is the largest", conclusive=True)
    assert verification_of(verify, 3, 1) == Unknown("it may be smaller")


@pytest.mark.parametrize(
    "said",
    [True, False, None, "valid", 1, Invalid("returned, and not raised"), Valid, Unknown(None), Unknown(5)],  # type: ignore[arg-type]  # careless
)
def test_whatever_else_a_verifier_says_is_an_error_and_never_valid(said: object) -> None:
    with pytest.raises(UsageError, match="verify must return"):
        verification_of(lambda _: said, 1)


def test_a_verifier_that_returns_a_coroutine_is_told_so_and_python_does_not_warn_of_it() -> None:
    async def verify(_: int) -> Unknown:
        return Unknown()

    with pytest.raises(UsageError, match="it returned a coroutine, which nobody awaits"):
        verification_of(verify, 1)


def test_a_proof_says_what_it_rests_on() -> None:
    with pytest.raises(UsageError, match="without saying what the proof rests on"):
        verification_of(lambda _: Valid(" ", conclusive=True), 1)
    with pytest.raises(UsageError, match="conclusive=True or False"):
        verification_of(lambda _: Valid("so it is", conclusive="no"), 1)  # type: ignore[arg-type]


def test_a_verifier_that_fails_is_an_error_and_not_a_flag() -> None:
    with pytest.raises(UsageError, match="verify failed with ZeroDivisionError"):
        verification_of(lambda answer: Valid(str(1 / answer)), 0)
