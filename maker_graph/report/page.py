"""The report of a run: one HTML page that needs no network, and its figures as PNG files.

Whatever a model or a user wrote is made visible and escaped, and stands only in text. Should that fail, the page's policy
(`_policy`) still refuses every script but the page's own, known by its hash, and every request.
"""

import base64
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from maker_graph.core.characters import visible
from maker_graph.errors import LimitReached
from maker_graph.report.collecting import REPLAYED, Collected, Contest, collect
from maker_graph.report.figures import PALETTE, contest_colours, letter, png, run_figures, svg
from maker_graph.report.wording import NOTHING, chance, count, dollars, duration, number, percent, short
from maker_graph.run import directory as runs

NOT_RECORDED = "not recorded by the version that made this run"
SIMULATED = "simulated: no evidence about any real model"
SPEEDS = (1, 4, 16, 60, 240)
"""Frames a second of the pegs."""

_LONGEST = 300
"""So many characters are shown of a candidate."""


def write(run: runs.Run, certificate: Mapping[str, Any] | None = None) -> list[Path]:
    """Write `report.html` and `figures/*.png` into the run's directory; return their paths, the page first.

    Each file is there whole or not at all, and readable by its owner only, as all of a run.

    Raises:
        DamagedRun: the journal is not what was written.
        LimitReached: the directory cannot be written.
    """
    collected = collect(run, certificate)
    figures = run_figures(collected)
    folder = run.directory / "figures"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        pictures = [_put(folder / f"{name}.png", png(figure)) for name, figure in figures.items()]
        return [_put(run.directory / "report.html", page(collected, figures).encode()), *pictures]
    except OSError as error:
        raise LimitReached(f"The report cannot be written ({error}): make room, or give access, and report again.") from error


def page(collected: Collected, figures: Mapping[str, Figure] | None = None) -> str:
    """Return the page; the figures are drawn, unless they are given."""
    drawn = {name: svg(figure, name) for name, figure in (run_figures(collected) if figures is None else figures).items()}
    script = _asset("report.js") if collected.frames else ""
    sections = [
        _result(collected),
        _pegs(collected),
        _planned(collected),
        _undecided(collected, drawn),
        _contests(collected, drawn),
        _flags(collected, drawn),
        _samples(collected, drawn),
        _lengths(collected, drawn),
        _pace(collected, drawn),
        _settings(collected),
    ]
    title = f"{collected.name}: {headline(collected)}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            '<link rel="icon" href="data:,">',
            f"<title>{_e(title)}</title>",
            f"<style>{_asset('report.css')}</style>",
            "</head>",
            "<body>",
            _header(collected),
            "<main>",
            _tiles(collected),
            *filter(None, sections),
            "</main>",
            f"<footer><p>Run {_e(collected.settings.id)}. Everything on this page comes from the run's journal.</p></footer>",
            f"<script>{script}</script>" if script else "",
            "</body>",
            "</html>",
            "",
        ]
    )


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


def _header(collected: Collected) -> str:
    settings = collected.settings
    options = ", ".join(f"{name} {value}" for name, value in settings.options.items() if name != "digest")
    badges = [
        '<li class="wait">not done</li>' if not collected.done else "",
        {True: '<li class="good">verified</li>', False: '<li class="bad">not verified</li>', None: ""}[collected.verified],
        f'<li class="wait">{SIMULATED}</li>' if settings.simulated else "",
        f"<li>{_e(settings.model)}</li>",
        f"<li>ahead by {settings.k}</li>",
    ]
    about = " · ".join(filter(None, ("maker_graph", collected.name, settings.task, options)))
    return (
        f'<header><p class="eyebrow">{_e(about)}</p><h1>{_e(headline(collected))}</h1>'
        f'<ul class="badges">{"".join(badges)}</ul></header>'
    )


