"""The options that several commands share, and the functions that read their values."""

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

RunName = Annotated[str, typer.Argument(metavar="RUN", help="The run: its name under runs/ or in --journal, or its directory.")]


InJournal = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="URL",
        help="The address of the Postgres database that holds the run or the fleet, in place of a directory: "
        "postgresql://USER@HOST:PORT/DATABASE. Default: what the environment variable MAKER_GRAPH_JOURNAL says.",
    ),
]


TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="The task: hanoi (a puzzle), records or curate (rows of a table), decompose (a problem in parts), migrate "
        "(edits of Python code), word-problems (arithmetic), or your own as package.module:Name. maker-graph run TASK "
        "--help shows the options of that task too.",
    ),
]


Disks = Annotated[
    int | None,
    typer.Option(help="How many disks hanoi has. It takes 2^disks - 1 steps. Short for --set disks=N.", show_default="10"),
]


Source = Annotated[
    Path | None,
    typer.Option(
        "--input", metavar="FILE", help="The input file of the task, such as the table of records. Short for --set input=FILE."
    ),
]


Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option of the task, which may also be written --NAME VALUE after TASK. Lists and objects are written as "
        "JSON. Repeat --set for each option.",
    ),
]


VotersModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The model that is asked. PROVIDER:MODEL is a real one, such as openai:gpt-4.1-mini. sim:PROFILE, such as "
        "sim:gpt-4.1-mini, is a simulated one, which costs nothing. tiny is a small one for hanoi, which comes with the "
        "package. Default: tiny for hanoi with 3 to 8 or 10 disks, otherwise sim:gpt-oss-20b. If models vote on several "
        "parts of the task: PART=MODEL,PART=MODEL.",
    ),
]


Lead = Annotated[
    str,
    typer.Option(
        metavar="N|auto",
        help="The lead that decides: an answer wins when it is N votes ahead of every other. auto is the least N that "
        "reaches --target if it is known how often the model is wrong, such as from --calibration, and 3 otherwise. If "
        "models vote on several parts of the task: PART=N,PART=N.",
    ),
]


Within = Annotated[
    int | None,
    typer.Option(
        help="The most votes on one step. If no answer can win within them, the step is contested: it is left to a person, "
        "and no model votes on it again. If N equals --k, only unanimous votes decide. Default: no limit but --max-samples.",
        metavar="N",
        min=1,
    ),
]


CascadeFrom = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A cascade, in place of --model, --k, --within and --temperature: a JSON file of rungs, each a model and a "
        "rule. A step that one rung does not decide goes to the next. maker-graph plan --labelled writes such a file.",
    ),
]


CalibrationFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="The file that maker-graph calibrate wrote about the model. --k auto is planned from it. If models vote on "
        "several parts of the task: PART=FILE, and repeat --calibration for each part.",
    ),
]


MaxSamples = Annotated[
    int,
    typer.Option(help="The most samples (replies of the model) on one step. If they do not decide it, it is undecided.", min=1),
]


StuckAfter = Annotated[
    int,
    typer.Option(
        help="A step is stuck after this many red flags (discarded replies) in a row. Then it climbs the ladder: "
        "--retry-temperature, --rephrase, --escalate.",
        min=1,
    ),
]


RetryTemperature = Annotated[
    str,
    typer.Option(
        "--retry-temperature",
        "--hotter",
        metavar="T|none",
        help="First rung of the ladder: a stuck step is asked again at this temperature. none leaves the rung out.",
    ),
]


Rephrase = Annotated[
    bool,
    typer.Option(
        "--rephrase/--no-rephrase", help="Second rung of the ladder: the task's prompt in other words, if it has any."
    ),
]


Escalate = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Third rung of the ladder: a stronger model, named as in --model. Default: none."),
]


Seed = Annotated[
    int | None,
    typer.Option(
        help="A number. The same seed draws the same samples again. Default: 1 for tiny and simulated models. Other models "
        "are sent no seed unless you give one."
    ),
]


Variants = Annotated[
    bool,
    typer.Option(
        "--variants",
        help="Ask each sample one of several forms of the same question, such as hanoi with other names of the pegs, so that "
        "not all samples make the same mistake. The task must have such forms.",
    ),
]


TemperatureOption = Annotated[
    str,
    typer.Option(
        "--temperature",
        metavar="T0,T",
        help="The temperature of the first sample of a step and of the others, such as 0,0.1, or one number for all. auto is "
        "what suits the model; none sends no temperature.",
    ),
]


