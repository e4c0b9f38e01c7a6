"""docs/evidence.md holds what the result files say, and each of them has a section."""

import re
from pathlib import Path

import pytest

from tests.benchmarks.evidence import PAGE, RESULTS, SECTIONS, Section, page

ALL = [section for sections in SECTIONS.values() for section in sections]
ROOT = Path(__file__).parents[1]


def test_the_page_says_what_the_result_files_say_now() -> None:
    assert PAGE.read_text() == page(), "it is stale: python -m tests.benchmarks.evidence"


def test_every_result_file_has_a_section() -> None:
    assert {section.file for section in ALL} == {path.stem for path in RESULTS.glob("*.json")}


@pytest.mark.parametrize("section", ALL, ids=lambda section: section.file)
def test_a_section_has_a_command_that_is_there_a_model_and_figures(section: Section) -> None:
    text = section.text()
    (block,) = re.findall(r"^```text\n(.+?)\n```$", text, re.DOTALL | re.MULTILINE)
    for module in re.findall(r"tests[./]benchmarks[./](\w+)(?:\.py)?\b", re.sub(r"(?:--out|>) \S+", "", block)):
        assert (ROOT / "tests" / "benchmarks" / f"{module}.py").is_file()
    assert "Model: " in text
    assert re.search(r"^\| .*\d", text, re.MULTILINE)
