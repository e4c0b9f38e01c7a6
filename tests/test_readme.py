"""Everything written in the README is run, and true."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maker_graph.models.simulation import Replies, Simulator, profile_of
from maker_graph.models.simulation.server import create_app
from tests.models.serving import served
from tests.survival.harness import Children

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL_AND_TEST = "pip install -e '.[dev]' && pytest"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


class Knows:
    """What the README asks a model, beside Hanoi."""

    def replies(self, prompt: Any) -> Replies | None:
        text = prompt[-1][1]
        if "capital of France" in text:
            return Replies("Paris", ["Rome"])
        if "refund order 7" in text:
            return Replies("The money of order 7 is on its way.", ["No."])
        if text.startswith("Where does this ticket go?"):
            return Replies('{"queue": "billing", "reason": "money"}', ['{"queue": "other", "reason": "?"}'])
        return None


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Serve a model that knows what the README asks; return its base URL."""
    with served(create_app(Simulator(profile_of("gpt-4.1-mini"), rehearsals=[Knows()]))) as url:
        yield url


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.strip().splitlines()[-1][:40])
def test_every_python_block_runs(code: str, provider: str, children: Children, tmp_path: Path) -> None:
    env = {"OPENAI_BASE_URL": provider, "OPENAI_API_KEY": "any"}
    child = children.start(tmp_path, "script", source=code, env=env)
    assert child.wait(60) == 0, child.said
    assert re.search(r"Paris|'queue': 'billing'|The money of order 7", child.said[0])


@pytest.mark.parametrize("block", blocks("bash"), ids=lambda block: block.strip().splitlines()[-1][:40])
def test_every_shell_block_runs(block: str, provider: str, tmp_path: Path) -> None:
    """Word for word, and what the README shows of the first is what it prints."""
    if block.strip() == INSTALL_AND_TEST:
        assert INSTALL_AND_TEST in (ROOT / ".ci" / "run").read_text(), "this very command is what CI runs"
        return
    script = re.sub(r"^pip install -e \. && ", "", block, flags=re.MULTILINE)
    script = script.replace("maker-graph ", f"{sys.executable} -m maker_graph.cli ")
    env = {**os.environ, "OPENAI_BASE_URL": provider, "COLUMNS": "140"}
    done = subprocess.run(
        ["/bin/bash", "-euc", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    if "run hanoi\n" in block:
        (shown,) = blocks("text")
        assert without_time(done.stdout) == without_time(shown), "the table in the README is what the command prints"


def without_time(table: str) -> list[str]:
    return [line.rstrip() for line in table.strip().splitlines() if not line.startswith("Time")]


def test_it_opens_with_the_two_commands() -> None:
    first, second = blocks("bash")[:2]
    assert first.strip() == "pip install -e . && maker-graph run hanoi"
    assert second.strip() == INSTALL_AND_TEST
    assert README.index(second) < 300


def test_it_is_short_and_shows_the_voted_node_before_any_table() -> None:
    assert len(README.splitlines()) <= 150
    assert len(re.findall(r"^\|-", README, re.MULTILINE)) == 1
    assert all(README.index(code) < README.index("|---") for code in blocks("python"))
    assert len(blocks("python")) == 3


def test_its_evidence_is_that_of_the_result_files() -> None:
    results = ROOT / "tests" / "benchmarks" / "results"
    rules = json.loads((results / "real_votes.json").read_text())["files"]["gsm8k_gpt-4o-mini"]["rules"]
    within = rules["ahead by 3 within 5"]
    single, ahead, wrong, passed = (
        f"{100 * share:.{digits}f} %"
        for share, digits in (
            (rules["single"]["wrong"], 1),
            (rules["ahead by 3"]["wrong"], 1),
            (within["wrong"], 1),
            (1 - within["decided"], 0),
        )
    )
    assert (
        f"single samples {single}; ahead by 3: {ahead}; ahead by 3 within 5 votes: {wrong}, and {passed} are passed on"
        in README
    )


def test_links_within_it_hold() -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_on_a_package_index_no_link_of_it_breaks() -> None:
    """An index has no files beside the README: links to them become plain text, or lead to where the source is."""
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    shown = README
    for change in hook["substitutions"]:
        shown = re.sub(change["pattern"], change["replacement"], shown)
    links = re.findall(r"\]\(([^)]+)\)", shown)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    assert "pip install maker-graph && maker-graph run hanoi" in shown
