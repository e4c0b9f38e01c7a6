"""The parts of a task, and what each took."""

from maker_graph.report.collecting import ReportData
from maker_graph.report.counting.parts import PartCounts
from maker_graph.report.sections.html import section, table


def parts_section(data: ReportData) -> str:
    """Return the section on the parts of the task; empty for a task that has only one."""
    if not data.parts:
        return ""
    return section("Parts", table([(part.name, _told(part, data)) for part in data.parts]))


def _told(part: PartCounts, data: ReportData) -> str:
    """Return what a part took, in a line."""
    if part.by != "votes":
        return f"{part.steps:,} steps, answered by the {part.by}"
    k = data.settings.leads.get(part.name, data.settings.k)
    flagged = part.flags.total()
    said = [
        f"{part.steps:,} steps by a lead of {k}",
        f"{part.samples:,} samples ({part.samples / part.steps:.2f} a step)",
        f"{part.contested:,} contested",
        f"one sample would have given another answer, or none, on {part.differs:,}",
    ]
    said += [f"{flagged:,} red-flagged"] if flagged else []
    said += [f"{part.open:,} left open"] if part.open else []
    return "; ".join(said)
