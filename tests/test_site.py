"""The site has all pages, the API reference all public names, and what is drawn on its pages is what the code is."""

import importlib
import re
import runpy
import tomllib
from pathlib import Path

import pytest

import maker_graph
from maker_graph import create_maker, create_microstep
from maker_graph.tasks import Hanoi

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SITE = runpy.run_path(str(DOCS / "site.py"))
NAVIGATION = re.findall(r'"([^"]+\.md)"', (ROOT / "zensical.toml").read_text())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gather the pages as for the site; return where they are."""
    target = tmp_path_factory.mktemp("pages")
    SITE["gather"](target)
    return target


def test_the_navigation_names_each_page_once_and_none_that_is_missing(pages: Path) -> None:
    assert len(set(NAVIGATION)) == len(NAVIGATION)
    assert [page for page in NAVIGATION if not (pages / page).is_file()] == []
    own = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert own - {*NAVIGATION} == set(), "a page that the navigation leaves out is found by nobody"


def test_links_of_the_gathered_pages_hold(pages: Path) -> None:
    for page in pages.rglob("*.md"):
        text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for found in SITE["LINK"].finditer(text):
            assert (page.parent / found[1]).is_file(), f"{page.relative_to(pages)}: {found[1]}"


def test_a_link_that_leads_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("docs", "examples"):
        (checkout / name).mkdir(parents=True)
    for name in SITE["AT_THE_TOP"]:
        (checkout / name).write_text("# Nothing\n")
    (checkout / "docs" / "index.md").write_text("[gone](gone.md)\n")
    monkeypatch.setitem(SITE["gather"].__globals__, "ROOT", checkout)
    with pytest.raises(FileNotFoundError, match=r"docs/index\.md links to gone\.md"):
        SITE["gather"](tmp_path / "pages")


def test_programs_that_are_linked_to_are_shown(pages: Path) -> None:
    assert (pages / "examples" / "verified.py.md").read_text().startswith("# examples/verified.py\n\n````python\n")
    assert "(examples/verified.py.md)" in (pages / "verifying.md").read_text()


def test_the_page_of_the_command_line_has_all_options_of_all_commands(pages: Path) -> None:
    page = (pages / "command_line.md").read_text()
    assert SITE["OPTIONS"] not in page
    assert {"### run", "### resume", "### simulate"} <= set(page.splitlines())
    assert "| `--max-cost` | Stop before more USD" in page


@pytest.mark.parametrize(
    "module", ["maker_graph", "maker_graph.agents", "maker_graph.tasks", "maker_graph.simulation", "maker_graph.verify"]
)
def test_the_reference_has_each_public_name_once(module: str) -> None:
    text = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    named = re.findall(rf"^::: {module}\.(\w+)$", text, re.MULTILINE)
    named = [name for name in named if name != "errors"]  # the module, for the tree that it draws
    assert sorted(named) == sorted(importlib.import_module(module).__all__)


def test_its_first_page_lists_all_public_names() -> None:
    listed = re.findall(r"\[`(\w+)`\]\((\w+\.md)#maker_graph\.(\w+)\)", (DOCS / "api" / "index.md").read_text())
    assert sorted(name for name, _, _ in listed) == sorted(maker_graph.__all__)
    assert all(name == anchor for name, _, anchor in listed)
    assert all(f"::: maker_graph.{name}\n" in (DOCS / "api" / page).read_text() for name, page, _ in listed)


def test_the_pictures_are_drawn_from_the_graphs() -> None:
    graphs = [create_microstep("sim:perfect"), create_maker(Hanoi(), model="sim:perfect").compile()]
    pages = "".join((DOCS / page).read_text() for page in ("own_state.md", "machine.md"))
    drawn = re.findall(r"^```mermaid\n(.*?)^```$", pages, re.DOTALL | re.MULTILINE)
    assert [each.strip() for each in drawn] == [graph.get_graph().draw_mermaid().strip() for graph in graphs]


def test_the_site_and_the_package_are_built_by_ci_and_published_by_nobody_else() -> None:
    nox = (ROOT / "noxfile.py").read_text()
    assert {"docs", "package", "wheel"} <= set(re.findall(r'"(\w+)"', nox.split("nox.options.sessions = ")[1].split("\n")[0]))
    assert '"zensical", *command' in (DOCS / "site.py").read_text()
    assert '"--strict"' in (DOCS / "site.py").read_text()
    release = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "id-token: write" in release
    assert "secrets." not in release
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"version", "readme"} <= set(project["dynamic"])
