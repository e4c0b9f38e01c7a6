"""What was run."""

from maker_graph.report.collecting import Collected
from maker_graph.report.sections.html import section, table


def settings_section(collected: Collected) -> str:
    """Return the section that says what was run."""
    settings = collected.settings
    temperature = (
        "left to the model"
        if settings.temperature is None
        else "{} for a step's first sample, {} for the others".format(*settings.temperature)
    )
    ladder = [
        None if settings.hotter is None else f"temperature {settings.hotter}",
        "the prompt in other words" if settings.rephrase else None,
        None if settings.escalate is None else settings.escalate,
    ]
    rows = [
        ("Task", settings.task),
        *((f"Option {name}", str(value)) for name, value in settings.options.items()),
        ("Model", settings.model),
        ("Decides", f"a lead of k = {settings.k}"),
        ("Rules of the task", "checked: an answer that breaks one is discarded" if settings.check else "not checked"),
        ("Temperature", temperature),
        ("Output cap", f"{settings.max_tokens:,} tokens"),
        ("Most samples a step", f"{settings.max_samples:,}"),
        (
            "When stuck",
            f"after {settings.stuck_after} red flags in a row: " + (", then ".join(filter(None, ladder)) or "ask a person"),
        ),
        ("Seed", "none" if settings.seed is None else str(settings.seed)),
    ]
    return section("What was run", table(rows))
