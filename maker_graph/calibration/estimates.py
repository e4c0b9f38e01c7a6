"""What is known of a model on a task: the numbers that a plan is made from.

They come from a calibration, from a profile if the model is simulated, or from the user. A calibration gives intervals. A plan
uses the lower end of the interval of p, unless told otherwise.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maker_graph.calibration.lines import Interval, Result, VerifierShares

if TYPE_CHECKING:
    from maker_graph.models.simulation.profiles import Profile


@dataclass(frozen=True, slots=True)
class ModelEstimates:
    """What is known of a model on a task.

    Attributes:
        p: the probability that a valid sample is right, as plans use it.
        p_interval: the interval of p, if it was measured.
        valid: share of the samples without a red flag.
        rho: correlation of the errors of two samples of one step, and its interval; None if not known.
        rival: the largest share of the wrong samples that give the most frequent wrong answer.
        tokens: of a sample, input and output; None if not known.
        price: USD per million tokens of input and output; None if not known.
        latency: seconds that a reply takes; None if not known.
        lost: share of the replies that never come, for a reason that may depend on what they say; see `make_plans`.
        remarks: what a reader of the plan should know about these numbers.
    """

    p: float
    p_interval: tuple[float, float] | None = None
    valid: float = 1.0
    rho: Interval | None = None
    rival: float = 1.0
    tokens: tuple[float, float] | None = None
    price: tuple[float, float] | None = None
    latency: float | None = None
    lost: float = 0.0
    remarks: list[str] = field(default_factory=list)


def estimates_of(result: Result, *, point: bool = False) -> ModelEstimates:
    """Return what a calibration knows; `point` plans with the estimate of p, not with the lower end of its interval."""
    remarks = []
    if not point:
        remarks.append(
            f"p is the lower end of its interval, {result.p.low:.6g}. The measured value is {result.p.value:.6g} (--point)."
        )
    if not result.truth:
        remarks.append("The truth is not known. An error that all samples of a step share was not seen, so p may be lower.")
    if result.verifier is not None:
        remarks.append(_of_verifier(result.verifier))
    return ModelEstimates(
        p=max(result.p.value if point else result.p.low, 1e-9),  # p is 0 for a model that was never right
        p_interval=(result.p.low, result.p.high),
        valid=result.valid.value,
        rho=result.rho,
        rival=result.rival,
        tokens=(result.input, result.output),
        price=result.price,
        latency=result.seconds[0] or None,
        lost=result.lost,
        remarks=remarks,
    )


def _of_verifier(shares: VerifierShares) -> str:
    """Return what a plan says of a verifier: it counts votes only, which is not too hopeful if all proofs are right."""
    if shares.wrong:
        return (
            f"The task's verifier proved a wrong answer on {shares.wrong:,} of the steps, so nothing here holds: mend "
            "verify. A proof decides alone, whatever k is."
        )
    return (
        f"The task's verifier proved {shares.proved:.1%} of the samples, and the first one on {shares.first:.1%} of the "
        "steps. The plan counts votes only. A proof ends a vote earlier, so a run takes fewer samples than planned. It makes "
        "no more errors, as long as no wrong answer is ever proved."
    )


def estimates_of_profile(profile: "Profile", input_tokens: int) -> ModelEstimates:
    """Return the numbers of a simulated model, which are all known; `input_tokens` are those of a prompt."""
    rho = profile.rho
    return ModelEstimates(
        p=max(1 - profile.error, 1e-9),  # as in `estimates_of`
        valid=max(1 - profile.flagged, 1e-9),
        rho=Interval(value=rho, low=rho, high=rho),
        rival=profile.favourite,
        tokens=(input_tokens, profile.output_tokens),
        price=(profile.input_price, profile.output_price),
        latency=profile.latency or None,
    )
