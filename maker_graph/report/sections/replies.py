"""How long replies were, and the time that the run took."""

from collections.abc import Mapping

from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import NOT_RECORDED, missing, panels, section
from maker_graph.report.wording import duration


def lengths_section(data: ReportData, drawn: Mapping[str, str]) -> str:
    """Return the section on the length of replies."""
    if data.lengths is None:
        return section("Length of replies", missing(f"The length of each reply was {NOT_RECORDED}."))
    judge = (
        "by the task's own truth"
        if data.truth.known
        else "as if the decided answers were the truth, because the task's own truth is not known here"
    )
    wrong = sum(data.lengths.wrong.values())
    return section(
        "Length of replies",
        panels(
            drawn,
            (
                "lengths",
                "Lengths as a share of each group. Flagged or wrong replies to the right of all others are confused and long.",
            ),
            ("errors-by-length", f"Wrong votes by length, with 95 % intervals, judged {judge}; {wrong:,} votes were wrong."),
        ),
    )


def time_section(data: ReportData, drawn: Mapping[str, str]) -> str:
    """Return the section on time."""
    sessions = f"{data.sessions:,} sessions" if data.sessions != 1 else "one session"
    spent = data.spent
    text = f"<p>{duration(spent.seconds)} at work in {sessions}, with {spent.calls:,} calls"
    text += f"; {spent.samples - data.samples:,} samples belong to no committed step" if spent.samples > data.samples else ""
    text += f"; {spent.drafts:,} more calls were drafts for lookahead.</p>" if spent.drafts else ".</p>"
    told = [
        (name, caption)
        for name, caption in (
            (
                "latencies",
                "How long replies took, on a log scale: a second hill to the right means that the provider is sometimes slow.",
            ),
            ("throughput", "Steps committed in a second, over the time at work: at a gap or a slope the run waited."),
        )
        if name in drawn
    ]
    return section(
        "Time", text, panels(drawn, *told) if told else missing(f"Latencies and the pace of the run were {NOT_RECORDED}.")
    )
