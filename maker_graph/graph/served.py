"""What the graphs that `langgraph dev` serves have in common: settings with bounds, and one budget for all runs of the process.

Anybody who can reach the server can choose the settings of a run, so each setting has a bound. The person who starts the server
can set a budget in the environment: `MAKER_GRAPH_MAX_COST` (USD) and `MAKER_GRAPH_MAX_CALLS`.
"""

import os
import threading
from collections.abc import Sequence
from typing import Any, TypeVar

from langchain_core.messages import BaseMessage
from langgraph_sdk.runtime import ServerRuntime
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from maker_graph.core.rules import AheadBy
from maker_graph.errors import UsageError
from maker_graph.models.budget import Budget
from maker_graph.models.calls import Calls
from maker_graph.models.names import info_of
from maker_graph.models.pricing import FREE, price_of

Settings = TypeVar("Settings", bound=BaseModel)

MOST_SAMPLES = 1000
"""The most samples of a vote."""

MOST_TOKENS = 100_000
"""The most tokens of a sample."""

MOST_CHARACTERS = 200_000
"""The most characters of a conversation."""

MOST_MESSAGES = 1000
"""The most messages of a conversation."""

PROFILE = {"latency": 5.0, "output_tokens": MOST_TOKENS, "max_tokens": MOST_TOKENS}
"""The settings of a simulated model that cost the server time, and how large they may be; a latency is in seconds."""

COST, CALLS = "MAKER_GRAPH_MAX_COST", "MAKER_GRAPH_MAX_CALLS"

_budgets: dict[tuple[str, str], Budget] = {}
_lock = threading.Lock()


class ServedContext(BaseModel):
    """Which model is asked, and when a vote is decided: the settings that all served graphs have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(
        "sim:gpt-oss-20b",
        max_length=200,
        description="provider:model. sim:PROFILE (simulated) and tiny (ships with the package) need no API key.",
    )
    k: int = Field(3, ge=1, le=100, description="The lead in votes that decides.")
    within: int | None = Field(
        None,
        ge=1,
        le=MOST_SAMPLES,
        description="The most votes that a step may take. After them it is contested and put to a person. null is no limit.",
    )
    max_samples: int = Field(100, ge=1, le=MOST_SAMPLES, description="A vote that needs more samples is put to a person.")
    max_tokens: int = Field(2048, ge=1, le=MOST_TOKENS, description="Output cap of a sample, in tokens.")
    seed: int | None = Field(
        None, ge=0, lt=2**31, description="Makes the samples repeatable. It is below 2^31. null sends no seed."
    )

    @property
    def rule(self) -> AheadBy:
        """The stopping rule."""
        return AheadBy(self.k, self.within)

    @field_validator("model")
    @classmethod
    def _within_bounds(cls, name: str) -> str:
        if (info := info_of(name)).simulated:
            profile = info.profile()
            for setting, most in PROFILE.items():
                if getattr(profile, setting) > most:
                    raise ValueError(f"on this server a simulated model has a {setting} of at most {most:g}")
        return name


def settings_of(runtime: ServerRuntime[Any], schema: type[Settings]) -> Settings:
    """Return the settings that a run was started with, or the defaults if the server only looks at the graph.

    Raises:
        UsageError: a value is wrong; the text names it, on one line.
    """
    running = runtime.execution_runtime
    given = None if running is None else running.context
    try:
        return schema.model_validate({} if given is None else given)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, each['loc'])) or 'context'}: {each['msg'].removeprefix('Value error, ')}"
            for each in error.errors()
        )
        raise UsageError(f"The context of this run cannot be used. {'; '.join(problems)}.") from None


def calls_for(model: str) -> Calls:
    """Return how the requests to `model` are made: all runs of this process share one budget, if the server has one.

    Raises:
        UsageError: the budget is not a number, or it is in USD and no price is known for the model.
    """
    cost, calls = os.environ.get(COST, ""), os.environ.get(CALLS, "")
    if not cost and not calls:
        return {}
    price = FREE if info_of(model).ships else price_of(model)
    if cost and price is None:
        raise UsageError(
            f"No price is known for {model}, and this server has a budget in USD ({COST}): name a model with a list price, or "
            f"start the server with {CALLS} in its place."
        )
    with _lock:
        if (cost, calls) not in _budgets:
            _budgets[cost, calls] = _budget(cost, calls)
        return {"meter": _budgets[cost, calls].at(price or FREE)}


def _budget(cost: str, calls: str) -> Budget:
    try:
        most_cost, most_calls = float(cost) if cost else None, int(calls) if calls else None
    except ValueError:
        raise UsageError(f"{COST} is a number of USD and {CALLS} a whole number; they are {cost!r} and {calls!r}.") from None
    advice = f"All runs on this server share one budget. To go on, start the server with a higher limit ({COST}, {CALLS})."
    return Budget(max_cost=most_cost, max_calls=most_calls, price=FREE, advice=advice)


def see_question(messages: Sequence[BaseMessage], model: str) -> None:
    """Make sure that a conversation is not too long, and that `model` can have an answer to it.

    Raises:
        UsageError: the conversation is empty or too long, or the model has no answer. A model that ships knows only the prompts
            of the tasks that ship.
    """
    if len(messages) > MOST_MESSAGES or sum(len(str(each.content)) for each in messages) > MOST_CHARACTERS:
        raise UsageError(
            f"The conversation is too long: this server takes {MOST_MESSAGES:,} messages and {MOST_CHARACTERS:,} characters at "
            "most. Send less of it."
        )
    if not messages:
        raise UsageError("There is no message to answer: the input needs messages.")
    if not info_of(model).ships:
        return
    from maker_graph.models.simulation import Simulator, profile_of  # noqa: PLC0415  a real model needs no simulation

    try:
        Simulator(profile_of("perfect")).knows([(each.type, str(each.text)) for each in messages])
    except UsageError:
        raise UsageError(
            f"{model} has no answer to this: it knows only the prompts of the tasks that ship. Name a real model in the "
            'context, for example {"model": "openai:gpt-4.1-mini"}; the server needs its API key.'
        ) from None
