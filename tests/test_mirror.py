"""The tests mirror the rooms: every module has its file, in the place where one looks for it."""

from pathlib import Path

ROOT = Path(__file__).parents[1]

NAMED_OTHERWISE = {"cli/__main__.py": "cli/test_main.py"}
"""Modules whose names cannot stand in the name of a test."""


def place_of(module: Path) -> str:
    """Return where a module is tested, below `tests`."""
    name = module.relative_to(ROOT / "maker_graph").as_posix()
    return NAMED_OTHERWISE.get(name) or str(Path(name).with_name(f"test_{module.name}"))


def test_every_module_is_tested_in_its_own_place() -> None:
    modules = [each for each in (ROOT / "maker_graph").rglob("*.py") if each.name != "__init__.py"]
    assert len(modules) > 100
    missing = [place for place in map(place_of, modules) if not (ROOT / "tests" / place).exists()]
    assert not missing, f"each module has a test of its own: {', '.join(sorted(missing))}"


def test_no_exception_is_left_behind() -> None:
    assert all((ROOT / "maker_graph" / name).exists() for name in NAMED_OTHERWISE)
