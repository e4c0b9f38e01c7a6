"""The options that several commands share, and how their texts are read."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from maker_graph.core.decision import Usage
from maker_graph.errors import UsageError
from maker_graph.models.names import TINY, at_home, temperature_for
from maker_graph.models.pricing import FREE, FlatPrice, Price, parse_price, price_of
from maker_graph.run.journal import Fsync
from maker_graph.run.tracing import Trace

RunName = Annotated[str, typer.Argument(metavar="RUN", help="The run: its name under runs/, or its directory.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, and nothing else, on standard output.")]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")]


MaxCost = Annotated[
    float | None, typer.Option(help="Stop before more USD are spent; a resume keeps it, or takes a higher one.", min=0)
]


MaxCalls = Annotated[
    int | None, typer.Option(help="Stop before more requests are made, failed ones included; kept like --max-cost.", min=0)
]


MaxMinutes = Annotated[float | None, typer.Option(help="Stop after so many minutes at work; kept like --max-cost.", min=0)]


Rpm = Annotated[float | None, typer.Option(help="Requests per minute at most.", min=0.001)]


Timeout = Annotated[float, typer.Option(help="Seconds after which a request is given up and made again.", min=0.001)]


Patience = Annotated[float, typer.Option(help="Minutes for which an outage of the provider is waited out.", min=0.001)]


FsyncOption = Annotated[
    Fsync,
    typer.Option(
        "--fsync", help="full: each step is on disk before the next; normal: faster, and a power cut may cost the last steps."
    ),
]


OwnPrice = Annotated[
    str | None, typer.Option("--price", metavar="IN,OUT", help="USD per million tokens, if not the list price.")
]


Concurrency = Annotated[int | None, typer.Option(help="Samples in flight at once.", min=1)]


LookaheadOption = Annotated[
    str | None,
    typer.Option(
        "--lookahead",
        metavar="N|auto",
        help="Microsteps in flight at once, on drafted states: faster, for some more samples, and no decision is another. auto "
        "adapts to how often drafts hold. Default: 1; a resume keeps it.",
    ),
]


DraftModel = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Who drafts the states for --lookahead. Default: the run's own model; kept.")
]


TraceOption = Annotated[
    Trace | None,
    typer.Option(
        "--trace",
        help="What LangSmith is shown: nothing, contested steps only, or all. Default, if LANGSMITH_TRACING is on: all up to "
        "2,000 steps, beyond that the first and last segment and what was contested.",
    ),
]


RecordTo = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="Append every prompt and reply to FILE (JSON lines).")
]


def parse_k(text: str) -> int | None:
    """Return the k in `text`; None for auto."""
    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--k is a whole number of at least 1, or auto; not {text!r}.")
    return int(text)


def parse_temperature(text: str, model: str) -> tuple[float, float] | None:
    """Return the temperature of the first sample and of the others; None sends none."""
    if text == "auto":
        return temperature_for(model)
    if text == "none":
        return None
    try:
        first, *rest = (float(part) for part in text.split(","))
        (others,) = rest or [first]
    except ValueError:
        raise UsageError(f"--temperature is one or two numbers (0,0.1), or none; not {text!r}.") from None
    if not (0 <= first < float("inf") and 0 <= others < float("inf")):
        raise UsageError(f"A temperature is at least 0, not {text!r}.")
    return first, others


def parse_hotter(text: str) -> float | None:
    """Return the temperature of the ladder's first rung; None takes the rung away."""
    given = parse_temperature(text, "")
    if given is not None and given[0] != given[1]:
        raise UsageError(f"--hotter is one temperature, or none; not {text!r}.")
    return None if given is None else given[0]


def task_options(task: str, disks: int, source: Path | None) -> dict[str, Any]:
    """Return what a task that ships is made with."""
    if task == "hanoi":
        return {"disks": disks}
    if task == "records":
        if source is None:
            raise UsageError("records needs --input FILE.csv.")
        return {"input": str(source.absolute())}
    return {}


def list_price(model: str) -> FlatPrice | None:
    """Return the list price of `model`, a simulated one's as it was published; None if none is known."""
    if model.startswith("sim:"):
        from maker_graph.models.simulation import profile_of  # noqa: PLC0415  a real run knows nothing of the simulation

        profile = profile_of(model.removeprefix("sim:"))
        return FlatPrice(profile.input_price, profile.output_price)
    if model == TINY:
        return FREE
    price = price_of(model)
    if price is None:
        return None
    million = 1_000_000
    return FlatPrice(
        price(Usage(input=million, cached=0, output=0)),
        price(Usage(input=0, cached=0, output=million)),
    )


def directory_of(name: str) -> Path:
    """Return the directory of the run that `name` says: under runs/, unless it is a path or a run itself."""
    path = Path(name)
    return path if os.sep in str(name) or (path / "settings.json").is_file() else Path("runs") / path


def price_for(model: str, own: str | None, max_cost: float | None) -> Price | None:
    """Return what `model` costs, None if that is not known; a limit on the cost needs to know."""
    price: Price | None = FREE if model == TINY else None
    if own is not None:
        price = parse_price(own)
    elif not at_home(model):
        price = price_of(model)
    if max_cost is not None and price is None:
        raise UsageError(
            f"No price is known for {model}, so --max-cost cannot be kept: give --price IN,OUT (USD per million tokens)."
        )
    return price


def other_price(model: str | None, max_cost: float | None) -> Price | None:
    """Return what a stronger model, or one that drafts, costs; None if there is none, or no price is known."""
    if model is None or at_home(model):
        return None if model is None else FREE
    return price_for(model, None, max_cost)
