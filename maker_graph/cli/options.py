"""The options that several commands share, and how their texts are read."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from maker_graph.cli.output import tell
from maker_graph.core.voting import Auto, Temperature
from maker_graph.errors import UsageError
from maker_graph.files import is_there
from maker_graph.journal.sqlite.database import Fsync
from maker_graph.models.names import default_model
from maker_graph.run.traces import Trace

if TYPE_CHECKING:
    from maker_graph.run.home import Home
    from maker_graph.runs import Run
    from maker_graph.tasks.loading import LoadedTask

RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="The run: its name under runs/ or in the --journal, or its directory.")
]


InJournal = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="URL",
        help="The database in which the run is, instead of a directory: postgresql://HOST/DATABASE. Default: what "
        "MAKER_GRAPH_JOURNAL says.",
    ),
]


TaskName = Annotated[
    str,
    typer.Argument(metavar="TASK", help="hanoi, records, decompose, curate, migrate, or your own as package.module:name."),
]


Disks = Annotated[
    int | None, typer.Option(help="Disks of hanoi: 2^disks - 1 steps; short for --set disks=N.", show_default="10")
]


Source = Annotated[
    Path | None,
    typer.Option(
        "--input", metavar="FILE", help="The input file of the task, as the rows of records; short for --set input=FILE."
    ),
]


Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option with which the task is made, read by its annotation: lists and objects are JSON. Give it for each.",
    ),
]


VotersModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="provider:model, sim:PROFILE for a simulated one, or tiny, which ships. Default: tiny for hanoi of 3 to 8 "
        "and of 10 disks, which it can finish, else sim:gpt-oss-20b. For parts: choose=MODEL,verdict=MODEL.",
    ),
]


Lead = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="The lead that decides; auto plans for --target, or is 3 for unknown models. For a task of parts also "
        "choose=3,verdict=2.",
    ),
]


Within = Annotated[
    int | None,
    typer.Option(
        help="So many votes at most. A step that nobody can win within them is contested: it is left to a person, and no "
        "model votes on it again. --within K decides only what is unanimous.",
        min=1,
    ),
]


CascadeFrom = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="In place of --model, --k, --within, --temperature: JSON with rungs, each a model and a rule. What one rung "
        "does not decide goes to the next. maker-graph plan --labelled writes such a file.",
    ),
]


CalibrationFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="What is known of the model: what maker-graph calibrate wrote. For a task of parts NAME=FILE, given again for "
        "each part.",
    ),
]


MaxSamples = Annotated[int, typer.Option(help="A vote that needs more samples is undecided.", min=1)]


StuckAfter = Annotated[
    int, typer.Option(help="A step is stuck after so many red flags in a row; then it climbs the ladder.", min=1)
]


RetryTemperature = Annotated[
    str,
    typer.Option(
        "--retry-temperature",
        "--hotter",
        metavar="T|none",
        help="Ladder, first rung: the temperature of a stuck step's next samples.",
    ),
]


Rephrase = Annotated[
    bool, typer.Option("--rephrase/--no-rephrase", help="Ladder, second rung: the task's prompt in other words.")
]


Escalate = Annotated[str | None, typer.Option(metavar="MODEL", help="Ladder, third rung: a stronger model. Default: none.")]


Seed = Annotated[
    int | None,
    typer.Option(
        help="For samples that can be repeated. Default: 1 for models that ship or are simulated; to others none is sent."
    ),
]


Variants = Annotated[
    bool,
    typer.Option("--variants", help="Ask each sample one of the task's equivalent questions, such as other names of the pegs."),
]


TemperatureOption = Annotated[
    str,
    typer.Option(
        "--temperature", metavar="T0,T", help="Of the first sample and of the others; one for all; or none, to send none."
    ),
]


MaxTokens = Annotated[
    int | None,
    typer.Option(help="Output cap of a sample. Default: 750, or the one that a simulated model was measured with.", min=1),
]


StopAt = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="TEXT",
        help="A text at which a reply ends, such as '\\n'; give it again for each. Not all models take it.",
    ),
]
"""Texts at which a reply ends."""

Structured = Annotated[
    bool, typer.Option("--structured", help="Send the answer's JSON schema along, where model and answer have one.")
]

EmitBy = Annotated[
    str | None,
    typer.Option(
        "--emit",
        metavar="MODEL",
        help="Let the model reason freely, and have each answer written in its form by a second, short call: of this model, or "
        "'same'.",
    ),
]
"""Who writes down each answer."""

Check = Annotated[bool, typer.Option("--check/--no-check", help="Discard answers that break the task's rules.")]


Target = Annotated[float, typer.Option(help="The chance that no step is wrong, for which is planned.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, and nothing else, on standard output.")]


OwnTask = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="MODULE:NAME", help="The run's task, if that is code of your own: it is imported by this name."
    ),
]


Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Import the task by the name that the run's directory or journal says: it is code that you know."
    ),
]


Wait = Annotated[
    bool,
    typer.Option("--wait", help="Where only a person can go on, wait for the answer that maker-graph watch takes, and go on."),
]


Force = Annotated[bool, typer.Option("--force", help="Replace files of yours that stand where a result goes, as they are now.")]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no table.")]


MaxCost = Annotated[
    float | None, typer.Option(help="Stop before more USD are spent; a resume keeps it, or takes a higher one.", min=0)
]


MaxCalls = Annotated[
    int | None, typer.Option(help="Stop before more requests are made, failed ones included; kept like --max-cost.", min=0)
]


MaxMinutes = Annotated[float | None, typer.Option(help="Stop after so many minutes at work; kept like --max-cost.", min=0)]


MaxSteps = Annotated[
    int | None,
    typer.Option(
        help="Stop after so many steps of the task; kept like --max-cost. Default: as many as the task says, and 10,000,000 if "
        "it does not.",
        min=1,
    ),
]


Rpm = Annotated[float | None, typer.Option(help="Requests per minute at most.", min=0.001)]


Timeout = Annotated[
    float | None,
    typer.Option(
        help="Seconds after which a request is given up and made again. Default: 120, and more if replies take long.", min=0.001
    ),
]


Patience = Annotated[float, typer.Option(help="Minutes for which an outage of the provider is waited out.", min=0.001)]


Batch = Annotated[
    bool,
    typer.Option(
        "--batch",
        help="Ask for the samples of a round in one request, so that the prompt is billed once; for OpenAI and servers that "
        "speak its API, without a seed.",
    ),
]


FsyncOption = Annotated[
    Fsync,
    typer.Option(
        "--fsync", help="full: each step is on disk before the next; normal: faster, and a power cut may cost the last steps."
    ),
]


OwnPrice = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,OUT",
        help="USD per million tokens, if not the list price. Of several models: 'MODEL=IN,OUT; MODEL=IN,OUT'.",
    ),
]


Concurrency = Annotated[int | None, typer.Option(help="Samples in flight at once.", min=1)]


LookaheadOption = Annotated[
    str | None,
    typer.Option(
        "--lookahead",
        metavar="N|auto",
        help="Microsteps in flight at once, on drafted states. It makes a run faster, draws some more samples, and changes no "
        "decision. auto adapts to how often drafts hold. Default: 1, or as many independent items as --concurrency allows; a "
        "resume keeps it.",
    ),
]


DraftModel = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Who drafts the states for --lookahead. Default: the run's own model; kept.")
]


Probe = Annotated[
    bool,
    typer.Option(
        "--probe/--no-probe",
        help="Ask a real model three small questions first, to see that no cache answers in its place. They count as calls and "
        "are paid for.",
    ),
]
TraceOption = Annotated[
    Trace | None,
    typer.Option(
        "--trace",
        help="What LangSmith is shown: nothing, contested steps only, or all. Default, if LANGSMITH_TRACING is on: all up to "
        "2,000 steps, beyond that the first and last segment and what was contested.",
    ),
]


OnDoubtOption = Annotated[
    str | None,
    typer.Option(
        "--on-doubt",
        metavar="again|ask",
        help="When a run goes on whose last action on the world may have been performed: perform it again, or stop and ask. "
        "Default: again; at a resume, as before.",
    ),
]

ProvenanceOption = Annotated[
    Path | None,
    typer.Option(
        "--provenance",
        metavar="FILE",
        help="Tell of each item how it ended, with its ballot, samples and cost: JSON lines, written with the results.",
    ),
]

RecordTo = Annotated[
    Path | None,
    typer.Option(
        "--record", metavar="FILE", help="Append every prompt and reply to FILE (JSON lines): a new file, or an earlier record."
    ),
]


TestCommand = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="COMMAND",
        help="Of migrate: tests, run on a copy of the tree with code that a model wrote. Edits that turn them red stay out.",
    ),
]


TestSeconds = Annotated[float | None, typer.Option(help="How long the command of --test may take. Default: 600.", min=0.1)]


Apply = Annotated[bool, typer.Option("--apply", help="Of migrate: make the edits in the tree, which git must show clean.")]


Yes = Annotated[bool, typer.Option("--yes", help="Agree that --test runs code that a model wrote, and ask no more.")]


def parse_k(text: str) -> int | Auto | dict[str, int | Auto]:
    """Return the k in `text`, or those of parts: choose=3,verdict=2."""
    if "=" in text:
        return {name: _lead(value) for name, value in by_part("--k", text.split(",")).items()}
    return _lead(text)


def _lead(text: str) -> int | Auto:
    if text == "auto":
        return "auto"
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--k is a whole number of at least 1, or auto, or such for parts (choose=3,verdict=2); not {text!r}.")
    return int(text)


def by_part(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return what `texts` say, each name=value.

    Raises:
        UsageError: one is something else, or two are of the same part.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (each.strip() for each in text.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option} by part is name=value, not {text!r}.")
        if name in found:
            raise UsageError(f"{option} says two things of the part {name!r}.")
        found[name] = value
    return found


_PART_MODEL = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)=(?=[\w.-]*[A-Za-z][\w.-]*:|tiny(?:,|$))")
"""Where the model of a part begins: a setting of a simulated model (sim:perfect,error=.1) is no such place."""


def models_named(model: str) -> str | dict[str, str]:
    """Return the model of a run, or that of each voted part (`choose=openai:x,verdict=openai:y`).

    Raises:
        UsageError: two are named for the same part, or what is named is no model.
    """
    if not _PART_MODEL.match(model):
        return model
    return dict(by_part("--model", _PART_MODEL.sub(r"\n\1=", model).split("\n")[1:]))


def calibrations_named(texts: Sequence[str]) -> Path | dict[str, Path] | None:
    """Return the file of a calibration, or those of parts.

    Raises:
        UsageError: several files are given, and not all of them for a part.
    """
    if len(texts) == 1 and ("=" not in texts[0] or is_there(Path(texts[0]))):
        return Path(texts[0])
    return {name: Path(file) for name, file in by_part("--calibration", texts).items()} or None


def parse_temperature(text: str) -> Temperature | Auto:
    """Return the temperature of the first sample and of the others; None sends none."""
    if text == "auto":
        return "auto"
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


def parse_temperatures(text: str) -> list[Temperature | Auto]:
    """Return several temperatures, each of all samples; each once.

    Raises:
        UsageError: they are no list of temperatures, or one is no temperature.
    """
    found = [parse_temperature(each.strip()) for each in text.split(",")]
    if len(found) < 2 or not all(isinstance(each, tuple) for each in found):
        raise UsageError(f"--temperatures is a list of at least two numbers, such as 0,.1,.4,.7,1; not {text!r}.")
    return list(dict.fromkeys(found))


def parse_retry_temperature(text: str) -> float | None:
    """Return the temperature of the ladder's first rung; None takes the rung away."""
    given = parse_temperature(text)
    if given == "auto" or (isinstance(given, tuple) and given[0] != given[1]):
        raise UsageError(f"--retry-temperature is one temperature, or none; not {text!r}.")
    return given[0] if isinstance(given, tuple) else given


