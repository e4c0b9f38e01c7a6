"""Red flags, and how many samples steps took."""

from collections.abc import Mapping

from maker_graph.report.collecting import Collected
from maker_graph.report.sections.html import escaped, panels, section


def flags_section(collected: Collected, drawn: Mapping[str, str]) -> str:
    """Return the section on red flags."""
    if not collected.flags:
        return section("Red flags", "<p>None: every sample became a vote.</p>")
    return section(
        "Red flags",
        panels(
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


def samples_section(collected: Collected, drawn: Mapping[str, str]) -> str:
    """Return the section on samples."""
    who = ", ".join(f"{escaped(name)} {number:,}" for name, number in sorted(collected.by.items(), key=lambda item: -item[1]))
    return (
        section(
            "Samples",
            f"<p>Steps decided by each sampler or person: {who}.</p>" if set(collected.by) - {"base"} else "",
            panels(
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