MaxTokens = Annotated[
    int | None,
    typer.Option(
        help="The most output tokens of a sample. A longer reply is discarded. Default: 750, or what a simulated model was "
        "measured with.",
        min=1,
    ),
]


StopAt = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="TEXT",
        help="A text at which a reply ends, such as '\\n'. Repeat --stop for several texts. Not all models take it.",
    ),
]
"""Texts at which a reply ends."""

Structured = Annotated[
    bool,
    typer.Option(
        "--structured", help="Send the JSON schema of the answer along. The task must have one, and the model must take it."
    ),
]

EmitBy = Annotated[
    str | None,
    typer.Option(
        "--emit",
        metavar="MODEL",
        help="Let the model reason freely. A second, short call to MODEL then writes the answer in its form. 'same' is the "
        "model of --model.",
    ),
]
"""Who writes down each answer."""

Check = Annotated[bool, typer.Option("--check/--no-check", help="Discard answers that break the task's rules.")]


Target = Annotated[
    float, typer.Option(help="The chance, between 0 and 1, that no step of the task is wrong. k is planned for it.")
]


AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output, at the end.")]


OwnTask = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="MODULE:NAME", help="The task of the run, if it is code of your own. It is imported by this name."
    ),
]


Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Import the task that the run's directory or journal names. Do this only if you know that code.",
    ),
]


Wait = Annotated[
    bool,
    typer.Option("--wait", help="If a step needs a person, wait for an answer from maker-graph watch, and go on with it."),
]


Force = Annotated[bool, typer.Option("--force", help="Replace a file that is in the place of a result, even if it is yours.")]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar and no table.")]


MaxCost = Annotated[
    float | None,
    typer.Option(
        help="Stop before more USD than this are spent, over all resumes. A resume keeps the limit unless you give another. "
        "Default: no limit.",
        min=0,
    ),
]


MaxCalls = Annotated[
    int | None,
    typer.Option(help="Stop before more requests than this are made, failed ones included. Kept like --max-cost.", min=0),
]


MaxMinutes = Annotated[float | None, typer.Option(help="Stop after this many minutes of work. Kept like --max-cost.", min=0)]


MaxSteps = Annotated[
    int | None,
    typer.Option(
        help="Stop after this many steps of the task. Kept like --max-cost. Default: as many as the task says, or 10,000,000 "
        "if it does not.",
        min=1,
    ),
]


Rpm = Annotated[float | None, typer.Option(help="The most requests per minute. Default: no limit.", min=0.001)]


Timeout = Annotated[
    float | None,
    typer.Option(
        help="Seconds after which a request is given up and made again. Default: 120, and more if replies take long.", min=0.001
    ),
]


Patience = Annotated[
    float, typer.Option(help="How many minutes to wait while the provider is out of reach. 1440 is a day.", min=0.001)
]


Batch = Annotated[
    bool,
    typer.Option(
        "--batch",
        help="Ask for all samples that are drawn at the same time in one request, so that the prompt is billed once. Only "
        "for OpenAI and servers with its API, and for runs without a seed.",
    ),
]


FsyncOption = Annotated[
    Fsync,
    typer.Option(
        "--fsync", help="full: each step is on disk before the next. normal: faster, but a power cut may lose the last steps."
    ),
]


OwnPrice = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="IN,OUT",
        help="USD per million input and output tokens, such as 0.4,1.6, in place of the list price. For several models: "
        "'MODEL=IN,OUT; MODEL=IN,OUT'.",
    ),
]


Concurrency = Annotated[int | None, typer.Option(help="The most samples in flight at once. Default: no limit.", min=1)]


LookaheadOption = Annotated[
    str | None,
    typer.Option(
        "--lookahead",
        metavar="N|auto",
        help="How many steps are voted on at once. The later ones begin from a draft: states that a model predicts. This "
        "makes a run faster, draws some more samples, and changes no decision. auto adapts to how often drafts are right. "
        "Default: 1; for items, which do not depend on each other, as many as --concurrency allows. A resume keeps it.",
    ),
]


DraftModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="The model that writes the drafts for --lookahead. Default: the run's own model. A resume keeps it.",
    ),
]


Probe = Annotated[
    bool,
    typer.Option(
        "--probe/--no-probe",
        help="First ask a real model three small questions, to see that no cache answers in its place. They count as calls "
        "and are paid for.",
    ),
]


TraceOption = Annotated[
    Trace | None,
    typer.Option(
        "--trace",
        help="What is sent to LangSmith: off: nothing; contested: only steps on which votes disagreed or replies were "
        "discarded; all: every step. Default: off. If the environment variable LANGSMITH_TRACING is true: all of a task of "
        "up to 2,000 steps; of a longer one its beginning, its end and what contested sends.",
    ),
]


