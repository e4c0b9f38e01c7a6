"""What the samples of one model show: a result, computed from the lines of its steps.

It needs numpy and scipy (`statistics/estimation.py`), which are an extra.
"""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median, quantiles
from typing import Any

from maker_graph.calibration.lines import (
    CalibrationRequest,
    HardStep,
    Interval,
    Result,
    StepSamples,
    VariantCorrelation,
    VerifierShares,
)
from maker_graph.core.ballot import count
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.statistics.agreement import correlations

HARD_STEPS = 20
"""The most steps with wrong samples that a result lists, the hardest first."""


def measured_result(
    request: CalibrationRequest, model: str, steps: Sequence[StepSamples], price: tuple[float, float] | None
) -> Result:
    """Return what the samples of one model show.

    Raises:
        UsageError: no sample was valid, so nothing can be said.
    """
    from maker_graph.statistics import estimation  # noqa: PLC0415  numpy and scipy are an extra, and a file is read without them

    sequences = [step.sequence for step in steps]
    samples = sum(map(len, sequences))
    flags = count(flag for sequence in sequences for flag in sequence if isinstance(flag, str))
    kept = samples - sum(flags.values())
    if kept == 0:
        raise UsageError(f"{model}: no sample was valid ({dict(flags)}), so nothing can be measured.")
    if request.truth:
        found = estimation.errors(count_wrong(steps), seed=request.seed or 0)
        error, rho = found.error, Interval(**found.rho._asdict())
    else:
        error, rho = _from_agreement(steps), None
    agree, pairs = _wrong_pairs(steps) if request.truth else (0, 0)
    seconds = [each for step in steps for each in step.seconds]
    return Result(
        model=model,
        truth=request.truth,
        steps=len(steps),
        samples=samples,
        valid=Interval(**estimation.share(kept, samples)._asdict()),
        flags={name: number / samples for name, number in sorted(flags.items())},
        p=Interval(value=1 - error.value, low=1 - error.high, high=1 - error.low),
        error=Interval(**error._asdict()),
        rho=rho,
        rival=math.sqrt(estimation.share(agree, pairs).high) if pairs else 1.0,
        both_wrong=(pairs, agree),
        input=sum(step.input for step in steps) / samples,
        output=fmean(length for step in steps for length in step.lengths),
        seconds=(median(seconds), quantiles(seconds, n=20, method="inclusive")[-1]),
        price=price,
        cost_usd=None if price is None else round(sum(step.cost for step in steps), 6),
        hard=_hard(steps, truth=request.truth),
        lost=(lost := sum(step.lost for step in steps)) / (samples + lost),
        variants=_of_variants(steps) if request.variants and request.truth else None,
        verifier=_of_verifier(request, steps, samples),
    )


def _of_verifier(request: CalibrationRequest, steps: Sequence[StepSamples], samples: int) -> VerifierShares | None:
    """Return what a verifier said of the samples; None if there was none."""
    if not any(step.standings for step in steps):
        return None
    said = Counter(standing for step in steps for standing in step.standings)
    return VerifierShares(
        proved=said["proved"] / samples,
        valid=said["valid"] / samples,
        unknown=said["unknown"] / samples,
        first=sum(step.standings[:1] == ["proved"] for step in steps) / len(steps),
        steps=sum("proved" in step.standings for step in steps) / len(steps),
        wrong=sum(request.knows(step.step) and step.proves_wrongly() for step in steps),
    )


def _of_variants(steps: Sequence[StepSamples]) -> VariantCorrelation:
    """Return how alike errors are within and between variants."""
    within, between = correlations(
        [
            (variant, place != step.right)
            for variant, place in zip(step.variants, step.sequence, strict=True)
            if isinstance(place, int)
        ]
        for step in steps
    )
    return VariantCorrelation(within=within.rho, between=between.rho, pairs=(within.pairs, between.pairs))


def count_wrong(steps: Sequence[StepSamples]) -> Counter[tuple[int, int]]:
    """Return (valid samples, wrong ones among them) -> how many steps had these numbers."""
    counts: Counter[tuple[int, int]] = Counter()
    for step in steps:
        votes = step.votes()
        valid = votes.total()
        if valid:
            counts[valid, valid - (0 if step.right is None else votes[step.right])] += 1
    return counts


def _wrong_pairs(steps: Sequence[StepSamples]) -> tuple[int, int]:
    """Return how many pairs of wrong samples of one step agree, and how many pairs there are.

    If f are the shares of the wrong answers, a pair agrees with probability sum f^2, which is at least (largest f)^2.
    """
    agree = pairs = 0
    for step in steps:
        wrong = [number for place, number in step.votes().items() if place != step.right]
        pairs += math.comb(sum(wrong), 2)
        agree += sum(math.comb(number, 2) for number in wrong)
    return agree, pairs


def _from_agreement(steps: Sequence[StepSamples]) -> Any:
    """Return the error rate that the disagreement between the samples of a step shows, if they err independently.

    In the worst case of one rival two samples disagree with probability 2 e (1 - e).
    """
    from maker_graph.statistics import estimation  # noqa: PLC0415  as in `measured`

    pairs = disagree = 0
    for step in steps:
        votes = step.votes()
        pairs += math.comb(votes.total(), 2)
        disagree += math.comb(votes.total(), 2) - sum(math.comb(number, 2) for number in votes.values())
    if pairs == 0:
        raise UsageError("No step has two valid samples that could be compared: ask for more samples.")
    samples = max(step.votes().total() for step in steps)
    independent = 1 / (samples - 1)  # the pairs of one step depend on each other, so each counts for less than one
    return estimation.Estimate(*map(_error_of, estimation.share(disagree * independent, pairs * independent)))


def _error_of(disagreement: float) -> float:
    return (1 - math.sqrt(max(0.0, 1 - 2 * disagreement))) / 2


def _hard(steps: Sequence[StepSamples], *, truth: bool) -> list[HardStep]:
    found = []
    for step in steps:
        votes = step.votes()
        right = step.right if truth else votes.most_common(1)[0][0] if votes else None
        wrong = {place: number for place, number in votes.items() if place != right}
        if wrong:
            answers = {visible(step.candidates[place])[:200]: number for place, number in wrong.items()}
            found.append(HardStep(step=step.step, wrong=sum(wrong.values()), valid=votes.total(), answers=answers))
    return sorted(found, key=lambda hard: (-hard.wrong / hard.valid, -hard.wrong, hard.step))[:HARD_STEPS]
