"""What the tests of migrations share: small trees, and the sites in them."""

from pathlib import Path

from maker_graph.tasks.migrate.rules import Rule
from maker_graph.tasks.migrate.sites import Site, find_sites
from maker_graph.tasks.migrate.tree import LeftOut, Source, Version


def tree(root: Path, **files: str | bytes) -> Path:
    """Write files, `a__b` for a/b.py, and return the folder."""
    for name, content in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def sites_of(rule: Rule, text: str, target: Version | None = None) -> list[Site]:
    """Return the sites of a rule in a text."""
    found = find_sites(Source("a.py", text, "utf-8"), rule, target)
    assert not isinstance(found, LeftOut), found
    return found
