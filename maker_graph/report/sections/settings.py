"""What was run."""

from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import section, table


def settings_section(data: ReportData) -> str:
    """Return the section that says what was run."""
    settings = data.settings
    voting, rungs = settings.voting, settings.ladder
    temperature = (
        "left to the model"
        if voting.temperatures is None
        else "{} for a step's first sample, {} for the others".format(*voting.temperatures)
    )
    ladder = [
        None if rungs.temperature is None else f"temperature {rungs.temperature}",
        "the prompt in other words" if rungs.rephrase else None,
        None if rungs.model is None else rungs.model,
    ]
    rows = [
        ("Task", settings.task),
        *((f"Option {name}", str(value)) for name, value in settings.options.items()),
        *(
            (f"Content of {name}", f"{digest[:16]}\N{HORIZONTAL ELLIPSIS} (SHA-256)")
            for name, digest in settings.inputs.items()
        ),
        ("Model", settings.model),
        ("Decides", f"a lead of k = {settings.k}"),
        ("Rules of the task", "checked: an answer that breaks one is discarded" if voting.check else "not checked"),
        ("Temperature", temperature),
        ("Output cap", f"{voting.output_cap:,} tokens"),
        ("Most samples a step", f"{voting.max_samples:,}"),
        (
            "When stuck",
            f"after {voting.stuck_after} red flags in a row: " + (", then ".join(filter(None, ladder)) or "ask a person"),
        ),
        ("Seed", "none" if voting.seed is None else str(voting.seed)),
    ]
    return section("What was run", table(rows))
