"""How one step is voted on: one value that holds all settings, from the command line to the sampler.

A `Voting` does not say which model answers. A model, a prompt and a `Voting` together make a rung of a ladder or a cascade.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from maker_graph.core import checks
from maker_graph.core.emitting import Emit, emit_of
from maker_graph.core.red_flags import RedFlag, empty, ended, named, no_text, refused, too_long, tool_calls, truncated
from maker_graph.core.rules import AheadBy, Confirm, Draw, StoppingRule, checked_verdict
from maker_graph.errors import UsageError

Temperature: TypeAlias = float | tuple[float, float] | None
"""The temperature of all samples, or that of the first sample and of the others; None leaves it to the model."""

Auto: TypeAlias = Literal["auto"]
"""The value that suits the model that is asked; see `maker_graph/models/names.py`."""

K = 3
"""The lead that decides by default; the paper's lead for its model (table 6b)."""

TEMPERATURE = (0.0, 0.1)
"""The temperature of the first sample and of all others, from the paper (section 4.4)."""

PASSING = (0.7, 0.7)
"""The temperatures under a rule that passes. At a low temperature samples are nearly copies, so their agreement says little. Of
the dates on which three samples of a small real model agreed, 12 % were wrong at .1 and 3.5 % at .7 (`docs/planning.md`)."""

CONFIRMING = (0.1, 0.7)
"""The temperatures under `Confirm`: the first sample proposes what the model thinks most likely, and the others vote on it."""

MAX_TOKENS = 750
"""Output cap of a sample, from the paper (section 4.4). Beyond some 700 tokens its model was wrong in every tenth reply."""

MAX_SAMPLES = 100
"""A vote that needs more samples than this is undecided."""

STUCK_AFTER = 20
"""A vote ends undecided when this many samples in a row have red flags."""


