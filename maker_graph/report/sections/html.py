"""The pieces that the sections of a page are made of.

All text from a model or a user is made visible and escaped, and stands only in text.
"""

from collections.abc import Iterable, Mapping
from html import escape

from maker_graph.core.characters import visible

NOT_RECORDED = "not recorded by the version that made this run"


def section(title: str, *parts: str) -> str:
    """Return a section with its heading."""
    return f"<section><h2>{escaped(title)}</h2>{''.join(parts)}</section>"


def panels(drawn: Mapping[str, str], *told: tuple[str, str]) -> str:
    """Return drawings side by side, each (name, caption)."""
    shown = "".join(
        f"<figure>{labelled(drawn[name], caption)}<figcaption>{escaped(caption)}</figcaption></figure>"
        for name, caption in told
    )
    return f'<div class="panels{" one" if len(told) == 1 else ""}">{shown}</div>'


def labelled(drawing: str, label: str) -> str:
    """Return an SVG with a name for readers who cannot see it."""
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{escaped(label)}" ', 1)


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and values."""
    body = "".join(f"<tr><th scope='row'>{escaped(name)}</th><td>{escaped(value)}</td></tr>" for name, value in rows)
    return f"<table><tbody>{body}</tbody></table>"


def bars(counts: Mapping[str, int]) -> str:
    """Return named counts, each with a bar, as on the page of `maker-graph watch`."""
    most = max(counts.values(), default=1) or 1
    rows = "".join(
        f'<li><span>{escaped(name)}</span><div aria-hidden="true"><i style="width:{100 * number / most:.1f}%"></i></div>'
        f"<b>{number:,}</b></li>"
        for name, number in sorted(counts.items(), key=lambda each: -each[1])
    )
    return f'<ul class="bars">{rows}</ul>'


def missing(text: str) -> str:
    """Return a sentence that says what is missing."""
    return f'<p class="missing">{escaped(text)}</p>'


def escaped(text: object) -> str:
    """Return `text` escaped, for an element or a quoted attribute of the page."""
    return escape(visible(str(text)))