def _tiles(collected: Collected) -> str:
    steps, spent = max(collected.steps, 1), collected.spent
    flags = sum(collected.flags.values())
    wrong = collected.first_sample_wrong_at
    of = f"of {collected.total:,}" if collected.total else "no total known"
    tiles = [
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
        + "".join(f"<div><dt>{name}</dt><dd>{_e(value)}<small>{_e(more)}</small></dd></div>" for name, value, more in tiles)
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


def _result(collected: Collected) -> str:
    certificate, truth = collected.certificate, collected.truth
    said = [_verification(collected)]
    if truth.steps:
        said.append(
            f"Held against the task's own truth, {truth.wrong_steps:,} of {truth.steps:,} decisions are wrong, and "
            f"{truth.wrong_votes:,} of {truth.votes:,} votes ({percent(truth.wrong_votes / max(truth.votes, 1))}) were."
            + ("" if truth.steps == collected.steps else " No more can be judged: off the right path the task knows no truth.")
        )
    text = "".join(f"<p>{_e(sentence)}</p>" for sentence in said)
    if certificate is None:
        return _section("Result", text, _missing("No certificate was made: none was asked for, or the run is not at its end."))
    low, likely, high = (_unit(certificate["chance"][name]) for name in ("low", "value", "high"))
    bar = (
        '<div class="chance"><div class="track">'
        f'<span class="range" style="left:{100 * low:.4f}%;width:{100 * max(high - low, 0):.4f}%"></span>'
        f'<span class="point" style="left:{100 * likely:.4f}%"></span></div>'
        '<div class="ends"><span>0</span><span>chance that no step is wrong</span><span>1</span></div></div>'
    )
    rows = [
        ("Error of a sample", _between(certificate["error"])),
        ("Correlation within a step", _between(certificate["rho"])),
        ("Contested steps", f"{certificate['contested']:,} of {certificate['steps']:,}"),
    ]
    assumed = certificate["assumptions"]
    return _section(
        "Result and certificate",
        text,
        f"<p>From the ballots alone, the chance that no step is wrong is <b>{chance(likely)}</b>, between {chance(low)} and "
        f"{chance(high)}.</p>",
        bar,
        _table(rows),
        f'<h3>It assumes</h3><ul class="plain">{"".join(f"<li>{_e(each)}</li>" for each in assumed)}</ul>' if assumed else "",
    )


def _verification(collected: Collected) -> str:
    if not collected.done:
        return "The task is not at its end; what follows is of the steps decided so far."
    if collected.verified:
        return "Replayed from the journal without a model: every answer keeps the task's rules, and the goal is reached."
    if collected.verified is False:
        return (
            "Replayed from the journal: not every step was decided by the rules, or the goal is not reached in as many steps."
        )
    return (
        f"Whether the run holds was {NOT_RECORDED}, and runs of more than {REPLAYED:,} steps are not replayed for a report: "
        "maker-graph verify does that."
    )


def _pegs(collected: Collected) -> str:
    frames = collected.frames
    if frames is None:
        return ""
    every = "every step" if frames.stride == 1 else f"every {frames.stride:,}th step"
    data = json.dumps({"pegs": frames.pegs, "stride": frames.stride, "last": frames.last}).replace("<", "\\u003c")
    options = "".join(f'<option value="{rate}">{rate} frames / s</option>' for rate in SPEEDS)
    return _section(
        "The pegs",
        f'<p class="lead">Where the disks were by the decided answers, {every}.</p>',
        '<div class="pegs"><svg id="pegs" viewBox="0 0 720 246" role="img" aria-label="Three pegs and their disks"></svg></div>'
        '<div class="controls"><button id="play" type="button">Play</button>'
        '<input id="at" type="range" min="0" max="0" value="0" aria-label="Step">'
        f'<select id="speed" aria-label="Speed">{options}</select><output id="where" for="at"></output></div>',
        f'<script type="application/json" id="frames">{data}</script>',
    )


def _between(estimate: Mapping[str, float] | None) -> str:
    """Return an estimate with its interval; of a certificate's."""
    if estimate is None:
        return NOTHING
    return f"{number(estimate['value'])} ({number(estimate['low'])} to {number(estimate['high'])})"


def _planned(collected: Collected) -> str:
    plan, settings, truth, spent = collected.plan, collected.settings, collected.truth, collected.spent
    certificate: Mapping[str, Any] = collected.certificate or {"rho": None, "chance": None}
    if plan is None:
        return _section("Planned and actual", _missing(f"What was planned: nothing, or {NOT_RECORDED}."))
    steps, samples = max(collected.steps, 1), max(spent.samples, collected.samples)
    planned = plan.get("samples")
    flags = sum(collected.flags.values()) / max(collected.samples, 1)
    cost = f"${collected.list_price or 0:,.2f} at list price, none spent" if settings.simulated else dollars(spent.cost)
    rows = [
        ("Lead that decides", number(plan.get("k")), f"{settings.k}"),
        (
            "Valid samples that are right",
            number(plan.get("p")),
            percent(1 - truth.wrong_votes / truth.votes) + ("" if truth.known else ", by the decided answers")
            if truth.votes
            else NOTHING,
        ),
        ("Correlation within a step", number(plan.get("rho")), _between(certificate["rho"])),
        (
            "Chance of no error",
            chance(plan.get("p_full")),
            NOTHING if certificate["chance"] is None else chance(certificate["chance"]["value"]),
        ),
        ("Samples", count(planned), f"{samples:,}"),
        (
            "Samples a step",
            f"{planned / collected.total:.2f}" if planned and collected.total else NOTHING,
            f"{collected.samples / steps:.2f}",
        ),
        ("Samples flagged", NOTHING, percent(flags)),
        ("Cost", dollars(plan.get("cost_usd")), cost),
    ]
    body = "".join(f"<tr><th scope='row'>{name}</th><td>{_e(a)}</td><td>{_e(b)}</td></tr>" for name, a, b in rows)
    model = plan.get("model_of_errors")
    return _section(
        "Planned and actual",
        f"<p class='lead'>Planned with this model of errors: {_e(model)}.</p>" if model else "",
        "<div class='scroll'><table><thead><tr><th></th><th scope='col'>planned</th><th scope='col'>actual</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>",
        "" if collected.done else _missing("The plan is for the whole task, of which a part is done."),
    )


def _undecided(collected: Collected, drawn: Mapping[str, str]) -> str:
    k, left = collected.settings.k, collected.endings.left
    more = f" {left:,} steps were decided by no vote, so the lines end above none." if left else ""
    return (
        _section(
            "How fast steps are decided",
            _panels(
                drawn,
                (
                    "undecided-by-samples",
                    f"Steps still open after each further sample, flagged ones included; fewer than {k} decide none.{more}",
                ),
                (
                    "undecided-by-votes",
                    "The same by votes alone: a tail flatter than the fall before it shows that some steps are harder.",
                ),
            ),
        )
        if drawn
        else ""
    )


def _contests(collected: Collected, drawn: Mapping[str, str]) -> str:
    if not collected.contests:
        return (
            _section("The most contested steps", "<p>None: on every step all votes were for the same answer.</p>")
            if drawn
            else ""
        )
    panels = "".join(
        f"<figure>{_labelled(drawn[f'contest-{number}'], f'Votes at step {contest.step}')}"
        f"<figcaption>{_race_told(contest)}</figcaption>{_ballot(contest)}</figure>"
        for number, contest in enumerate(collected.contests, start=1)
    )
    return _section(
        "The most contested steps",
        f'<p class="lead">Votes of each candidate as they came in, of the {len(collected.contests)} longest votes '
        f"among {collected.contested:,} contested steps. A vote ends where one is ahead by {collected.settings.k}.</p>",
        f'<div class="panels">{panels}</div>',
    )


def _race_told(contest: Contest) -> str:
    votes = len(contest.order)
    flagged = f", {contest.flagged} {'sample' if contest.flagged == 1 else 'samples'} discarded" if contest.flagged else ""
    by = "" if contest.by == "base" else f", by {_e(contest.by)}"
    if contest.winner is None:
        return f"Nobody won in {votes} votes{flagged}{by}."
    lead = letter(contest.winner)
    if contest.right is None:
        return f"{lead} won after {votes} votes{flagged}{by}."
    return f"{lead} won after {votes} votes{flagged}{by}, and it is {'right' if contest.right == contest.winner else 'wrong'}."


def _ballot(contest: Contest) -> str:
    names = {colour: name for name, colour in PALETTE.items()}
    lines = []
    for place, (candidate, colour) in enumerate(zip(contest.candidates, contest_colours(contest), strict=True)):
        marks = [text for text, holds in (("won", place == contest.winner), ("right", place == contest.right)) if holds]
        mark = f"<em>{', '.join(marks)}</em>" if marks else ""
        text = visible(candidate)
        text = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
        lines.append(
            f'<li><b style="color:var(--{names[colour]})">{letter(place)}</b><span>{contest.order.count(place)}</span>'
            f"<span><code>{_e(text)}</code>{mark}</span></li>"
        )
    return f'<ul class="ballot">{"".join(lines)}</ul>'


def _flags(collected: Collected, drawn: Mapping[str, str]) -> str:
    if not collected.flags:
        return _section("Red flags", "<p>None: every sample became a vote.</p>")
    return _section(
        "Red flags",
        _panels(
            drawn,
            (
                "flags-by-kind",
                "Samples discarded, by the reason: each cost as much as any other, was no vote and was replaced.",
            ),
            (
                "flags-by-step",
                "The share of samples discarded in each part of the run: a hill is a stretch of steps that confuses the model.",
            ),
        ),
    )


def _samples(collected: Collected, drawn: Mapping[str, str]) -> str:
    who = ", ".join(f"{_e(name)} {number:,}" for name, number in sorted(collected.by.items(), key=lambda item: -item[1]))
    return (
        _section(
            "Samples",
            f"<p>Steps decided by each sampler or person: {who}.</p>" if set(collected.by) - {"base"} else "",
            _panels(
                drawn,
                (
                    "samples",
                    f"How many samples each step took, on a log scale: {collected.settings.k} are the fewest that can decide.",
                ),
                (
                    "samples-by-step",
                    "Mean samples a step in each part of the run; the axis may start above 0, so that harder stretches show.",
                ),
            ),
        )
        if drawn
        else ""
    )


def _lengths(collected: Collected, drawn: Mapping[str, str]) -> str:
    if collected.lengths is None:
        return _section("Length of replies", _missing(f"The length of each reply was {NOT_RECORDED}."))
    judge = (
        "by the task's own truth"
        if collected.truth.known
        else "as far as the decided answers are the truth, for the task's own is not known here"
    )
    wrong = sum(collected.lengths.wrong.values())
    return _section(
        "Length of replies",
        _panels(
            drawn,
            (
                "lengths",
                "Each group as a share of itself: flagged or wrong ones to the right of all are confused and long.",
            ),
            ("errors-by-length", f"Votes that were wrong, {judge}, by length, with 95 % intervals; {wrong:,} were."),
        ),
    )


def _pace(collected: Collected, drawn: Mapping[str, str]) -> str:
    sessions = f"{collected.sessions:,} sessions" if collected.sessions != 1 else "one session"
    spent = collected.spent
    text = f"<p>{duration(spent.seconds)} at work in {sessions}, with {spent.calls:,} calls"
    text += (
        f"; {spent.samples - collected.samples:,} samples are no part of a committed step"
        if spent.samples > collected.samples
        else ""
    )
    text += f"; {spent.drafts:,} more calls were drafts for lookahead.</p>" if spent.drafts else ".</p>"
    told = [
        (name, caption)
        for name, caption in (
            (
                "latencies",
                "How long replies took, on a log scale: a second hill to the right is a provider that is slow now and then.",
            ),
            ("throughput", "Steps committed in a second, over the time at work: a gap or a slope is where the run waited."),
        )
        if name in drawn
    ]
    return _section(
        "Time", text, _panels(drawn, *told) if told else _missing(f"Latencies and the pace of the run were {NOT_RECORDED}.")
    )


def _settings(collected: Collected) -> str:
    settings = collected.settings
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
    return _section("What was run", _table(rows))


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{_e(title)}</h2>{''.join(parts)}</section>"


def _panels(drawn: Mapping[str, str], *told: tuple[str, str]) -> str:
    shown = "".join(
        f"<figure>{_labelled(drawn[name], caption)}<figcaption>{_e(caption)}</figcaption></figure>" for name, caption in told
    )
    return f'<div class="panels{" one" if len(told) == 1 else ""}">{shown}</div>'


def _labelled(drawing: str, label: str) -> str:
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{_e(label)}" ', 1)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th scope='row'>{_e(name)}</th><td>{_e(value)}</td></tr>" for name, value in rows)
    return f"<table><tbody>{body}</tbody></table>"


def _missing(text: str) -> str:
    return f'<p class="missing">{_e(text)}</p>'


def _e(text: object) -> str:
    """Return `text` as it may stand in the page, in an element or in a quoted attribute."""
    return escape(visible(str(text)))


def _policy(script: str) -> str:
    """Return the page's Content-Security-Policy: nothing is loaded or sent, and only `script` runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    runs_ = f"'sha256-{digest}'" if script else "'none'"
    return (
        f"default-src 'none'; script-src {runs_}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return files("maker_graph.report").joinpath("assets", name).read_text(encoding="utf-8")


def _put(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _unit(value: Any) -> float:
    return min(1.0, max(0.0, float(value))) if isinstance(value, int | float) and math.isfinite(value) else 0.0
