"""What a resume takes over from the session before it, unless it is told otherwise: none of it decides an answer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError
from pydantic_core import from_json

from maker_graph.errors import DamagedRun, UnusableRun, UsageError
from maker_graph.files import file_named, name_of
from maker_graph.journal.protocol import Journal
from maker_graph.models.pricing import Price, other_price, own_prices, price_for
from maker_graph.run.settings import Settings

VERSION: Literal[2] = 2
"""The form of the note in which they are kept. In the first one, the default of `lookahead` was 1 for all tasks."""

_NOTE = "options"


def _width(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _file(value: object) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError("it is no name of a file")  # noqa: TRY004  pydantic tells of ValueErrors
    return file_named(value) if isinstance(value, str) else value


_File = Annotated[Path, PlainValidator(_file), PlainSerializer(name_of, return_type=str, when_used="json")]


class RunOptions(BaseModel):
    """The options of a run that may be others at each session.

    Attributes:
        version: the form in which they are kept.
        max_cost: USD; the run stops before more are spent. None is no limit.
        max_calls: requests, failed ones included. None is no limit.
        max_minutes: at work. None is no limit.
        max_steps: of the task, in all sessions; None is as many as it says, and 10,000,000 if it does not.
        price: USD per million tokens, "input,output", if not the list price; of several models "model=input,output; ...".
        max_samples: a vote that needs more samples is undecided; None is as in the settings. It decides no step that was
            decided before.
        lookahead: microsteps in flight at once, or "auto"; None is one, or for independent items all that `concurrency` allows.
            See `create_maker`.
        draft_model: who drafts; the run's own model if None.
        on_doubt: what becomes of an action on the world of which nobody knows whether it was performed; see `create_maker`.
        out: where the results are written; None writes none.
        provenance: where it is written how each item ended; None writes nothing.
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
        """Return the options that were given; None leaves the default.

        Raises:
            UsageError: a value is wrong.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            wrong = error.errors()[0]
            raise UsageError(f"{wrong['loc'][0]} cannot be {wrong['input']!r}: {wrong['msg']}.") from None

    def updated(self, **given: Any) -> "RunOptions":
        """Return these options with what is given in their place; None leaves them as they are."""
        return RunOptions.of(**{**self.model_dump(), **{name: value for name, value in given.items() if value is not None}})

    def keep(self, journal: Journal) -> None:
        """Keep them with the run; on return they are on disk."""
        text = self.model_dump_json()
        if journal.note(_NOTE) != text:
            journal.set_note(_NOTE, text)

    def note(self) -> dict[str, str]:
        """Return the note in which they are kept, by its name: for a run that is just being made."""
        return {_NOTE: self.model_dump_json()}


def kept_options(journal: Journal) -> RunOptions:
    """Return the options that a run was last given; those of maker_graph 0.1.0 stand in a note each.

    Raises:
        UnusableRun: a newer maker_graph wrote them.
        DamagedRun: they cannot be read.
    """
    text = journal.note(_NOTE)
    try:
        if text is not None:
            return RunOptions.model_validate(_in_this_form(from_json(text)))
        names = [name for name in RunOptions.model_fields if name != "version"]
        return RunOptions.model_validate({name: note for name in names if (note := journal.note(name)) is not None})
    except ValueError as error:
        wrong = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        if wrong["loc"] == ("version",):
            raise UnusableRun("This run was last resumed by a newer maker_graph: install that one to go on.") from None
        raise DamagedRun(f"The journal is damaged: its options cannot be read ({wrong['msg']}).") from None


def _in_this_form(kept: Any) -> Any:
    if isinstance(kept, dict) and kept.get("version") == 1:
        return {**{name: value for name, value in kept.items() if (name, value) != ("lookahead", 1)}, "version": VERSION}
    return kept


class Prices(NamedTuple):
    """What a request costs: of the run's model, of the stronger one, of a draft; None is as the first, or not known.

    `parts` has those of parts with a model of their own, by name; `rungs` those of the rungs of a cascade after the first;
    `writers` those of models that write down what others have reasoned, by their names.
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
        UsageError: there is a limit on the cost, and no price; or there is a price of a model that is not asked.
    """
    own = own_prices(options.price)
    plain, most, asked = own.pop("", None), options.max_cost, {*settings.models, options.draft_model}
    if strange := sorted(own.keys() - asked):
        raise UsageError(f"--price names {strange[0]}, which this run does not ask: it asks {', '.join(settings.models)}.")
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
