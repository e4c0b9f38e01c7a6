"""The pegs of Hanoi, as an animation."""

import json

from maker_graph.report.collecting import ReportData
from maker_graph.report.sections.html import section

SPEEDS = (1, 4, 16, 60, 240)
"""Frames a second of the pegs."""


def pegs_section(data: ReportData) -> str:
    """Return the section of the pegs; empty for other tasks than Hanoi."""
    frames = data.frames
    if frames is None:
        return ""
    every = "every step" if frames.stride == 1 else f"every {frames.stride:,}th step"
    embedded = json.dumps({"pegs": frames.pegs, "stride": frames.stride, "last": frames.last}).replace("<", "\\u003c")
    options = "".join(f'<option value="{rate}">{rate} frames / s</option>' for rate in SPEEDS)
    return section(
        "The pegs",
        f'<p class="lead">The positions of the disks after the decided answers, at {every}.</p>',
        '<div class="pegs"><svg id="pegs" viewBox="0 0 720 246" role="img" aria-label="Three pegs and their disks"></svg></div>'
        '<div class="controls"><button id="play" class="main" type="button">Play</button>'
        '<input id="at" type="range" min="0" max="0" value="0" aria-label="Step">'
        f'<select id="speed" aria-label="Speed">{options}</select><output id="where" for="at"></output></div>',
        f'<script type="application/json" id="frames">{embedded}</script>',
    )