OnDoubtOption = Annotated[
    str | None,
    typer.Option(
        "--on-doubt",
        metavar="again|ask",
        help="For a task that acts on the world. If a run goes on and it is not known whether its last action was done: "
        "again does it again; ask stops and asks you. Default: again. A resume keeps it.",
    ),
]

ProvenanceOption = Annotated[
    Path | None,
    typer.Option(
        "--provenance",
        metavar="FILE",
        help="Write a second file with the results, as JSON Lines: how each item was decided, with its votes, samples and "
        "cost.",
    ),
]

RecordTo = Annotated[
    Path | None,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Append every prompt and reply to FILE as JSON Lines. FILE is a new file, or an earlier record.",
    ),
]


TestCommand = Annotated[
    str | None,
    typer.Option(
        "--test",
        metavar="COMMAND",
        help="For migrate: the command that runs your tests, such as 'pytest -q'. They run in a copy of your code with the "
        "edits that a model wrote. Edits that make them fail are left out.",
    ),
]


TestSeconds = Annotated[
    float | None, typer.Option(help="How many seconds the command of --test may take. Default: 600.", min=0.1)
]


Apply = Annotated[
    bool,
    typer.Option(
        "--apply", help="For migrate: make the edits in your git tree itself, which must have no uncommitted changes."
    ),
]


Yes = Annotated[bool, typer.Option("--yes", help="Agree that --test runs code that a model wrote, without being asked.")]


def parse_k(text: str) -> int | Auto | dict[str, int | Auto]:
    """Return the k in `text`, or one k for each part (choose=3,verdict=2).

    Raises:
        UsageError: one of them is not a k, or a part is named twice.
    """
    if "=" in text:
        return {name: _lead(value) for name, value in by_part("--k", text.split(",")).items()}
    return _lead(text)


def _lead(text: str) -> int | Auto:
    if text == "auto":
        return "auto"
    if not text.isascii() or not text.isdigit():
        raise UsageError(
            f"--k must be a whole number of at least 1, or auto, or one for each part (choose=3,verdict=2), not {text!r}."
        )
    return int(text)


def by_part(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Return the values in `texts`, by the name of their part. Each text is name=value.

    Raises:
        UsageError: a text has another form, or a part is named twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (each.strip() for each in text.partition("="))
        if not (name and equals and value):
            raise UsageError(f"{option} for a part must be NAME=VALUE, not {text!r}.")
        if name in found:
            raise UsageError(f"{option} names the part {name!r} twice: give it once.")
        found[name] = value
    return found


_PART_MODEL = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)=(?=[\w.-]*[A-Za-z][\w.-]*:|tiny(?:,|$))")
"""Finds where the model of a part begins. It does not find a setting of a simulated model, as in sim:perfect,error=.1."""


def models_named(model: str) -> str | dict[str, str]:
    """Return the model of a run, or the model of each voted part (`choose=openai:x,verdict=openai:y`).

    Raises:
        UsageError: a part is named twice, or has no model.
    """
    if not _PART_MODEL.match(model):
        return model
    return dict(by_part("--model", _PART_MODEL.sub(r"\n\1=", model).split("\n")[1:]))


def calibrations_named(texts: Sequence[str]) -> Path | dict[str, Path] | None:
    """Return the file of a calibration, or one file for each part, or None if `texts` is empty.

    Raises:
        UsageError: several files are given, and not each of them for a part of its own.
    """
    if len(texts) == 1 and ("=" not in texts[0] or is_there(Path(texts[0]))):
        return Path(texts[0])
    return {name: Path(file) for name, file in by_part("--calibration", texts).items()} or None


def parse_temperature(text: str) -> Temperature | Auto:
    """Return the temperature of the first sample and that of the others; None sends none.

    Raises:
        UsageError: `text` is not a temperature.
    """
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    try:
        first, *rest = (float(part) for part in text.split(","))
        (others,) = rest or [first]
    except ValueError:
        raise UsageError(f"--temperature must be one or two numbers (0,0.1), auto or none, not {text!r}.") from None
    if not (0 <= first < float("inf") and 0 <= others < float("inf")):
        raise UsageError(f"A temperature must be at least 0, not {text!r}.")
    return first, others


