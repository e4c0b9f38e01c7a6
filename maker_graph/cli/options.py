"""The options that several commands share, and the functions that read their texts."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
        help="The database that holds the run, instead of a directory: postgresql://HOST/DATABASE. Default: the address in "
        "the environment variable MAKER_GRAPH_JOURNAL, if it is set.",
    ),
]


TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="A task that ships (hanoi, records, decompose, curate, migrate, word-problems), or your own: package.module:name.",
    ),
]


Disks = Annotated[
    int | None,
    typer.Option(help="The number of disks of hanoi, which has 2^disks - 1 steps. Short for --set disks=N.", show_default="10"),
]


Source = Annotated[
    Path | None,
    typer.Option(
        "--input", metavar="FILE", help="The input file of the task, such as the rows of records. Short for --set input=FILE."
    ),
]


Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option of the task. Lists and objects are written as JSON. Repeat --set for each option.",
    ),
]


VotersModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The model that votes: provider:model, sim:PROFILE for a simulated one, or tiny, which ships. Default: tiny for "
        "hanoi of 3 to 8 and of 10 disks, which it can finish, otherwise sim:gpt-oss-20b. For a task with several voted parts, "
        "a model for each: choose=MODEL,verdict=MODEL.",
    ),
]


Lead = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="An answer wins when it is ahead of every other by this many votes. auto computes the number for --target; it "
        "takes 3 if nothing is known of the model. For a task with several voted parts also choose=3,verdict=2.",
    ),
]


Within = Annotated[
    int | None,
    typer.Option(
        help="The most votes that a step may take. A step that no answer can win any more is contested: it is left to a "
        "person, and no model votes on it again. If it equals --k, only unanimous steps are decided.",
        min=1,
    ),
]


CascadeFrom = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A JSON file with rungs, each of which has a model and a rule. A step that one rung does not decide goes to the "
        "next. It replaces --model, --k, --within and --temperature. maker-graph plan --labelled writes such a file.",
    ),
]


CalibrationFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="The file that maker-graph calibrate wrote about this model. For a task with several voted parts: NAME=FILE, "
        "repeated for each part.",
    ),
]


MaxSamples = Annotated[int, typer.Option(help="A step that is not decided after this many samples stays undecided.", min=1)]


StuckAfter = Annotated[
    int, typer.Option(help="A step is stuck after this many red flags in a row. Then it climbs the ladder.", min=1)
]


RetryTemperature = Annotated[
    str,
    typer.Option(
        "--retry-temperature",
        "--hotter",
        metavar="T|none",
        help="First rung of the ladder: the temperature of the next samples of a stuck step, or none to leave the rung out.",
    ),
]


Rephrase = Annotated[
    bool, typer.Option("--rephrase/--no-rephrase", help="Second rung of the ladder: ask in other words, if the task has some.")
]


Escalate = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Third rung of the ladder: a stronger model. Default: none.")
]


Seed = Annotated[
    int | None,
    typer.Option(
        help="The seed, which makes samples repeatable. Default: 1 for models that ship or are simulated. Other "
        "models get none."
    ),
]


Variants = Annotated[
    bool,
    typer.Option(
        "--variants",
        help="Ask each sample another of the task's equivalent questions, for instance with other names of the pegs.",
    ),
]


TemperatureOption = Annotated[
    str,
    typer.Option(
        "--temperature",
        metavar="T0,T",
        help="The temperature of the first sample and that of the others, or one number for all, or none, which sends none.",
    ),
]


MaxTokens = Annotated[
    int | None,
    typer.Option(
        help="The most tokens of a reply. Default: 750, or the limit with which a simulated model was measured.", min=1
    ),
]


StopAt = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="TEXT",
        help="A text at which a reply ends, such as '\\n'. Repeat it for several. Some models refuse it.",
    ),
]
"""Texts at which a reply ends."""

Structured = Annotated[
    bool,
    typer.Option(
        "--structured",
        help="Send the JSON schema of the answer with the prompt, if the task has a schema and the model takes one.",
    ),
]

EmitBy = Annotated[
    str | None,
    typer.Option(
        "--emit",
        metavar="MODEL",
        help="Let the model reason freely, and let a second, short call write its answer in the asked form. MODEL makes that "
        "call; 'same' is the voting model.",
    ),
]
"""Who writes down each answer."""

Check = Annotated[bool, typer.Option("--check/--no-check", help="Discard answers that break the task's rules.")]


Target = Annotated[float, typer.Option(help="The chance that no step of the run is wrong. --k auto is computed for it.")]


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output at the end, and nothing else.")]


OwnTask = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="MODULE:NAME", help="The task of the run, if it is code of your own. It is imported by this name."
    ),
]


Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Import the task by the name that the run has written down. Say so only if you know that code."
    ),
]


Wait = Annotated[
    bool,
    typer.Option("--wait", help="If only a person can go on, wait for an answer given in maker-graph watch, and then go on."),
]


Force = Annotated[bool, typer.Option("--force", help="Replace a file that already stands where a result goes.")]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar and no table.")]


MaxCost = Annotated[
    float | None,
    typer.Option(
        help="Stop before more than this many USD are spent. A resumed run keeps the limit, unless it is given a new one.",
        min=0,
    ),
]


MaxCalls = Annotated[
    int | None,
    typer.Option(help="Stop before more than this many requests are made. Failed ones count. Kept like --max-cost.", min=0),
]


MaxMinutes = Annotated[float | None, typer.Option(help="Stop after this many minutes of work. Kept like --max-cost.", min=0)]


MaxSteps = Annotated[
    int | None,
    typer.Option(
        help="Stop after this many steps of the task. Kept like --max-cost. Default: as many as the task has, or 10,000,000 if "
        "the task does not say.",
        min=1,
    ),
]


Rpm = Annotated[float | None, typer.Option(help="The most requests per minute.", min=0.001)]


Timeout = Annotated[
    float | None,
    typer.Option(
        help="Seconds after which a request is given up and made again. Default: 120; more if replies take long.", min=0.001
    ),
]


Patience = Annotated[
    float, typer.Option(help="Minutes to wait for a provider that does not answer, before the run stops.", min=0.001)
]


Batch = Annotated[
    bool,
    typer.Option(
        "--batch",
        help="Ask for all samples of a round in one request, so that the prompt is billed once. For OpenAI and servers with "
        "its API; no seed is sent.",
    ),
]


FsyncOption = Annotated[
    Fsync,
    typer.Option(
        "--fsync",
        help="full: each step is on the disk before the next begins. normal: faster, but a power cut may lose the last steps.",
    ),
]


OwnPrice = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,OUT",
        help="The price in USD per million tokens, if it is not the list price. For several models: 'MODEL=IN,OUT; "
        "MODEL=IN,OUT'.",
    ),
]


Concurrency = Annotated[int | None, typer.Option(help="The most samples in flight at once.", min=1)]


LookaheadOption = Annotated[
    str | None,
    typer.Option(
        "--lookahead",
        metavar="N|auto",
        help="How many steps are in flight at once, on drafted states. Lookahead makes a run faster, draws a few more samples, "
        "and never changes a decision. auto adapts to how often drafts are right. Default: 1, or as many independent items as "
        "--concurrency allows. A resumed run keeps it.",
    ),
]


DraftModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The model that drafts states for --lookahead. Default: the model that votes. A resumed run keeps it.",
    ),
]


Probe = Annotated[
    bool,
    typer.Option(
        "--probe/--no-probe",
        help="Ask a real model three small questions first, to see that no cache answers for it. They count as calls and "
        "are paid for.",
    ),
]
TraceOption = Annotated[
    Trace | None,
    typer.Option(
        "--trace",
        help="What is traced to LangSmith: nothing, contested steps only, or everything. Default, if LANGSMITH_TRACING is on: "
        "everything up to 2,000 steps; in longer runs the first and the last segment, and contested steps.",
    ),
]


OnDoubtOption = Annotated[
    str | None,
    typer.Option(
        "--on-doubt",
        metavar="again|ask",
        help="What to do if the run was interrupted while it acted on the world, so that the action may have been performed: "
        "perform it again, or stop and ask. Default: again. A resumed run keeps it.",
    ),
]

ProvenanceOption = Annotated[
    Path | None,
    typer.Option(
        "--provenance",
        metavar="FILE",
        help="Also write JSON Lines that say of each item how it ended, with its ballot, samples and cost.",
    ),
]

RecordTo = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Append every prompt and reply to FILE as JSON Lines. FILE is new, or an earlier record.",
    ),
]


TestCommand = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="COMMAND",
        help="For migrate: the command that runs your tests, on a copy of the tree with the edits of the model. Edits "
        "that make a "
        "test fail are left out.",
    ),
]


TestSeconds = Annotated[float | None, typer.Option(help="Seconds that the command of --test may take. Default: 600.", min=0.1)]


Apply = Annotated[
    bool, typer.Option("--apply", help="For migrate: make the edits in the tree. git must show no uncommitted changes there.")
]


Yes = Annotated[bool, typer.Option("--yes", help="Agree beforehand that --test runs code that a model wrote.")]


def parse_k(text: str) -> int | Auto | dict[str, int | Auto]:
    """Return the k in `text`, or those of parts: choose=3,verdict=2."""
    if "=" in text:
        return {name: _lead(value) for name, value in by_part("--k", text.split(",")).items()}
    return _lead(text)


def _lead(text: str) -> int | Auto:
    if text == "auto":
        return "auto"
    if not text.isascii() or not text.isdigit():
        raise UsageError(
            f"--k is a whole number of at least 1, or auto, or one for each part (choose=3,verdict=2); not {text!r}."
        )
    return int(text)


def by_part(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return the value for each name, from texts of the form name=value.

    Raises:
        UsageError: a text has another form, or two texts name the same part.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (each.strip() for each in text.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option} for a part is written name=value, not {text!r}.")
        if name in found:
            raise UsageError(f"{option} names the part {name!r} twice.")
        found[name] = value
    return found


_PART_MODEL = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)=(?=[\w.-]*[A-Za-z][\w.-]*:|tiny(?:,|$))")
"""Matches where the model of a part begins, and not the settings of a simulated model (sim:perfect,error=.1)."""


def models_named(model: str) -> str | dict[str, str]:
    """Return the model of a run, or the model of each voted part (`choose=openai:x,verdict=openai:y`).

    Raises:
        UsageError: a part is named twice, or a part has no model.
    """
    if not _PART_MODEL.match(model):
        return model
    return dict(by_part("--model", _PART_MODEL.sub(r"\n\1=", model).split("\n")[1:]))


def calibrations_named(texts: Sequence[str]) -> Path | dict[str, Path] | None:
    """Return the file of a calibration, or the file of each part.

    Raises:
        UsageError: several files are given, and one of them names no part.
    """
    if len(texts) == 1 and ("=" not in texts[0] or is_there(Path(texts[0]))):
        return Path(texts[0])
    return {name: Path(file) for name, file in by_part("--calibration", texts).items()} or None


def parse_temperature(text: str) -> Temperature | Auto:
    """Return the temperatures of the first sample and of the others. None means that no temperature is sent."""
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
    """Return the temperatures of a list, each once.

    Raises:
        UsageError: the text is not a list of at least two temperatures.
    """
    found = [parse_temperature(each.strip()) for each in text.split(",")]
    if len(found) < 2 or not all(isinstance(each, tuple) for each in found):
        raise UsageError(f"--temperatures is a list of at least two numbers, such as 0,.1,.4,.7,1; not {text!r}.")
    return list(dict.fromkeys(found))


def parse_retry_temperature(text: str) -> float | None:
    """Return the temperature of the first rung of the ladder. None leaves the rung out."""
    given = parse_temperature(text)
    if given == "auto" or (isinstance(given, tuple) and given[0] != given[1]):
        raise UsageError(f"--retry-temperature is one temperature, or none; not {text!r}.")
    return given[0] if isinstance(given, tuple) else given


def voted_of(given: Mapping[str, Any], loaded: "LoadedTask") -> dict[str, Any]:
    """Return the arguments of `Run.create` that say how steps are voted on, from the options of a command.

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


