"""A rule of your own: it replaces `datetime.utcnow()`, which is deprecated, by aware datetimes.

    maker-graph run migrate --path examples/migrate/orders --rule examples/migrate/utcnow.py:Utcnow --out utcnow.patch

A search and replace would break code. An aware datetime cannot be compared with a naive one, its `isoformat()` ends in +00:00,
and a column that holds naive ones refuses it. So somebody must see how each value is used. There are two right forms:

    datetime.now(timezone.utc)                         an aware value, if nothing needs a naive one
    datetime.now(timezone.utc).replace(tzinfo=None)    the same naive value as before, if something needs it
"""

import ast

import libcst as cst
from libcst import matchers as m

from maker_graph import Invalid
from maker_graph.simulation import Replies
from maker_graph.tasks.migrate import Site

WORDS = """\
`datetime.utcnow()` is deprecated. Replace the call with {aware} if the value may be aware, or with
{naive} if something in the code needs the naive value as before: a comparison or a difference with a naive
datetime, text to which "Z" is added, or a value that goes where naive ones are kept.
"""


class Utcnow:
    """Replaces `datetime.utcnow()` by one of two forms; the vote at each site says by which."""

    may_leave = False

    def find(self, module: cst.Module) -> list[cst.CSTNode]:
        """Return the calls of `utcnow`."""
        return [*m.findall(module, m.Call(func=m.Attribute(attr=m.Name("utcnow")), args=[]))]

    def prompt(self, site: Site) -> str:
        """Return the question, with the two forms as they are written in this file."""
        aware, naive = _forms(site)
        return WORDS.format(aware=aware, naive=naive)

    def check(self, site: Site, code: str) -> bool:
        """Say whether the edit is one of the two forms."""
        if ast.dump(ast.parse(code)) not in {ast.dump(ast.parse(form)) for form in _forms(site)}:
            raise Invalid("it is neither of the two forms")
        return True

    def imports(self, site: Site, code: str) -> list[tuple[str, str]]:  # noqa: ARG002  both forms need it
        """Return the imports that both forms need, if the file has none."""
        return [] if _is_module(site) else [("datetime", "timezone")]

    def truth(self, site: Site) -> str:
        """Return the right form in `orders`, where certain words mark the lines that need a naive value."""
        aware, naive = _forms(site)
        line = site["statement"]
        return naive if any(word in line for word in ("strptime", '"Z"', "expires", "naive")) else aware

    def rehearse(self, site: Site) -> Replies:
        """Return what a simulated model may reply."""
        right = self.truth(site)
        (other,) = {*_forms(site)} - {right}
        base = site["code"].removesuffix(".utcnow()")
        return Replies(f"```python\n{right}\n```", [f"```python\n{each}\n```" for each in (other, f"{base}.now()")])


def _is_module(site: Site) -> bool:
    """Say whether the file has imported the module, and not the class."""
    return site["code"].startswith("datetime.datetime.")


def _forms(site: Site) -> tuple[str, str]:
    zone = "datetime.timezone.utc" if _is_module(site) else "timezone.utc"
    aware = f"{site['code'].removesuffix('.utcnow()')}.now({zone})"
    return aware, f"{aware}.replace(tzinfo=None)"
