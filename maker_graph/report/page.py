"""The report of a run: one HTML page that needs no network, and its figures as PNG files.

`document.py` says how the page protects its reader.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from maker_graph.errors import LimitReached
from maker_graph.report.collecting import ReportData, collect
from maker_graph.report.document import asset, document
from maker_graph.report.figures.run import run_figures
from maker_graph.report.figures.style import png, svg
from maker_graph.report.sections.cascade import cascade_section
from maker_graph.report.sections.html import escaped
from maker_graph.report.sections.parts import parts_section
from maker_graph.report.sections.pegs import pegs_section
from maker_graph.report.sections.plan import plan_section
from maker_graph.report.sections.replies import lengths_section, time_section
from maker_graph.report.sections.result import result_section
from maker_graph.report.sections.samples import flags_section, samples_section
from maker_graph.report.sections.settings import settings_section
from maker_graph.report.sections.top import header, headline, tiles
from maker_graph.report.sections.tree import tree_section
from maker_graph.report.sections.votes import contests_section, undecided_section
from maker_graph.run.home import Run
from maker_graph.run.own_files import own_files

SOURCE = "Everything on this page comes from the run's journal."


def write(run: Run, certificate: Mapping[str, Any] | None = None, *, force: bool = False) -> list[Path]:
    """Write `report.html` and `figures/*.png` into the run's directory; return their paths, the page first.

    Each file is there whole or not at all, and only its owner can read it, as all files of a run. A file that is not the run's
    own is replaced only with `force`.

    Raises:
        UsageError: a file that is not the run's own is in the way.
        DamagedRun: the journal was changed after it was written.
        LimitReached: the directory cannot be written.
    """
    data = collect(run, certificate)
    figures = run_figures(data)
    home = run.home.made_folder()
    folder = home / "figures"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LimitReached(
            f"{folder} cannot be made ({error.strerror}): make room, or give access, and report again."
        ) from error
    pictures = {folder / f"{name}.png": png(figure) for name, figure in figures.items()}
    contents: dict[Path, bytes | None] = {home / "report.html": page(data, figures).encode(), **pictures}
    own = own_files(run.journal)
    if force:
        own.see(*contents, force=True)
    own.write(contents, private=True)
    return list(contents)


def page(data: ReportData, figures: Mapping[str, Figure] | None = None) -> str:
    """Return the page; the figures are drawn if they are not given."""
    drawn = {name: svg(figure, name) for name, figure in (run_figures(data) if figures is None else figures).items()}
    script = asset("pegs.js") + asset("report.js") if data.frames else ""
    sections = [
        result_section(data),
        pegs_section(data),
        plan_section(data),
        parts_section(data),
        cascade_section(data),
        tree_section(data),
        undecided_section(data, drawn),
        contests_section(data, drawn),
        flags_section(data, drawn),
        samples_section(data, drawn),
        lengths_section(data, drawn),
        time_section(data, drawn),
        settings_section(data),
    ]
    footer = f"Run {escaped(data.settings.id)}. {SOURCE}"
    return document(f"{data.name}: {headline(data)}", header(data), [tiles(data), *sections], footer, script)