def parse_on_doubt(text: str | None) -> Literal["again", "ask"] | None:
    """Return what to do with an action that may have been performed. None if the option was not given."""
    if text in {"again", "ask"} or text is None:
        return text  # type: ignore[return-value]  # it is one of them
    raise UsageError(f"--on-doubt is again or ask, not {text!r}.")


def parse_lookahead(text: str | None) -> int | Auto | None:
    """Return how many microsteps are in flight at once. None if the option was not given."""
    if text is None or text == "auto":
        return "auto" if text else None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f"--lookahead is a whole number of at least 1, or auto; not {text!r}.")
    return int(text)


def unescaped(reply: str) -> str:
    """Return a typed reply with each backslash and n turned into a line end, unless the reply is JSON."""
    return reply if reply.lstrip()[:1] in {"{", "["} else reply.replace("\\n", "\n")


def task_named(name: str, disks: int | None, source: Path | None, sets: Sequence[str] | None) -> "LoadedTask":
    """Return the task of this name, made with the options of `--disks`, `--input` and `--set`.

    Raises:
        UsageError: there is no such task, an option of it is wrong, or its input cannot be read.
    """
    from maker_graph.tasks.loading import load_task, options_named

    texts = [*(sets or ()), *([] if disks is None else [f"disks={disks}"])]
    options = options_named(name, texts, source)
    return load_task(name, {"disks": 10, **options} if name == "hanoi" else options)


