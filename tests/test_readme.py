"""Everything written in the README is run, and true."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import maker_graph
from maker_graph import create_maker, create_microstep
from maker_graph.models.simulation import Replies, Simulator, profile_of
from maker_graph.models.simulation.server import create_app
from maker_graph.tasks import Hanoi
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
    assert re.search(r"Paris|'queue': 'billing'|31 True", child.said[0])


LONG = "maker-graph calibrate hanoi"
"""A block that begins so takes half a minute with the puzzle of 1,023 steps: `test_a_long_shell_block_runs_word_for_word`."""


@pytest.mark.parametrize("block", blocks("bash"), ids=lambda block: block.strip().splitlines()[-1][:40])
def test_every_shell_block_runs(block: str, provider: str, tmp_path: Path) -> None:
    """Word for word; but the long one with a smaller puzzle."""
    runs(block.replace(" hanoi ", " hanoi --disks 6 ") if block.startswith(LONG) else block, provider, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("block", [block for block in blocks("bash") if block.startswith(LONG)])
def test_a_long_shell_block_runs_word_for_word(block: str, provider: str, tmp_path: Path) -> None:
    runs(block, provider, tmp_path)


def runs(block: str, provider: str, folder: Path) -> None:
    """Run a block of shell commands, and hold the table that the README shows against what is printed."""
    if block.strip() == INSTALL_AND_TEST:
        assert INSTALL_AND_TEST in (ROOT / ".ci" / "run").read_text(), "this very command is what CI runs"
        return
    (folder / "examples").symlink_to(ROOT / "examples")
    script = re.sub(r"^pip install -e \. && ", "", block, flags=re.MULTILINE)
    script = script.replace("http://localhost:11434/v1", provider)
    script = script.replace("maker-graph ", f"{sys.executable} -m maker_graph.cli ")
    env = {**os.environ, "OPENAI_BASE_URL": provider, "COLUMNS": "140"}
    done = subprocess.run(
        ["/bin/bash", "-euc", script], cwd=folder, env=env, capture_output=True, text=True, timeout=500, check=False
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


def test_the_pictures_are_drawn_from_the_graphs() -> None:
    graphs = [create_microstep("sim:perfect"), create_maker(Hanoi(), model="sim:perfect").compile()]
    assert [block.strip() for block in blocks("mermaid")] == [graph.get_graph().draw_mermaid().strip() for graph in graphs]


def test_links_within_it_hold() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_it_lists_all_public_names() -> None:
    section = README.split("## What you may import")[1].split("\n## ")[0].split("Errors form")[0]
    assert sorted(re.findall(r"`(\w+)`", section)) == sorted(maker_graph.__all__)
