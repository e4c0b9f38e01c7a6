"""The top of the page: the result in a sentence, and the run in eight figures."""

from collections.abc import Mapping
from typing import assert_never

from maker_graph.core.verdict import Verdict
from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import escaped
from maker_graph.report.wording import duration, percent, short

_STYLES: Mapping[Verdict | None, str] = {"proved": "good", "right": "good", "contradicted": "bad"}

SIMULATED = "simulated: no evidence about any real model"


def headline(data: ReportData) -> str:
    """Return the result in one sentence."""
    steps = f"{data.steps:,} {'dependent steps' if data.dependent else 'steps'}"
    if data.done is None:
        return f"{steps}: not replayed"
    if not data.done:
        against = ", contradicted" if data.verdict == "contradicted" else ""
        return f"{steps.replace(' ', f' of {data.total:,} ', 1) if data.total else steps}: not done yet{against}"
    return f"{steps}{_worth(data)}"


def _worth(data: ReportData) -> str:
    """Return the words on what a finished run is worth; they follow the number of its steps."""
    match data.verdict:
        case None | "unfinished":
            return ": done, not replayed here"
        case "proved" | "right":
            return f", no error: {data.verdict}"
        case "contradicted":
            first = data.truth.first_wrong
            return f"{'' if first is None else f', the first error at step {first:,}'}: contradicted"
        case "open":
            return f": {data.because}"
        case "consistent":
            return ", nothing contradicts them: consistent"
        case _:
            assert_never(data.verdict)


def header(data: ReportData) -> str:
    """Return the page's header: the result in a sentence, and badges."""
    settings = data.settings
    options = ", ".join(f"{name} {value}" for name, value in settings.options.items() if name != "digest")
    badges = [
        {True: "", False: '<li class="wait">not done</li>', None: '<li class="wait">not replayed</li>'}[data.done],
        "" if data.verdict in {None, "unfinished"} else f'<li class="{_STYLES.get(data.verdict, "wait")}">{data.verdict}</li>',
        f'<li class="wait">{SIMULATED}</li>' if settings.simulated else "",
        f"<li>{escaped(settings.model)}</li>",
        f"<li>{f'a cascade of {len(data.rungs)} rungs' if data.rungs else settings.voting.rule}</li>",
    ]
    about = " · ".join(filter(None, ("maker_graph", data.name, settings.task, options)))
    return (
        f'<header><p class="eyebrow">{escaped(about)}</p><h1>{escaped(headline(data))}</h1>'
        f'<ul class="badges">{"".join(badges)}</ul>{_meter(data)}</header>'
    )


def _meter(data: ReportData) -> str:
    """Return how far an unfinished run is, as on the page of `maker-graph watch`."""
    if data.done or not data.total:
        return ""
    share = f"{min(100, 100 * data.steps / data.total):.1f}"
    return (
        f'<div class="meter" role="progressbar" aria-label="Steps decided" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share}"><i style="width:{share}%"></i></div>'
    )


def tiles(data: ReportData) -> str:
    """Return the run in eight figures."""
    steps, spent = max(data.steps, 1), data.spent
    flags = sum(data.flags.values())
    first = data.first_sample_wrong_at
    of = f"of {data.total:,}" if data.total else "no total known"
    shown = [
        ("Steps", f"{data.steps:,}", of),
        (
            "Samples",
            f"{data.samples:,}",
            f"{data.samples / steps:.2f} a step, in {data.rounds / steps:.2f} rounds",
        ),
        ("Votes that lost", f"{data.outvoted:,}", f"on {data.contested:,} contested steps"),
        ("Red flags", f"{flags:,}", f"{percent(flags / max(data.samples, 1))} of the samples"),
        (
            "One sample a step",
            f"differs at step {first:,}" if first else "the same",
            f"{data.single_differs:,} first samples were not the decided answer",
        ),
        ("Spent", *_cost(data)),
        ("Output tokens", short(spent.output), f"{short(spent.input)} input, {short(spent.cached)} of them cached"),
        (
            "At work",
            duration(spent.seconds),
            f"{data.steps / spent.seconds:,.3g} steps a second" if spent.seconds else "",
        ),
    ]
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{name}</dt><dd>{escaped(value)}<small>{escaped(more)}</small></dd></div>" for name, value, more in shown
        )
        + "</dl>"
    )


def _cost(data: ReportData) -> tuple[str, str]:
    if data.settings.simulated:
        listed = f"; at list price ${data.list_price:,.2f}" if data.list_price else ""
        return "$0", f"simulated{listed}"
    if data.spent.cost:
        return f"${data.spent.cost:,.2f}", "at the prices known"
    if data.settings.info.ships:
        return "$0", f"for {data.settings.model}, which runs on this machine"
    return "not known", "no price for this model"
