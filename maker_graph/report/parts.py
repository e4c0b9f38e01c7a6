"""The certificate of a run whose task has several parts: a certificate for each part, and one for all together.

Each part asks another question, so its samples err at another rate, and it may have another lead. So each part has its own
certificate. The chance that no step is wrong is the product of their chances, as if the parts were independent. Its interval is
the product of the ends, which is wider than necessary.

A part that is decided by one vote is not covered, because nothing can contradict one vote. Such a lead is meant for parts whose
`check` accepts no wrong answer, and these need no certificate.
"""

import math
from collections.abc import Mapping

from maker_graph.core.copies import CopiesSeen
from maker_graph.report.certificate import (
    MOST_LISTED,
    NOTHING_SEEN,
    Ballots,
    Certificate,
    beside_votes,
    certify,
    nothing_to_certify,
)
from maker_graph.statistics.estimation import Estimate


def certify_parts(
    ballots: Mapping[str, Ballots], k: int, leads: Mapping[str, int], seen: CopiesSeen = NOTHING_SEEN
) -> Certificate:
    """Return what the ballots of a run show.

    Args:
        ballots: the ballots of each part by name, as `ballots_in` returns them.
        k: the lead that decides.
        leads: the lead of each part that has another one.
        seen: what was seen of copies.

    Raises:
        UsageError: k is out of range, or no step was decided by a vote.
    """
    if not ballots or "" in ballots:
        return certify(ballots.get("", Ballots(0, {}, {}, 0, 0, 0, 0, {})), k, seen)
    parts = {name: certify(each, leads.get(name, k), seen) for name, each in ballots.items() if each.decided}
    if not parts:
        raise nothing_to_certify(ballots.values())
    covered = {name: each for name, each in parts.items() if each.k > 1}
    refused = next((each.refused for each in parts.values() if each.refused), "")
    found = [each.chance for each in covered.values()] if covered and not refused else [Estimate(0.0, 0.0, 1.0)]
    contested = sorted((step for each in parts.values() for step in each.contested_steps), key=lambda step: -step.wrong)
    return Certificate(
        steps=sum(each.steps for each in ballots.values()),
        k=k,
        covered=sum(each.covered for each in covered.values()),
        higher=sum(each.higher for each in covered.values()),
        person=sum(each.person for each in ballots.values()),
        open=sum(each.open for each in ballots.values()),
        given=sum(each.given for each in ballots.values()),
        proved=sum(each.proved for each in ballots.values()),
        merged=sum(each.merged for each in ballots.values()),
        lost=sum(each.lost for each in ballots.values()),
        copies=max(each.copies for each in parts.values()),
        refused=refused,
        contested=sum(each.contested for each in ballots.values()),
        error=None,
        rho=None,
        agreement=None,
        chance=Estimate(*(math.prod(getattr(each, end) for each in found) for end in ("value", "low", "high"))),
        assumptions=[] if refused else _assumptions(ballots, parts, covered),
        contested_steps=contested[:MOST_LISTED],
        parts=parts,
    )


def _assumptions(
    ballots: Mapping[str, Ballots], parts: Mapping[str, Certificate], covered: Mapping[str, Certificate]
) -> list[str]:
    said = list(dict.fromkeys(text for each in covered.values() for text in each.assumptions))
    if len(covered) > 1:
        said.append("How often samples of one part are wrong says nothing of another part.")
    for name, each in parts.items():
        if name not in covered:
            said.append(f"The {each.covered:,} steps of the part {name!r} were decided by one vote each, and are not covered.")
    beside = [text for each in ballots.values() for text in beside_votes([each])]
    return [text for text in said if text not in beside] + list(beside_votes([*ballots.values()]))