@dataclass(frozen=True, slots=True)
class Voting:
    """How one step is voted on: when the vote ends, and how its samples are drawn.

    The defaults are those of the paper (arXiv 2511.09030): a lead of 3, temperature 0 for the first sample and 0.1 for the
    others, and at most 750 output tokens.

    >>> voting = Voting()
    >>> voting.lead, voting.temperatures, voting.output_cap, voting.max_samples, voting.stuck_after
    (3, (0.0, 0.1), 750, 100, 20)
    >>> Voting(k=AheadBy(3, within=5)).temperatures, Voting(k=Confirm(3, of=4)).temperatures
    ((0.7, 0.7), (0.1, 0.7))
    >>> Voting(temperature=0.5).temperatures, Voting(k=2).first_round
    ((0.5, 0.5), 2)

    Attributes:
        k: the lead that decides, a whole number of at least 1, or a stopping rule such as `AheadBy(3, within=5)`.
        temperature: the temperature of all samples, or a pair: that of the first sample and that of the others. None leaves it
            to the model. "auto" is the temperature with which a chat model was made. Otherwise it depends on the rule: (0.7,
            0.7) for `AheadBy` with `within`, (0.1, 0.7) for `Confirm`, and (0, 0.1) for any other rule.
        max_tokens: the output cap of each sample, in tokens; None leaves it to the model. "auto" is the cap with which a chat
            model was made, and 750 for most others.
        max_samples: the most samples of one vote, discarded ones included. A vote that needs more is undecided.
        stuck_after: a vote ends undecided when this many samples in a row have red flags.
        seed: a number from which each sample gets its own seed; None sends no seed.
        check: whether answers that break the task's rules are discarded as invalid, if the task has rules.
        variants: whether each sample is asked one of the task's equivalent questions, chosen by the number of the sample.
        stop: texts at which a reply ends. The reply does not contain them. Not all models take them.
        structured: whether the answer's JSON schema is sent along, so that the provider makes the model keep to it. The answer
            must have a schema, and the model must take one: `ChatOpenAI` does, also for other servers that have its API.
        emit: how a second call writes down each sample's answer, after a first call that reasons: an `Emit`, True for the same
            model, or the name of another model; None for samples of one call. `stop` and `structured` apply to the second call.
        red_flags: the red flags for which a raw sample is discarded. None means truncated, too_long(max_tokens), refused,
            tool_calls, ended, no_text and empty. Copies are always discarded.
        rule: the stopping rule that `k` stands for. If it passes steps, it does so within `max_samples` votes.
        first_round: how many samples the first round draws.

    Raises:
        UsageError: a value is wrong; the error says which one, and what to do.
    """

    k: int | StoppingRule = K
    temperature: Temperature | Auto = "auto"
    max_tokens: int | Auto | None = "auto"
    max_samples: int = MAX_SAMPLES
    stuck_after: int = STUCK_AFTER
    seed: int | None = None
    check: bool = True
    variants: bool = False
    stop: Sequence[str] = ()
    structured: bool = False
    emit: Emit | None = None
    red_flags: Sequence[RedFlag] | None = None
    rule: StoppingRule = field(init=False, repr=False, compare=False)
    first_round: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.whole("max_samples", self.max_samples)
        checks.whole("stuck_after", self.stuck_after)
        checks.switch("check", self.check)
        checks.switch("structured", self.structured)
        checks.switch("variants", self.variants)
        object.__setattr__(self, "stop", checks.texts("stop", self.stop))
        object.__setattr__(self, "emit", emit_of(self.emit))
        if self.max_tokens is not None and self.max_tokens != "auto":
            checks.whole("max_tokens", self.max_tokens)
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int)):
            raise UsageError(f"seed must be a whole number or None, not {self.seed!r}.")
        if self.temperature is not None and self.temperature != "auto":
            checks.temperature(self.temperature)
        if not isinstance(self.k, int) and not callable(self.k):
            raise UsageError(f"k must be a whole number of at least 1 or a stopping rule, not {self.k!r}.")
        if isinstance(self.k, type):
            raise UsageError(f"k must be an instance of a stopping rule, such as {self.k.__name__}(3), not the class itself.")
        rule = AheadBy(self.k) if isinstance(self.k, int) else self.k
        verdict = checked_verdict(rule, {})
        if not isinstance(verdict, Draw):
            raise UsageError(f"A stopping rule must say Draw(n) when there are no votes yet, but {rule} said {verdict}.")
        if verdict.samples > self.max_samples:
            raise UsageError(
                f"max_samples={self.max_samples!r} is too few to decide anything ({rule}): raise max_samples or lower k."
            )
        if self.red_flags is not None:
            named(self.red_flags)
            object.__setattr__(self, "red_flags", tuple(self.red_flags))
        capped = rule.capped(self.max_samples) if isinstance(rule, AheadBy | Confirm) else rule
        object.__setattr__(self, "rule", capped)
        object.__setattr__(self, "first_round", verdict.samples)

    def led_by(self, k: int | StoppingRule) -> "Voting":
        """Return the same settings with another lead or rule; with a new lead, an `AheadBy` keeps its `within`.

        >>> Voting(k=AheadBy(2, within=4)).led_by(3).k
        AheadBy(k=3, within=4)
        """
        within = self.k.within if isinstance(self.k, AheadBy) else None
        return replace(self, k=k if within is None or not isinstance(k, int) else AheadBy(k, within))

    @property
    def flags(self) -> dict[str, RedFlag]:
        """The red flags by name, in the order in which they are tried."""
        if self.red_flags is not None:
            return named(self.red_flags)
        cap, form = self.output_cap, None if self.emit is None else self.emit.max_tokens
        return named(
            [
                truncated,
                *([] if cap is None and form is None else [too_long(cap, form)]),
                refused,
                tool_calls,
                ended,
                no_text,
                empty,
            ]
        )

    @property
    def suited_temperature(self) -> tuple[float, float]:
        """The temperatures that suit the rule, for models that do not have their own."""
        if isinstance(self.rule, Confirm):
            return CONFIRMING
        return PASSING if isinstance(self.rule, AheadBy) and self.rule.within is not None else TEMPERATURE

    @property
    def temperatures(self) -> tuple[float, float] | None:
        """The temperatures of the first sample and of the others, with the rule's own for "auto"; None if none is sent."""
        given = self.suited_temperature if self.temperature == "auto" else self.temperature
        return given if isinstance(given, tuple) or given is None else (given, given)

    @property
    def output_cap(self) -> int | None:
        """The output cap of each sample, in tokens, with 750 for "auto"; None if none is sent."""
        return MAX_TOKENS if self.max_tokens == "auto" else self.max_tokens

    @property
    def lead(self) -> int | None:
        """The lead that decides; None if another rule does."""
        return self.rule.k if isinstance(self.rule, AheadBy) else None