def voted_of(given: Mapping[str, Any], loaded: "LoadedTask") -> dict[str, Any]:
    """Return how steps are voted on, as `Run.create` takes it, by the options of a command as they were given.

    Raises:
        UsageError: one of them cannot be read.
    """
    model, seed, max_tokens = given["model"], given["seed"], given["max_tokens"]
    if model is None and given["cascade"] is None:
        model = default_model(loaded.name, loaded.options.get("disks", 0))
    plain = (
        "within",
        "cascade",
        "max_samples",
        "stuck_after",
        "check",
        "variants",
        "structured",
        "emit",
        "rephrase",
        "escalate",
    )
    return {
        **{name: given[name] for name in plain},
        "model": None if model is None else models_named(model),
        "k": parse_k(given["k"]),
        "calibration": calibrations_named(given["calibration"] or []),
        "temperature": parse_temperature(given["temperature"]),
        "max_tokens": "auto" if max_tokens is None else max_tokens,
        "seed": "auto" if seed is None else seed,
        "stop": [unescaped(each) for each in given["stop"] or []],
        "retry_temperature": parse_retry_temperature(given["retry_temperature"]),
    }


def kept_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a run keeps and a later command may change, by the options of this command as they were given.

    Limits on cost and calls are not among them: those of `submit` are limits of the fleet.

    Raises:
        UsageError: one of them cannot be read.
    """
    return {
        **{name: given[name] for name in ("max_minutes", "max_steps", "price", "draft_model")},
        "lookahead": parse_lookahead(given["lookahead"]),
        "on_doubt": parse_on_doubt(given["on_doubt"]),
    }


def parse_on_doubt(text: str | None) -> Literal["again", "ask"] | None:
    """Return what becomes of an action in doubt; None if nothing was said."""
    if text in {"again", "ask"} or text is None:
        return text  # type: ignore[return-value]  # it is one of them
    raise UsageError(f"--on-doubt is again or ask, not {text!r}.")


def parse_lookahead(text: str | None) -> int | Auto | None:
    """Return how many microsteps are to be in flight; None if nothing was said."""
    if text is None or text == "auto":
        return "auto" if text else None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f"--lookahead is a whole number of at least 1, or auto; not {text!r}.")
    return int(text)


def unescaped(reply: str) -> str:
    """Return a reply in which a line end may have been typed as a backslash and an n; in JSON it stays as it is."""
    return reply if reply.lstrip()[:1] in {"{", "["} else reply.replace("\\n", "\n")


def task_named(name: str, disks: int | None, source: Path | None, sets: Sequence[str] | None) -> "LoadedTask":
    """Return the task of this name, made once with what `--disks`, `--input` and `--set` say.

    Raises:
        UsageError: there is none, an option of it is wrong, or its input cannot be read.
    """
    from maker_graph.tasks.loading import load_task, options_named

    texts = [*(sets or ()), *([] if disks is None else [f"disks={disks}"])]
    options = options_named(name, texts, source)
    return load_task(name, {"disks": 10, **options} if name == "hanoi" else options)


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there yet.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(f"{folder} cannot be written: {failure.strerror}.") from None


def directory_of(name: str) -> Path:
    """Return the directory of the run that `name` says: under runs/, unless it is a path or a run itself."""
    path = Path(name)
    return path if os.sep in str(name) or is_there(path / "settings.json") else Path("runs") / path


def journal_of(name: str, journal: str | None) -> str | None:
    """Return the address of the database in which the run is that `name` says; None if it is in a directory.

    What the environment says (MAKER_GRAPH_JOURNAL) holds for names, and not for paths.

    Raises:
        UsageError: a path is named together with an address.
    """
    if journal is not None and not journal:
        raise UsageError("--journal is empty: give an address like postgresql://HOST/DATABASE, or leave it out.")
    is_path = os.sep in name
    if journal and is_path:
        raise UsageError(f"{name} is a directory, and a run in a database has a name without {os.sep}: leave one of them out.")
    return journal or (None if is_path else os.environ.get("MAKER_GRAPH_JOURNAL") or None)


def home_of(name: str, journal: str | None = None, *, fsync: Fsync = "full", standing: bool = False) -> "Home":
    """Return where the run is that `name` says; a `standing` one is opened often, and keeps its connection.

    Raises:
        UsageError: what is said does not go together, the address is none, or no run can have this name.
    """
    from maker_graph.runs import home_named

    address = journal_of(name, journal)
    path = directory_of(name)
    return home_named((path.absolute() if standing else path) if address is None else name, address, fsync, standing=standing)


def opened_run(
    name: str,
    journal: str | None = None,
    *,
    task: str | None = None,
    trust: bool | Literal["mine"] = False,
    fsync: Fsync = "full",
    accept_loss: bool = False,
) -> "Run":
    """Return the run that `name` says, opened.

    A task that does not ship is code, and whoever made the run has chosen its name. It is imported only if the user names it
    (`task`) or trusts the directory or the journal; see `Run.open`.
    """
    from maker_graph.runs import Run
    from maker_graph.tasks.loading import load_task

    home = home_of(name, journal, fsync=fsync)
    named = None
    try:
        if task is not None:
            settings = home.settings()
            named = load_task(task, settings.options, settings.began, home.kept(), settings.slice)
    except BaseException:
        home.close()
        raise
    return Run.at(home, task=named, trust=trust, accept_loss=accept_loss)


def tell_if_long(run: "Run") -> None:
    """Tell a person that a long run is being read, because nothing is seen for seconds."""
    from maker_graph.run.directory import LONG

    if run.step >= LONG:
        tell(f"Reading {run.step:,} steps.")
