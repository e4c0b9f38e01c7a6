"""What was run."""

from maker_graph.core.voting import Voting
from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import section, table


def settings_section(data: ReportData) -> str:
    """Return the section that says what was run."""
    settings = data.settings
    rows = [
        ("Task", settings.task),
        *((f"Option {name}", str(value)) for name, value in settings.options.items()),
        *([("Slice", f"{only.first + 1:,} to {only.first + only.rows:,}")] if (only := settings.slice) else []),
        *(
            (f"Content of {name}", f"{digest[:16]}\N{HORIZONTAL ELLIPSIS} (SHA-256)")
            for name, digest in settings.inputs.items()
        ),
        *_voted(settings.model, settings.voting),
    ]
    for number, rung in enumerate(settings.cascade, start=2):
        of_rung = [*_voted(rung.model, rung.voting), *([("Prompt", f"rephrased, {rung.rephrase}")] if rung.rephrase else [])]
        rows += [(f"Rung {number}: {name.lower()}", value) for name, value in of_rung]
    rows.append(("Undecided steps", _undecided(data)))
    if data.passed:
        rows.append(("Contested", f"{data.passed:,} open steps, left to a person"))
    return section("What was run", table(rows))


def _voted(model: str, voting: Voting) -> list[tuple[str, str]]:
    """Return which model votes, and how."""
    temperature = (
        "left to the model"
        if voting.temperatures is None
        else "{} for a step's first sample, {} for the others".format(*voting.temperatures)
    )
    cap = voting.output_cap
    return [
        ("Model", model),
        ("Decides", str(voting.rule)),
        ("Rules of the task", "checked: an answer that breaks one is discarded" if voting.check else "not checked"),
        ("Temperature", temperature),
        ("Output cap", "left to the model" if cap is None else f"{cap:,} tokens"),
        ("Most samples a step", f"{voting.max_samples:,}"),
        ("Stuck", f"after {voting.stuck_after} red flags in a row"),
        ("Seed", "none" if voting.seed is None else str(voting.seed)),
        *([("Variants", "each sample is asked one of the equivalent questions of its step")] if voting.variants else []),
        *([("Replies end at", ", ".join(map(repr, voting.stop)))] if voting.stop else []),
        *([("Structured", "the answer's JSON schema goes to the provider")] if voting.structured else []),
        *([("Answers written by", voting.emit.writer or "a second call of the same model")] if voting.emit else []),
    ]


def _undecided(data: ReportData) -> str:
    """Return what happens to a step that the first vote does not decide."""
    if data.settings.cascade:
        return "contested or stuck: the next rung; after the last one, a person"
    said = data.settings.ladder
    ladder = [
        None if said.temperature is None else f"temperature {said.temperature}",
        "the prompt in other words" if said.rephrase else None,
        said.model,
    ]
    stuck = f"stuck: {', then '.join(filter(None, ladder)) or 'ask a person'}"
    return stuck if str(data.settings.voting.rule) == f"ahead by {data.settings.k}" else f"contested: a person; {stuck}"
