"""docs/architecture.md names rooms and files that are there, and every room."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "maker_graph"
PAGES = ["architecture", *(path.stem for path in sorted((ROOT / "docs").glob("how_*.md")))]


def rooms() -> set[str]:
    """Return the rooms of the import contract, as the page writes them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    names = [each.removeprefix("maker_graph.") for layer in contracts[0]["layers"] for each in layer.split(" | ")]
    return {f"{name}/" if (HOUSE / name).is_dir() else f"{name}.py" for name in names}


def test_the_table_has_every_room_of_the_import_contract_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.partition("## The rooms")[2].partition("## ")[0]
    shown = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    assert shown == rooms()


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    for line in (ROOT / "docs" / f"{page}.md").read_text().splitlines():
        folder = HOUSE
        for name in re.findall(r"`([\w/]+\.py)`", line):
            path = HOUSE / name if "/" in name else folder / name
            assert path.exists() or (ROOT / name).exists(), name
            folder = path.parent
