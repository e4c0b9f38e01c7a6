"""Code that an option names: found by its file or its module, and never imported because a run's directory names it."""

from pathlib import Path
from typing import Annotated

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.code import Code, absolute, file_of, find_module, imported
from maker_graph.tasks.options import Options


def make(rule: Annotated[str, Code(("mine",))] = "mine", other: str = "") -> None:
    """Take an option that names code."""


def test_code_is_found_by_its_file_or_its_module(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class B:\n    c = 3\n")
    assert imported(f"{tmp_path / 'a.py'}:B.c", "The rule") == 3
    assert imported("json:dumps", "The rule")({}) == "{}"
    assert find_module("json").__name__ == "json"


@pytest.mark.parametrize("name", ["json", "json:", ":x", "json:nothing", "no_such:x", "/none/a.py:B"])
def test_what_is_not_there_is_one_sentence(name: str) -> None:
    with pytest.raises(UsageError, match=r"^(The rule|There is no file)"):
        imported(name, "The rule")


def test_a_script_that_ends_the_process_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(UsageError, match="cannot be imported: SystemExit"):
        imported(f"{tmp_path / 'a.py'}:B", "The rule")


def test_a_file_is_named_in_full_so_that_a_run_finds_it_from_anywhere() -> None:
    assert absolute("a.py:B") == f"{Path('a.py').absolute()}:B"
    assert absolute("a.b:C") == "a.b:C"
    assert (file_of("x/a.py:B"), file_of("a:B")) == (Path("x/a.py"), None)
    options = Options("task", make)
    assert options.option("rule").read("a.py:B") == absolute("a.py:B")


def test_an_option_is_code_if_it_is_marked_and_names_what_does_not_ship() -> None:
    options = Options("task", make)
    assert options.are_code({"rule": "a.py:B"})
    assert not options.are_code({"rule": "mine", "other": "a.py:B"})
    assert not options.are_code({})
    assert str(options.option("rule")) == "rule (str, mine if left out)"
