"""The rungs of a cascade, and what each took."""

from collections.abc import Iterator

from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import escaped, section
from maker_graph.run.rungs import RungCounts

_HEAD = ("Rung", "Model", "Decides", "Steps", "Decided", "Passed on", "Stuck", "Samples", "Output tokens", "Cost")


def cascade_section(data: ReportData) -> str:
    """Return the section on the rungs, with a table of what each took; empty for a run without a cascade."""
    if not data.rungs:
        return ""
    return section(
        "The cascade",
        '<p class="lead">A step that a rung does not decide goes to the next rung, which votes from zero. A step that the last '
        "rung does not decide goes to a person. All figures are of committed steps.</p>",
        f"<table><thead>{_row('th', _HEAD)}</thead><tbody>",
        *(_row("td", _cells(number, rung)) for number, rung in enumerate(data.rungs, start=1)),
        "</tbody></table>",
    )


def _row(kind: str, cells: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<{kind}>{escaped(cell)}</{kind}>' for cell in cells)}</tr>"


def _cells(number: int, rung: RungCounts) -> tuple[str, ...]:
    return (str(number), rung["model"], rung["rule"], *_counts(rung), _cost(rung))


def _counts(rung: RungCounts) -> Iterator[str]:
    for count in (rung["steps"], rung["decided"], rung["passed"], rung["stuck"], rung["samples"], rung["tokens"]["output"]):
        yield f"{count:,}"


def _cost(rung: RungCounts) -> str:
    return "not known" if rung["cost_usd"] is None else f"${rung['cost_usd']:,.4f}"