def directory_of(name: str) -> Path:
    """Return the directory of a run: under runs/, unless `name` is a path or the directory of a run itself."""
    path = Path(name)
    return path if os.sep in str(name) or is_there(path / "settings.json") else Path("runs") / path


def journal_of(name: str, journal: str | None) -> str | None:
    """Return the address of the database that holds the run `name`; None if the run is in a directory.

    The environment variable MAKER_GRAPH_JOURNAL applies to names, and not to paths.

    Raises:
        UsageError: a path is named together with an address.
    """
    if journal is not None and not journal:
        raise UsageError("--journal is empty: give an address like postgresql://HOST/DATABASE, or leave it out.")
    is_path = os.sep in name
    if journal and is_path:
        raise UsageError(f"{name} is a path, but a run in a database has a name without {os.sep}: leave out one of the two.")
    return journal or (None if is_path else os.environ.get("MAKER_GRAPH_JOURNAL") or None)


def home_of(name: str, journal: str | None = None, *, fsync: Fsync = "full", standing: bool = False) -> "Home":
    """Return where the run `name` is kept. A `standing` home is opened often, and keeps its connection.

    Raises:
        UsageError: name and address do not go together, or one of them cannot be one.
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
    """Return the run `name`, opened.

    A task that does not ship is code, and its name was chosen by whoever made the run. So it is imported only if the user names
    it (`task`), or trusts the directory or the journal. See `Run.open`.
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
