"""The top of the page: the result in a sentence, and the run in eight figures."""

from maker_graph.report.collecting import Collected
from maker_graph.report.sections.html import escaped
from maker_graph.report.wording import duration, percent, short

SIMULATED = "simulated: no evidence about any real model"


def headline(collected: Collected) -> str:
    """Return the result in one sentence."""
    steps = f"{collected.steps:,} {'dependent steps' if collected.dependent else 'steps'}"
    if not collected.done:
        return f"{steps.replace(' ', f' of {collected.total:,} ', 1) if collected.total else steps}: not done yet"
    if collected.no_error:
        return f"{steps}, no error: verified"
    if collected.verified:
        return f"{steps}, every answer within the task's rules: verified"
    return f"{steps}{_shortcoming(collected)}"


def _shortcoming(collected: Collected) -> str:
    if collected.verified is None:
        return ": done, not verified here"
    if collected.truth.first_wrong is not None:
        return f", the first error at step {collected.truth.first_wrong:,}: not verified"
    if collected.endings.left:
        return f", {collected.endings.left:,} of them decided by no vote"
    return ": not verified"


def header(collected: Collected) -> str:
    """Return the page's header: the result in a sentence, and badges."""
    settings = collected.settings
    options = ", ".join(f"{name} {value}" for name, value in settings.options.items() if name != "digest")
    badges = [
        '<li class="wait">not done</li>' if not collected.done else "",
        {True: '<li class="good">verified</li>', False: '<li class="bad">not verified</li>', None: ""}[collected.verified],
        f'<li class="wait">{SIMULATED}</li>' if settings.simulated else "",
        f"<li>{escaped(settings.model)}</li>",
        f"<li>ahead by {settings.k}</li>",
    ]
    about = " · ".join(filter(None, ("maker_graph", collected.name, settings.task, options)))
    return (
        f'<header><p class="eyebrow">{escaped(about)}</p><h1>{escaped(headline(collected))}</h1>'
        f'<ul class="badges">{"".join(badges)}</ul></header>'
    )


def tiles(collected: Collected) -> str:
    """Return the run in eight figures."""
    steps, spent = max(collected.steps, 1), collected.spent
    flags = sum(collected.flags.values())
    wrong = collected.first_sample_wrong_at
    of = f"of {collected.total:,}" if collected.total else "no total known"
    shown = [
        ("Steps", f"{collected.steps:,}", of),
        (
            "Samples",
            f"{collected.samples:,}",
            f"{collected.samples / steps:.2f} a step, in {collected.rounds / steps:.2f} rounds",
        ),
        ("Votes that lost", f"{collected.outvoted:,}", f"on {collected.contested:,} contested steps"),
        ("Red flags", f"{flags:,}", f"{percent(flags / max(collected.samples, 1))} of the samples"),
        (
            "One sample a step",
            f"wrong at step {wrong:,}" if wrong else "the same",
            f"{collected.first_samples_wrong:,} first samples were not the decided answer",
        ),
        ("Spent", *_cost(collected)),
        ("Output tokens", short(spent.output), f"{short(spent.input)} input, {short(spent.cached)} of them cached"),
        (
            "At work",
            duration(spent.seconds),
            f"{collected.steps / spent.seconds:,.3g} steps a second" if spent.seconds else "",
        ),
    ]
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{name}</dt><dd>{escaped(value)}<small>{escaped(more)}</small></dd></div>" for name, value, more in shown
        )
        + "</dl>"
    )


def _cost(collected: Collected) -> tuple[str, str]:
    if collected.settings.simulated:
        listed = f"; at list price ${collected.list_price:,.2f}" if collected.list_price else ""
        return "$0", f"simulated{listed}"
    if collected.spent.cost:
        return f"${collected.spent.cost:,.2f}", "at the prices known"
    if collected.settings.info.ships:
        return "$0", f"for {collected.settings.model}, which runs on this machine"
    return "not known", "no price for this model"
