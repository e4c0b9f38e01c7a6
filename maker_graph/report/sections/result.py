"""The result: the verdict on the run, how many decisions the truth shows to be wrong, and the certificate."""

import math
from collections.abc import Mapping
from typing import Any

from maker_graph.report.certificate import UNSEEN
from maker_graph.report.collecting import REPLAYED, ReportData
from maker_graph.report.sections.html import NOT_RECORDED, escaped, missing, section, table
from maker_graph.report.wording import chance, percent, with_interval


def result_section(data: ReportData) -> str:
    """Return the section on the result, with the certificate if there is one."""
    certificate, truth = data.certificate, data.truth
    said = [_replayed(data)]
    if truth.steps:
        said.append(
            f"Held against the task's own truth, {truth.wrong_steps:,} of {truth.steps:,} decisions are wrong, and "
            f"{truth.wrong_votes:,} of {truth.votes:,} votes ({percent(truth.wrong_votes / max(truth.votes, 1))}) were."
            + ("" if truth.steps == data.steps else " No more can be judged: off the right path the task knows no truth.")
        )
    said.extend(data.verifier.told())
    said.extend(data.labels)
    text = "".join(f"<p>{escaped(sentence)}</p>" for sentence in said)
    if certificate is None:
        return section("Result", text, missing("No certificate was made: none was asked for, or the run is not at its end."))
    unseen = f"<p>{escaped(UNSEEN)}</p>"
    if certificate.get("refused"):
        return section("Result", text, f"<p><b>No chance is certified.</b> {escaped(certificate['refused'])}</p>", unseen)
    low, likely, high = (_unit(certificate["chance"][name]) for name in ("low", "value", "high"))
    bar = (
        '<div class="chance"><div class="track">'
        f'<span class="range" style="left:{100 * low:.4f}%;width:{100 * max(high - low, 0):.4f}%"></span>'
        f'<span class="point" style="left:{100 * likely:.4f}%"></span></div>'
        '<div class="ends"><span>0</span><span>chance that no step is wrong</span><span>1</span></div></div>'
    )
    parts = certificate.get("parts") or {}
    rows = [
        *((f"Part {name}", _part(each)) for name, each in parts.items()),
        *([] if parts else [("Error of a sample", with_interval(certificate["error"]))]),
        *([] if parts else [("Correlation within a step", with_interval(certificate["rho"]))]),
        ("Contested steps", f"{certificate['contested']:,} of {certificate['steps']:,}"),
    ]
    assumed = "".join(f"<li>{escaped(each)}</li>" for each in certificate["assumptions"])
    return section(
        "Result and certificate",
        text,
        f"<p>From the ballots alone, the chance that no step is wrong is <b>{chance(likely)}</b>, between {chance(low)} and "
        f"{chance(high)}.</p>",
        bar,
        table(rows),
        f'<h3>It assumes</h3><ul class="plain">{assumed}</ul>' if assumed else "",
        unseen,
    )


def _part(certificate: Mapping[str, Any]) -> str:
    """Return what the certificate of a part says, in a line."""
    said = f"{certificate['covered']:,} steps by a lead of {certificate['k']}, {certificate['contested']:,} contested"
    return said if certificate["k"] == 1 else f"{said}; none is wrong: {with_interval(certificate['chance'])}"


def _replayed(data: ReportData) -> str:
    if data.done is None:
        return "Nothing was replayed, because the task's code was not imported. What follows is what the journal says."
    if not data.done and data.verdict != "contradicted":
        return "The task is not at its end. What follows is about the steps decided so far."
    if data.verdict is not None:
        end = "" if data.done else " The task is not at its end."
        return f"Replayed from the journal without a model: {data.verdict}. {data.because[:1].upper()}{data.because[1:]}.{end}"
    return (
        f"What the run is worth was {NOT_RECORDED}, and runs of more than {REPLAYED:,} steps are not replayed for a report: "
        "maker-graph verify does that."
    )


def _unit(value: Any) -> float:
    return min(1.0, max(0.0, float(value))) if isinstance(value, int | float) and math.isfinite(value) else 0.0
