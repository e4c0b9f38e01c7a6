"""The options of a run: limits, lookahead, where results go. None of them changes an answer.

A resume takes over the options of the session before, unless it is given others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError
from pydantic_core import from_json

from maker_graph.core.decision import Vote
from maker_graph.core.judging import Usage
from maker_graph.errors import DamagedRun, UnusableRun, UsageError
from maker_graph.files import file_named, name_of
from maker_graph.journal.protocol import Journal
from maker_graph.models.pricing import Price, other_price, own_prices, price_for
from maker_graph.run.settings import Settings

VERSION: Literal[2] = 2
"""The form of the note that holds the options. In form 1, the default of `lookahead` was 1 for all tasks."""

_NOTE = "options"


def _width(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _file(value: object) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError("it must be the name of a file")  # noqa: TRY004  pydantic reports ValueErrors only
    return file_named(value) if isinstance(value, str) else value


_File = Annotated[Path, PlainValidator(_file), PlainSerializer(name_of, return_type=str, when_used="json")]


class RunOptions(BaseModel):
    """The options of a run. They may differ from one session to the next.

    Attributes:
        version: the form of the note that holds them.
        max_cost: in USD; the run stops before it spends more. None: no limit.
        max_calls: requests, failed ones included. None: no limit.
        max_minutes: minutes of work. None: no limit.
        max_steps: steps of the task, in all sessions together. None: as many as the task says, or else 10,000,000.
        price: USD per million tokens, as "input,output"; for several models "model=input,output; ...". None: the list
            price.
        max_samples: a vote that needs more samples ends undecided. None: as in the settings. Steps that are decided
            stay as they are.
        lookahead: microsteps in flight at once, or "auto"; see `create_maker`. None: one, or for independent items as
            many as `concurrency` allows.
        draft_model: the model that drafts. None: the run's own model.
        on_doubt: what to do with an action on the world if nobody knows whether it was performed; see `create_maker`.
        out: the file for the results. None: no results are written.
        provenance: the file that says how each item ended. None: it is not written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[2] = VERSION
    max_cost: Annotated[float | None, Field(ge=0)] = None
    max_calls: Annotated[int | None, Field(ge=0)] = None
    max_minutes: Annotated[float | None, Field(ge=0)] = None
    max_steps: Annotated[int | None, Field(ge=1)] = None
    price: str | None = None
    max_samples: Annotated[int | None, Field(ge=1)] = None
    lookahead: Annotated[Annotated[int, Field(ge=1, strict=True)] | Literal["auto"] | None, BeforeValidator(_width)] = None
    draft_model: str | None = None
    on_doubt: Literal["again", "ask"] = "again"
    out: _File | None = None
    provenance: _File | None = None

    @classmethod
    def of(cls, **given: Any) -> "RunOptions":
        """Return options with the given values; a value of None leaves the default.

        Raises:
            UsageError: a value is wrong.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            wrong = error.errors()[0]
            raise UsageError(f"{wrong['loc'][0]} cannot be {wrong['input']!r}: {wrong['msg']}.") from None

    def updated(self, **given: Any) -> "RunOptions":
        """Return a copy with the given values changed; a value of None leaves the option as it is.

        Raises:
            UsageError: a value is wrong.
        """
        return RunOptions.of(**{**self.model_dump(), **{name: value for name, value in given.items() if value is not None}})

    def keep(self, journal: Journal) -> None:
        """Write the options into the journal of the run; on return they are stored."""
        text = self.model_dump_json()
        if journal.note(_NOTE) != text:
            journal.set_note(_NOTE, text)

    def note(self) -> dict[str, str]:
        """Return the note that holds the options, as name -> text; for a run that is just being made."""
        return {_NOTE: self.model_dump_json()}


def kept_options(journal: Journal) -> RunOptions:
    """Return the options that a run was last given.

    Raises:
        UnusableRun: a newer maker_graph wrote them.
        DamagedRun: they cannot be read.
    """
    text = journal.note(_NOTE)
    try:
        if text is not None:
            return RunOptions.model_validate(_in_this_form(from_json(text)))
        # maker_graph 0.1.0 kept each option in a note of its own.
        names = [name for name in RunOptions.model_fields if name != "version"]
        return RunOptions.model_validate({name: note for name in names if (note := journal.note(name)) is not None})
    except ValueError as error:
        wrong = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        if wrong["loc"] == ("version",):
            raise UnusableRun("A newer maker_graph resumed this run: install that version to go on.") from None
        raise DamagedRun(f"The journal is damaged: its options cannot be read ({wrong['msg']}).") from None


def _in_this_form(kept: Any) -> Any:
    if isinstance(kept, dict) and kept.get("version") == 1:
        return {**{name: value for name, value in kept.items() if (name, value) != ("lookahead", 1)}, "version": VERSION}
    return kept


class Prices(NamedTuple):
    """What a request to each model of a run costs.

    Attributes:
        model: to the run's own model; None if its price is not known.
        ladder: to the stronger model of the ladder; None if there is none, or its price is not known.
        drafts: to the model that drafts; None as for `ladder`.
        parts: part -> price, for parts with a model of their own.
        rungs: for the rungs of a cascade after the first, in order.
        writers: model -> price, for models that write down what others have reasoned (`Voting.emit`).
    """

    model: Price | None
    ladder: Price | None = None
    drafts: Price | None = None
    parts: Mapping[str, Price | None] = {}
    rungs: Sequence[Price | None] = ()
    writers: Mapping[str, Price | None] = {}


def prices_of(settings: Settings, options: RunOptions) -> Prices:
    """Return what the requests of a run cost.

    Raises:
        UsageError: the cost has a limit, but a model has no known price; or a price is for a model that the run does
            not ask.
    """
    own = own_prices(options.price)
    plain, most, asked = own.pop("", None), options.max_cost, {*settings.models, options.draft_model}
    if strange := sorted(own.keys() - asked):
        raise UsageError(
            f"--price names {strange[0]}, which this run does not ask. Leave that price out: the run asks "
            f"{', '.join(settings.models)}."
        )
    of_run = own.get(settings.model, plain)

    def other(name: str | None) -> Price | None:
        return other_price(name, most, own.get(name or ""))

    def named(name: str) -> Price | None:
        return price_for(name, of_run, most) if name == settings.model else other(name)

    return Prices(
        price_for(settings.model, of_run, most),
        other(settings.ladder.model),
        other(options.draft_model),
        {name: other(part.model) for name, part in settings.parts.items() if part.model is not None},
        [named(rung.model) for rung in settings.cascade],
        {name: named(name) for name in settings.writers},
    )


def cost_of(vote: Vote, price: Price) -> float:
    """Return what the samples of a vote cost, in USD, as if each had the mean tokens of them all.

    A vote keeps the sum of the tokens. Some prices depend on the tokens of a single request.
    """
    if not (drawn := vote["samples"]):
        return 0.0
    read, cached, written = (round(vote["usage"][name] / drawn) for name in ("input", "cached", "output"))
    return drawn * price(Usage(input=read, cached=cached, output=written))
