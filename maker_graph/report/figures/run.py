"""All drawings of a run."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from maker_graph.report.collecting import ReportData
from maker_graph.report.counting.endings import undecided
from maker_graph.report.figures.replies import draw_errors_by_length, draw_latencies, draw_lengths, draw_throughput
from maker_graph.report.figures.samples import draw_flags, draw_flags_by_step, draw_samples, draw_samples_by_step
from maker_graph.report.figures.style import panel
from maker_graph.report.figures.votes import draw_contest, draw_undecided


def run_figures(data: ReportData) -> dict[str, Figure]:
    """Return the drawings of a run, name -> figure; there is none for what was not recorded."""
    figures: dict[str, Figure] = {}
    if not data.steps:
        return figures
    endings, steps, k = data.endings, data.steps, data.settings.k
    figures["undecided-by-samples"] = _undecided(endings.samples, endings.first_to_samples, steps, k, "samples")
    figures["undecided-by-votes"] = _undecided(endings.votes, endings.first_to_votes, steps, k, "votes")
    for number, contest in enumerate(data.contests, start=1):
        figures[f"contest-{number}"] = panel(draw_contest, contest)
    if data.flags:
        figures["flags-by-kind"] = panel(draw_flags, data.flags, data.samples)
        figures["flags-by-step"] = panel(draw_flags_by_step, data.bins)
    figures["samples"] = panel(draw_samples, endings)
    figures["samples-by-step"] = panel(draw_samples_by_step, data.bins)
    if data.lengths is not None:
        figures["lengths"] = panel(draw_lengths, data.lengths)
        figures["errors-by-length"] = panel(draw_errors_by_length, data.lengths, known=data.truth.known)
    if data.timing is not None:
        if data.timing.latencies:
            figures["latencies"] = panel(draw_latencies, data.timing.latencies)
        if len(data.timing.points) > 1:
            figures["throughput"] = panel(draw_throughput, data.timing)
    return figures


def _undecided(endings: Mapping[int, int], first_to: Mapping[int, int], steps: int, k: int, unit: str) -> Figure:
    ahead, first = undecided(endings, steps), undecided(first_to, steps)
    return panel(draw_undecided, [steps, *ahead], [steps, *first], k=k, unit=unit)
