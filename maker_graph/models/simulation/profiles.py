"""Error profiles of simulated models: published figures, and assumptions for what was not published.

The paper (arXiv 2511.09030, Fig. 6b) gives the share of wrong answers and the mean output tokens. Its million-step run (Fig. 8,
derived) gives 3.2 % flagged, 2.26e-4 wrong per valid vote, and a within-step correlation of .008, or .0045 to .013 (95 %).
Prices are the list prices of October 2025.

For the other models nothing was published about flags and correlation. 3 % and .005 are assumed. For drafts it is assumed that
one answer in a hundred is wrong, and one in a thousand for the model of the million-step run.
"""

import re
from dataclasses import dataclass, fields, replace
from math import inf

from maker_graph.errors import UnknownModel, UsageError

MOST_TOKENS = 10**9
"""The most tokens of a reply. No model writes so many."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How a simulated model errs.

    Attributes:
        name: the name that follows `sim:`.
        error: probability that a valid sample is wrong, averaged over steps.
        rho: correlation of the errors of two samples of one step. Each step has its own error rate, drawn from a Beta
            distribution with mean `error` and this within-step correlation.
        flagged: probability that a sample has a red flag. Of these samples half are too long, four in ten are malformed, and
            one in ten is refused.
        favourite: share of the wrong samples that give the most frequent wrong answer, which is one that the rules allow.
        output_tokens: mean length of a reply; lengths are spread evenly from 25 % below it to 25 % above it.
        max_tokens: the output cap with which the figures were measured.
        input_price: list price of input in USD per million tokens.
        output_price: list price of output in USD per million tokens.
        latency: median time of a reply in seconds (lognormal, sigma .4); with 0 it answers at once.
        draft_error: probability that an answer in a draft is wrong.
    """

    name: str
    error: float
    rho: float = 0.005
    flagged: float = 0.03
    favourite: float = 0.7
    output_tokens: int = 540
    max_tokens: int = 2048
    input_price: float = 0.0
    output_price: float = 0.0
    latency: float = 0.0
    draft_error: float = 0.01

    def __post_init__(self) -> None:
        for name in ("error", "flagged", "favourite", "draft_error"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {getattr(self, name)!r}.")
        if not 0 <= self.rho < 1:
            raise UsageError(f"rho must be at least 0 and below 1, not {self.rho!r}.")
        if not all(0 <= each < inf for each in (self.latency, self.input_price, self.output_price)):
            raise UsageError("latency and prices must be numbers, and at least 0.")
        if not all(1 <= each <= MOST_TOKENS for each in (self.output_tokens, self.max_tokens)):
            raise UsageError(f"output_tokens and max_tokens must be at least 1, and at most {MOST_TOKENS:,}.")


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("perfect", error=0.0, rho=0.0, flagged=0.0, max_tokens=750, draft_error=0.0),
        Profile("gpt-4.1-nano", 0.3571, output_tokens=842, input_price=0.1, output_price=0.4),
        Profile("gpt-4.1-mini", 0.0022, output_tokens=538, max_tokens=750, input_price=0.4, output_price=1.6),
        Profile(
            "gpt-4.1-mini-run",
            2.26e-4,
            flagged=0.032,
            output_tokens=538,
            max_tokens=750,
            input_price=0.4,
            output_price=1.6,
            draft_error=0.001,
        ),
        Profile("o3-mini", 0.0018, output_tokens=535, max_tokens=750, input_price=1.1, output_price=4.4),
        Profile("haiku-4.5", 0.1839, output_tokens=588, max_tokens=750, input_price=1.0, output_price=5.0),
        Profile(
            "llama-3.2-3b",
            1.0,
            rho=0.0,
            output_tokens=434,
            max_tokens=750,
            input_price=0.06,
            output_price=0.06,
        ),
        Profile("gpt-oss-20b", 0.0358, output_tokens=1104, input_price=0.05, output_price=0.2),
        Profile("qwen-3", 0.2342, output_tokens=449, max_tokens=750, input_price=0.2, output_price=0.6),
        Profile("deepseek-v3.1", 0.0569, output_tokens=1004, input_price=0.6, output_price=1.7),
        Profile("kimi-k2", 0.0393, output_tokens=925, input_price=1.0, output_price=3.0),
    )
}


def profile_of(text: str) -> Profile:
    """Return the profile that `text` names: `NAME`, or `NAME,setting=value,...` to change some of its settings.

    >>> profile_of("perfect,error=0.1,favourite=1").error
    0.1

    Raises:
        UnknownModel: no profile has this name.
        UsageError: a setting is unknown or its value is not a number in range.
    """
    name, *changes = text.split(",")
    if name not in PROFILES:
        raise UnknownModel(f"There is no simulated model {name!r}: give one of {', '.join(PROFILES)}.")
    settings = {field.name: field.type for field in fields(Profile) if field.name != "name"}
    values: dict[str, float | int] = {}
    for change in changes:
        match = re.fullmatch(r"(\w+)=([0-9.eE+-]+)", change)
        if match is None or match[1] not in settings:
            raise UsageError(f"{change!r} is not a setting=number of a profile: the settings are {', '.join(settings)}.")
        try:
            values[match[1]] = int(match[2]) if settings[match[1]] is int else float(match[2])
        except ValueError:
            raise UsageError(f"{match[2]!r} is not a number for {match[1]}.") from None
    return replace(PROFILES[name], **values)  # type: ignore[arg-type]  # the names were checked above