def parse_temperatures(text: str) -> list[Temperature | Auto]:
    """Return several temperatures, each of them once. All samples of a step have the same one.

    Raises:
        UsageError: there are not at least two, or one is not a temperature.
    """
    try:
        found = [parse_temperature(each.strip()) for each in text.split(",")]
    except UsageError:
        found = []
    if len(found) < 2 or not all(isinstance(each, tuple) for each in found):
        raise UsageError(f"--temperatures must be at least two numbers of at least 0, such as 0,.1,.4,.7,1, not {text!r}.")
    return list(dict.fromkeys(found))


def parse_retry_temperature(text: str) -> float | None:
    """Return the temperature of the ladder's first rung; None leaves the rung out.

    Raises:
        UsageError: `text` is not one temperature.
    """
    try:
        given = parse_temperature(text)
    except UsageError:
        given = "auto"  # which is no temperature here either
    if given == "auto" or (isinstance(given, tuple) and given[0] != given[1]):
        raise UsageError(f"--retry-temperature must be one temperature, or none, not {text!r}.")
    return given[0] if isinstance(given, tuple) else given


def voted_of(given: Mapping[str, Any], loaded: "LoadedTask") -> dict[str, Any]:
    """Return how steps are voted on, as arguments of `Run.create`. `given` are the options of a command, not yet read.

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
    """Return what a run keeps and a resume may change. `given` are the options of a command, not yet read.

    The limits on cost and calls are not among them, because those of `submit` are limits of a whole fleet.

    Raises:
        UsageError: one of them cannot be read.
    """
    return {
        **{name: given[name] for name in ("max_minutes", "max_steps", "price", "draft_model")},
        "lookahead": parse_lookahead(given["lookahead"]),
        "on_doubt": parse_on_doubt(given["on_doubt"]),
    }


def parse_on_doubt(text: str | None) -> Literal["again", "ask"] | None:
    """Return what is done about an action in doubt; None if the option was not given.

    Raises:
        UsageError: `text` is something else.
    """
    if text in {"again", "ask"} or text is None:
        return text  # type: ignore[return-value]  # it is one of them
    raise UsageError(f"--on-doubt must be again or ask, not {text!r}.")


def parse_lookahead(text: str | None) -> int | Auto | None:
    """Return how many microsteps are in flight at once; None if the option was not given.

    Raises:
        UsageError: `text` is no such number.
    """
    if text is None or text == "auto":
        return "auto" if text else None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f"--lookahead must be a whole number of at least 1, or auto, not {text!r}.")
    return int(text)


def unescaped(reply: str) -> str:
    r"""Return a reply in which each typed \n is a line end. A reply in JSON stays as it is."""
    return reply if reply.lstrip()[:1] in {"{", "["} else reply.replace("\\n", "\n")


def task_named(name: str, disks: int | None, source: Path | None, sets: Sequence[str] | None) -> "LoadedTask":
    """Return the task of this name, made with the values of `--disks`, `--input` and `--set`.

    Raises:
        UsageError: there is no such task, one of its options is wrong, or its input cannot be read.
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
    """Return the directory of a run: `name` under runs/, or `name` itself if it is a path or the directory of a run."""
    path = Path(name)
    return path if os.sep in str(name) or is_there(path / "settings.json") else Path("runs") / path


def journal_of(name: str, journal: str | None) -> str | None:
    """Return the address of the database that holds the run `name`; None if the run is in a directory.

    The environment variable MAKER_GRAPH_JOURNAL counts only if `name` is not a path.

    Raises:
        UsageError: `name` is a path and there is an address too, or the address is empty.
    """
    if journal is not None and not journal:
        raise UsageError("--journal is empty: give an address like postgresql://HOST/DATABASE, or leave it out.")
    is_path = os.sep in name
    if journal and is_path:
        raise UsageError(
            f"{name} is a directory, but --journal is the address of a database: name the run without {os.sep}, or leave out "
            "--journal."
        )
    return journal or (None if is_path else os.environ.get("MAKER_GRAPH_JOURNAL") or None)


def home_of(name: str, journal: str | None = None, *, fsync: Fsync = "full", standing: bool = False) -> "Home":
    """Return where the run `name` is. A `standing` one is opened often, and keeps its connection.

    Raises:
        UsageError: name and journal do not go together, the address is wrong, or no run can have this name.
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
    """Open the run `name`, and return it.

    A task that does not ship is code, and whoever made the run has chosen which. It is imported only if the user names it
    (`task`) or trusts the directory or the journal (`trust`); see `Run.open`.

    Raises:
        MakerError: the run cannot be opened, as in `Run.open`.
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
    """Tell that a long run is being read, which takes some seconds."""
    from maker_graph.run.summary import LONG

    if run.step >= LONG:
        tell(f"Reading {run.step:,} steps.")
