"""Examples run offline and show what they say; every block of their pages is run."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from maker_graph.run.checking import check_task
from maker_graph.tasks.loading import load_task
from tests.langsmith import ingest
from tests.models.serving import completion, gateway, server
from tests.pages import blocks_of, printed
from tests.survival.harness import Children
from tests.test_served import langgraph_dev, project

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SHOWS = {
    "messages": "ai: Canberra",
    "own_state": "'quantity': 24, 'total': 60.0",
    "router": "billing",
    "agent_tool": "tool: 15",
    "extraction": "'cents': 124950",
    "person": "spaces",
    "live_ballots": "step 15: 3",
    "several_models": "Nile",
    "evaluate": "right: 1.00 over 13 steps",
    "acting": "4 presses led to page 4 of 4",
    "prices": "Then it is consistent.",
    "voted_agent": "left to a person",
    "own_task": "Right, in 146 voted steps",
    "verified": "9 after 4 samples: x = 9 is the only real solution of",
}
SAYS = (
    r"Canberra|k = 3: wrong once in 730|^20 |^7 True|'red', 'green', 'blue'|^consistent \['12.50', '5.00', '7.00'"
    r"|^True (\{|\d)|^What is 2 more than 1"
    r"|^ahead by 3 within 5 votes: decides|^400 labelled rows drawn at random"
    r"|^The money of order 7 is|order.:7|^3 euros"
    r"|^3 of 400 are wrong|is no longer the file that this run began with: put that one back"
    r"|^A after 6 samples|^4 \{'unsure': 1\}|-> Hung\(\)$|^the same decisions: True|^independent: 0.99999"
    r"|^7 steps$"
    r"|^3 samples, 6 calls|^proved: x = 9 is|^5/6 True$|^Valid\(evidence='(60 km/h|x = 3 is the only|n = 2 follows|17\*23)"
)
"""What the blocks of the pages print."""

TRIED = {"own_task": "Addition", "acting": "Order", "prices": "Prices"}
OF_FOLDERS = [EXAMPLES / name / "README.md" for name in ("app_testing", "ledger", "sql_flow")]
PAGES = [*sorted(EXAMPLES.glob("*.md")), *OF_FOLDERS, *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_example_is_listed_and_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SHOWS)
    page = (EXAMPLES / "README.md").read_text()
    assert set(re.findall(r"`(\w+)\.py`", page)) == set(SHOWS)
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert set(re.findall(r"`(\w+)/`", page)) == folders


@pytest.mark.parametrize("name", sorted(SHOWS))
def test_every_example_runs_offline(name: str, children: Children, tmp_path: Path) -> None:
    path = EXAMPLES / f"{name}.py"
    child = children.start(tmp_path, "script", source=path.read_text(), path=str(path))
    assert child.wait(60) == 0, child.said
    assert SHOWS[name] in child.said[0]


@pytest.mark.parametrize("name", TRIED)
def test_the_tasks_among_the_examples_keep_the_contract_to_their_end(name: str) -> None:
    trial = check_task(load_task(f"examples.{name}:{TRIED[name]}", {}))
    assert (trial.problems, trial.stopped, trial.answers) == ([], "end", "rehearsal")
    assert trial.not_performed == (4 if name == "acting" else 0)


def test_with_a_key_the_evaluation_uploads_dataset_experiment_and_results() -> None:
    with ingest() as got:
        env = {**os.environ, "LANGSMITH_ENDPOINT": got.url, "LANGSMITH_API_KEY": "lsv2_any"}
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "evaluate.py")], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert SHOWS["evaluate"] in done.stdout
    assert len(got.examples) == 13
    assert {"inputs", "outputs"} <= set(got.examples[0])
    assert len(got.experiments) == 1
    assert {each["key"] for each in got.feedback} == {"right", "flagged", "contested"}
    assert any(run["name"] == "vote" for run in got.runs.values()), "the microsteps are traced"


@pytest.mark.parametrize("name", ["messages", "own_state", "router", "agent_tool", "extraction", "person", "several_models"])
def test_a_drop_in_takes_at_most_twelve_lines(name: str) -> None:
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    (build,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build"]
    first, last = build.body[0].end_lineno, build.body[-1].end_lineno
    assert first is not None
    assert last is not None
    assert last - first <= 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_of_a_page_runs_and_prints_what_the_page_shows(page: Path, children: Children, tmp_path: Path) -> None:
    for block in blocks_of(page.read_text()):
        said = (run_python if block.language == "python" else run_bash)(block.code, children, tmp_path)
        if block.output is not None:
            assert printed(block.output, said), said
        elif block.language == "python":
            assert re.search(SAYS, said, re.MULTILINE), said


def test_what_a_page_shows_must_be_what_is_printed() -> None:
    said = "begin\none 1\ntwo\nend  \n"
    for shown in ("begin\n...\nend", "one ...\ntwo", "...\ntwo\n...", "end"):
        assert printed(shown, said), shown
    for shown in ("begin\ntwo", "egin", "one\ntwo", "two\none 1", "begin\n...\nthree"):
        assert not printed(shown, said), shown
    text = '```python\na\n```\n\n```text title="Output"\nb\n```\n\n```bash\nc\n```\n\n```text\nd\n```\n'
    assert [tuple(block) for block in blocks_of(text)] == [("python", "a\n", "b\n"), ("bash", "c\n", None)]


def run_python(code: str, children: Children, folder: Path) -> str:
    """Run a block of Python, against a server if it asks for one; return what it prints."""
    if "get_sync_client" in code:
        with langgraph_dev(project(folder)) as client:
            url = str(client.http.client.base_url)
            child = children.start(folder, "script", source=code.replace("http://127.0.0.1:2024", url.rstrip("/")))
            assert child.wait(60) == 0, child.said
    else:
        child = children.start(folder, "script", source=code)
        assert child.wait(60) == 0, child.said
    return child.said[0]


def run_bash(script: str, _: Children, folder: Path) -> str:
    """Run a block of shell commands; return what it prints to standard output."""
    command = re.sub(r"\bmaker-graph (?=[a-z-])", f"{sys.executable} -m maker_graph.cli ", script)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "140"}
    ran = subprocess.run(
        ["/bin/bash", "-euc", command], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_block_for_a_real_model_votes_on_what_its_server_says(children: Children, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```py\n(.*?)^```$", (ROOT / "docs" / "real_model.md").read_text(), re.DOTALL | re.MULTILINE)
    said = {"index": 0, "message": {"role": "assistant", "content": " 1977-03-22"}, "finish_reason": "stop"}
    with server((200, completion(choices=[said]), {})) as (url, asked):
        where = f"import os\nos.environ |= {{'OPENAI_BASE_URL': {url!r}, 'OPENAI_API_KEY': 'none'}}\n"
        child = children.start(tmp_path, "script", source=where + code)
        assert child.wait(60) == 0, child.said
    assert "1977-03-22" in child.said[0]
    assert len(asked) == 5
    assert {(body["stop"][0], body["temperature"], body["max_tokens"]) for body in asked} == {("\n", 0.7, 16)}


def test_the_block_from_labelled_rows_to_clean_ones_takes_fifteen_lines_and_runs(children: Children, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "curation.md").read_text()
    (code,) = [each for each in re.findall(r"^```py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "choose_by_labels" in each]
    assert len(code.splitlines()) <= 15
    (tmp_path / "schema.py").write_text("from pydantic import BaseModel\n\nclass Price(BaseModel):\n    amount: int\n")
    (tmp_path / "rows.csv").write_text("text\n" + "".join(f"costs {place}\n" for place in range(6)))
    labels = "".join(f"costs {place},{place}\n" for place in range(100, 130))
    (tmp_path / "labelled.csv").write_text(f"text,amount\n{labels}")

    def reply(body: dict[str, Any]) -> str:
        found = re.search(r"costs (\d+)", body["messages"][-1]["content"])
        return f'{{"amount": {found[1]}}}' if found else str(uuid4())

    with gateway(reply, cache=False) as (url, asked):
        where = f"import os\nos.environ |= {{'OPENAI_BASE_URL': {url!r}, 'OPENAI_API_KEY': 'none'}}\n"
        child = children.start(tmp_path, "script", source=where + code)
        assert child.wait(120) == 0, child.said
    assert "0 rows wait for a person" in child.said[0]
    assert "With 95 % confidence at most" in child.said[0]
    assert sum(number for each, number in asked.items() if "costs" in each) == 3 * 8 * 25 + 5 * 6
    assert (tmp_path / "clean.csv").read_text().splitlines()[-1] == "costs 5,5,decided by vote"


def test_links_between_pages_hold() -> None:
    for page in [ROOT / "README.md", *PAGES]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_rule_of_the_migration_is_judged_at_each_site_and_its_patch_leaves_the_tests_green(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(EXAMPLES / "migrate", tree, ignore=shutil.ignore_patterns("__pycache__"))
    rule, env = f"{tree / 'utcnow.py'}:Utcnow", {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["--path", str(tree / "orders"), "--rule", rule, "--out", "utcnow.patch", "--model", "sim:perfect,error=.1"]
    command = [sys.executable, "-m", "maker_graph.cli", "run", "migrate", *words, "--run", "r", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    patch = ["patch", "-p1", "-d", str(tree / "orders"), "-i", "../../utcnow.patch"]
    subprocess.run(patch, check=True, capture_output=True)
    orders, log = ((tree / "orders" / name).read_text() for name in ("orders.py", "log.py"))
    assert "from datetime import timezone, datetime, timedelta" in orders
    assert orders.count("datetime.now(timezone.utc)") == 4
    assert orders.count(".replace(tzinfo=None)") == 3
    assert "{datetime.datetime.now(datetime.timezone.utc):%H:%M:%S}" in log
    works = (
        "from datetime import datetime; from orders.orders import *; from orders.log import line; "
        "assert is_late('2020-01-01') and is_valid(datetime(2999, 1, 1)) and '+' not in stamp() and line('a') and created()"
    )
    green = subprocess.run(
        [sys.executable, "-W", "error", "-c", works], cwd=tree, capture_output=True, text=True, timeout=60, check=False
    )
    assert green.returncode == 0, green.stderr
