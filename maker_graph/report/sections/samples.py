"""Red flags, and how many samples steps took."""

from collections.abc import Mapping

from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import bars, panels, section


def flags_section(data: ReportData, drawn: Mapping[str, str]) -> str:
    """Return the section on red flags, and on replies that never came."""
    lost = _lost(data)
    if not data.flags:
        return section("Red flags", "<p>None: every sample became a vote.</p>", lost)
    return section(
        "Red flags",
        lost,
        bars(data.flags),
        panels(
            drawn,
            (
                "flags-by-kind",
                "Samples discarded, by the reason. Each cost as much as any other, did not vote and was replaced.",
            ),
            (
                "flags-by-step",
                "The share of samples discarded along the run: a hill is a stretch of steps that confuses the model.",
            ),
        ),
    )


def _lost(data: ReportData) -> str:
    if not data.lost:
        return ""
    share = data.lost / (data.samples + data.lost)
    return (
        f"<p>{data.lost:,} replies ({share:.2%}) were lost to time-outs and the like. They were drawn again, and what they "
        "would have said is not known. If right answers are slower than wrong ones, this favours the wrong ones.</p>"
    )


def _fewest(data: ReportData) -> str:
    if data.verifier.proved:
        return f"a proved sample decides alone; without a proof at least {data.settings.k} votes are needed"
    return f"at least {data.settings.k} are needed"


def samples_section(data: ReportData, drawn: Mapping[str, str]) -> str:
    """Return the section on samples."""
    return (
        section(
            "Samples",
            f"<p>Steps decided by each sampler or person:</p>{bars(data.by)}" if set(data.by) - {"base"} else "",
            panels(
                drawn,
                (
                    "samples",
                    f"How many samples each step took, on a log scale: {_fewest(data)}.",
                ),
                (
                    "samples-by-step",
                    "Mean samples a step along the run; the axis may start above 0, so that harder stretches show.",
                ),
            ),
        )
        if drawn
        else ""
    )
