"""A page as a document: one file that loads nothing and sends nothing.

All text from a model or a user is made visible and escaped, and stands only in text. If that failed, the page's policy
(`_policy`) would still refuse all requests, and all scripts except the page's own, which is known by its hash.
"""

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files

from maker_graph.report.sections.html import escaped


def document(title: str, header: str, sections: Iterable[str], footer: str, script: str = "") -> str:
    """Return a page as HTML.

    Args:
        title: the title of the page, as text.
        header: HTML before the sections.
        sections: HTML of each section; empty ones are left out.
        footer: HTML of the sentence at the end.
        script: JavaScript that the page runs.
    """
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
            f"<title>{escaped(title)}</title>",
            f"<style>{asset('house.css')}{asset('report.css')}</style>",
            "</head>",
            "<body>",
            header,
            "<main>",
            *filter(None, sections),
            "</main>",
            f"<footer><p>{footer}</p></footer>",
            f"<script>{script}</script>" if script else "",
            "</body>",
            "</html>",
            "",
        ]
    )


def asset(name: str, room: str = "report") -> str:
    """Return the text of a file that ships with a room. `house.css` and `pegs.js` are for all pages."""
    return files(f"maker_graph.{room}").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Return the page's Content-Security-Policy: nothing is loaded or sent, and only `script` runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    runs_ = f"'sha256-{digest}'" if script else "'none'"
    return (
        f"default-src 'none'; script-src {runs_}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
