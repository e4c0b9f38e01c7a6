"""Builds the site from the pages of this checkout: `poe docs`, or `python docs/site.py --serve` to look at it while you write.

The pages link to each other as files of the checkout, so that they can be read there too. The site also has the pages under
`examples/`, and whatever else a page links to: a program becomes a page that shows it, other files are copied. So this script
first copies all of it to `build/pages`, where the pages of `docs/` stand at the top, and makes the links fit. Then Zensical
builds `build/site` by `zensical.toml`. A link that leads nowhere, or a heading that does not exist, is an error.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "pages"
SITE = ROOT / "build" / "site"
AT_THE_TOP = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
SHOWN = {".py": "python", ".toml": "toml", ".csv": "text", ".yml": "yaml"}
"""The files that are shown as a page of their own, and as what."""

LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
OPTIONS = "<!-- options -->"
"""Where `docs/command_line.md` gets the options of all commands."""


def main() -> int:
    """Build the site, or serve it; return the exit code."""
    words = argparse.ArgumentParser(description="Build the site, strictly, into build/site.")
    words.add_argument("--serve", action="store_true", help="show it on 127.0.0.1:8000; run again after a change")
    serve = words.parse_args().serve
    gather()
    command = ["serve"] if serve else ["build", "--strict", "--clean"]
    ended = subprocess.run([sys.executable, "-m", "zensical", *command], cwd=ROOT, check=False).returncode  # noqa: S603  our own words
    if ended == 0 and not serve:
        see_whole()
        print(f"The site is in {SITE.relative_to(ROOT)}: {len(list(SITE.rglob('*.html')))} pages.")
    return ended


def gather(pages: Path = PAGES) -> None:
    """Copy all pages and what they link to into `pages`.

    Raises:
        FileNotFoundError: a page links to a file that is not there.
    """
    shutil.rmtree(pages, ignore_errors=True)
    todo = [*(ROOT / "docs").rglob("*"), *(ROOT / "examples").rglob("*.md"), *(ROOT / name for name in AT_THE_TOP)]
    todo = [path for path in todo if path.is_file() and path.suffix in {".md", ".png", ".svg", ".css"}]
    done = set()
    while todo:
        path = todo.pop()
        if path in done:
            continue
        done.add(path)
        target = pages / place_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            linked = {found[1]: (path.parent / found[1]).resolve() for found in LINK.finditer(text)}
            if gone := [link for link, at in linked.items() if not at.is_file()]:
                raise FileNotFoundError(f"{path.relative_to(ROOT)} links to {', '.join(gone)}, which is not a file")
            todo += linked.values()
            target.write_text(as_page(text, path, linked), encoding="utf-8")
        elif path.suffix in SHOWN:
            title = path.relative_to(ROOT).as_posix()
            fence = f"````{SHOWN[path.suffix]}\n{path.read_text(encoding='utf-8').rstrip()}\n````"
            target.write_text(f"# {title}\n\n{fence}\n", encoding="utf-8")
        else:
            shutil.copyfile(path, target)


def place_of(path: Path) -> Path:
    """Return where a file of the checkout stands in the site: the pages of `docs/` at its top, README as an index."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "docs":
        inside = Path(*inside.parts[1:])
    if inside.name == "README.md":
        return inside.with_name("index.md")
    return inside.with_name(f"{inside.name}.md") if inside.suffix in SHOWN else inside


def as_page(text: str, path: Path, linked: dict[str, Path]) -> str:
    """Return a page with links that hold in the site, and with the options of the commands where it asks for them."""
    here = place_of(path).parent

    def link(found: re.Match[str]) -> str:
        return Path(os.path.relpath(place_of(linked[found[1]]), here)).as_posix() + (found[2] or "")

    text = LINK.sub(link, text)
    return text.replace(OPTIONS, options_of_commands()) if OPTIONS in text else text


def options_of_commands() -> str:
    """Return a section for each command, with what it takes."""
    from typer.main import get_command  # noqa: PLC0415  the only place that needs the package

    from maker_graph.cli import app  # noqa: PLC0415

    sections = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]  # a group has them
        rows = ["| | |", "|---|---|"]
        for each in command.params:
            names = ", ".join(f"`{word}`" for word in (*each.opts, *each.secondary_opts)) if each.opts else ""
            rows.append(f"| {names.upper() if each.param_type_name == 'argument' else names} | {cell(each.help)} |")
        sections.append("\n".join([f"### {name}", "", plain(command.help), "", *rows]))
    return "\n\n".join(sections)


def plain(text: str | None) -> str:
    """Return a help text as Markdown."""
    return (text or "").replace("\b", "").replace("<", "&lt;").replace("*", r"\*").replace("[", r"\[").strip()


def cell(text: str | None) -> str:
    """Return a help text as a cell of a table."""
    return " ".join(plain(text).replace("|", r"\|").split())


def see_whole() -> None:
    """See that each page was built.

    Raises:
        FileNotFoundError: one is missing.
    """
    for page in PAGES.rglob("*.md"):
        inside = page.relative_to(PAGES).with_suffix("")
        folder = SITE / (inside.parent if inside.name == "index" else inside)
        if not (folder / "index.html").is_file():
            raise FileNotFoundError(f"the site lacks {page.relative_to(PAGES)}")


if __name__ == "__main__":
    sys.exit(main())
