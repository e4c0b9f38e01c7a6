"""Traces, against a server that plays LangSmith: what a person finds there, and that it never gets in the way."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from maker_graph.models.redaction import keys_of_the_environment
from maker_graph.run.traces import RUNS_PER_TRACE
from maker_graph.run.tracing import _redacted
from tests.conftest import Cli
from tests.langsmith import Ingest, ingest
from tests.models.serving import server

SECRET = "lsv2_sk_canary"  # noqa: S105  it must not be found anywhere


HIDE = {"LANGSMITH_HIDE_INPUTS": "true", "LANGSMITH_HIDE_OUTPUTS": "true"}


def traced(cli: Cli, got: Ingest, *args: str, **env: str) -> dict[str, Any]:
    settings = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": got.url, "LANGSMITH_API_KEY": SECRET} | env
    model = () if "--model" in args else ("--model", "sim:gpt-oss-20b")
    done = cli("run", "hanoi", *model, "--run", "r", "--json", "--quiet", *args, **settings)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout) | {"stderr": done.stderr}
    return summary


def metadata(run: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = run["extra"]["metadata"]
    return result


@pytest.mark.parametrize("zstd", [False, True])
def test_the_tree_has_names_that_a_person_understands(cli: Cli, zstd: bool) -> None:
    with ingest(zstd=zstd) as got:
        summary = traced(cli, got, "--disks", "4")
    (root,) = got.roots()
    assert root["name"] == "hanoi steps 1-15"
    assert {f"step {n}" for n in range(1, 16)} <= {run["name"] for run in got.runs.values()}
    (step,) = got.named("step 3")
    names = [child["name"] for child in got.children(step)]
    assert set(names) == {"__start__", "sample", "red_flag", "vote"}
    calls = [call for child in got.children(step) for call in got.children(child)]
    assert [call["name"] for call in calls] == [f"sample {n}" for n in range(len(calls))]
    assert sum(run["run_type"] == "llm" for run in got.runs.values()) == summary["samples"]
    assert bool(got.compressed) is zstd


def test_with_lookahead_all_is_in_one_tree_drafts_and_dropped_votes_too(cli: Cli) -> None:
    with ingest() as got:
        summary = traced(cli, got, "--disks", "4", "--lookahead", "8", "--model", "sim:gpt-oss-20b,draft_error=0.2")
    (root,) = got.roots()
    assert {f"step {n}" for n in range(1, 16)} <= {run["name"] for run in got.runs.values()}
    for number in range(1, 16):
        names = {child["name"] for step in got.named(f"step {number}") for child in got.children(step)}
        assert names == {"__start__", "sample", "red_flag", "vote"}
        (*_, last) = got.named(f"step {number}")
        scored = {each["run_id"] for each in got.feedback if each["key"] == "lead"}
        assert scored & {step["id"] for step in got.named(f"step {number}")}, last["name"]
    calls = [run for run in got.runs.values() if run["run_type"] == "llm"]
    assert sum(call["name"] == "draft 0" for call in calls) == summary["drafts"]["calls"] > 0
    assert sum(call["name"] != "draft 0" for call in calls) >= summary["samples"]
    assert {run["trace_id"] for run in got.runs.values()} == {root["id"]}


def test_tags_metadata_usage_and_thread_are_where_langsmith_looks(cli: Cli) -> None:
    with ingest() as got:
        summary = traced(cli, got, "--disks", "3", "--k", "3")
    (root,) = got.roots()
    assert {"maker_graph", "hanoi"} <= set(root["tags"])
    about = {"run": "r", "task": "hanoi", "k": 3, "model": "sim:gpt-oss-20b"}
    assert about.items() <= metadata(root).items()
    threads = {metadata(run)["thread_id"] for run in got.runs.values()}
    assert len(threads) == 1
    calls = [run for run in got.runs.values() if run["run_type"] == "llm"]
    for call in calls:
        seen = metadata(call)
        assert {"sample", "round", "step", "model", "temperature"} <= set(seen)
        assert seen["temperature"] == (0.0 if seen["sample"] == 0 else 0.1)
    used = [metadata(call)["usage_metadata"]["output_tokens"] for call in calls]
    assert sum(used) == summary["tokens"]["output"]


def test_each_step_has_its_scores(cli: Cli) -> None:
    with ingest() as got:
        traced(cli, got, "--disks", "3")
    for number in range(1, 8):
        (step,) = got.named(f"step {number}")
        scores = {each["key"]: each["score"] for each in got.feedback if each["run_id"] == step["id"]}
        assert set(scores) == {"lead", "rounds", "red_flags"}
        assert scores["lead"] >= 1


def test_contested_shows_each_contested_or_flagged_step_as_a_summary_and_nothing_else(cli: Cli) -> None:
    with ingest() as got:
        summary = traced(cli, got, "--disks", "6", "--trace", "contested")
    assert got.runs, "some of 63 steps are contested or flagged"
    for run in got.roots():
        assert run["name"].startswith("step ")
        assert len(run["outputs"]["ballot"]) > 1 or run["outputs"]["flags"]
        assert "Current state" in json.dumps(run["inputs"])
        assert metadata(run)["step"] == int(run["name"].split()[1])
    assert len(got.runs) == len(got.roots())
    flagged = sum(sum(run["outputs"]["flags"].values()) for run in got.roots())
    assert flagged == sum(summary["flags"].values())
    lost = sum(sum(run["outputs"]["ballot"].values()) - max(run["outputs"]["ballot"].values()) for run in got.roots())
    assert lost == summary["outvoted"]


@pytest.mark.parametrize("mode", ["contested", "all"])
def test_the_step_that_ended_a_run_undecided_is_found_and_hidden_if_outputs_are(cli: Cli, mode: str) -> None:
    with ingest() as got:
        env = {"LANGSMITH_ENDPOINT": got.url, "LANGSMITH_API_KEY": SECRET, **HIDE}
        torn = ("--model", "sim:perfect,error=0.5,favourite=1", "--k", "6", "--max-samples", "12", "--disks", "5")
        done = cli("run", "hanoi", *torn, "--trace", mode, **env)
    assert done.returncode == 3
    assert "next_state" in done.stderr, "who runs it sees the candidates"
    assert got.named(f"step {1 + sum(name['name'] == 'commit' for name in got.runs.values())}") if mode == "all" else got.runs
    assert any(each["key"] == "lead" for each in got.feedback)
    assert b"next_state" not in b"".join(got.raw), "not even in the text of the error"


@pytest.mark.parametrize("mode", ["contested", "all"])
def test_a_step_that_its_votes_passed_on_is_told_from_one_that_is_stuck(cli: Cli, mode: str) -> None:
    with ingest() as got:
        env = {"LANGSMITH_ENDPOINT": got.url, "LANGSMITH_API_KEY": SECRET}
        torn = ("--model", "sim:perfect,error=0.5,favourite=1", "--k", "4", "--within", "4", "--no-check", "--disks", "5")
        done = cli("run", "hanoi", *torn, "--trace", mode, **env)
    assert done.returncode == 3
    assert sum(each["score"] for each in got.feedback if each["key"] == "passed") == 1
    if mode == "contested":
        (passed,) = [run for run in got.roots() if run["outputs"]["passed"]]
        assert {"undecided", "passed"} <= {*passed["tags"]}


def test_wrong_settings_of_langsmith_are_one_sentence(cli: Cli) -> None:
    env = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": SECRET, "LANGSMITH_TRACING_SAMPLING_RATE": "2"}
    done = cli("run", "hanoi", "--disks", "3", **env)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_off_is_off_and_without_a_word_nothing_is_sent(cli: Cli) -> None:
    with ingest() as got:
        traced(cli, got, "--disks", "3", "--trace", "off")
        done = cli("run", "hanoi", "--disks", "3", LANGSMITH_ENDPOINT=got.url, LANGSMITH_API_KEY=SECRET)
        assert done.returncode == 0
    assert not got.raw


def test_all_without_a_key_says_what_is_missing(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "3", "--trace", "all")
    assert done.returncode == 2
    assert "LANGSMITH_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_secret_is_in_any_payload(cli: Cli, simulated_server: str) -> None:
    with ingest() as got:
        keys = {"OPENAI_BASE_URL": simulated_server, "OPENAI_API_KEY": "sk-canary-0123456789"}
        traced(cli, got, "--disks", "3", "--model", "openai:gpt-4.1-mini", **keys)
    assert got.runs
    assert all(b"canary" not in body for body in got.raw)


def test_a_key_that_the_provider_says_back_is_in_no_payload(cli: Cli) -> None:
    echo: tuple[int, Any, dict[str, str]] = (401, {"error": {"message": "Invalid key: Bearer sk-canary-0123456789"}}, {})
    with server(echo) as (url, _), ingest() as got:
        env = {"LANGSMITH_ENDPOINT": got.url, "LANGSMITH_API_KEY": SECRET, "OPENAI_API_KEY": "sk-canary-0123456789"}
        done = cli("run", "hanoi", "--disks", "3", "--model", "openai:x", "--trace", "all", OPENAI_BASE_URL=url, **env)
    assert done.returncode == 5
    assert any(run.get("error") for run in got.runs.values())
    assert b"canary" not in b"".join(got.raw) + done.stderr.encode()


def test_a_reply_of_any_integration_is_sent_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE_API_KEY", "canary-0123456789")
    outputs = {"generations": [[{"text": "said: Bearer CANARY-0123456789", "message": {"content": ["canary-0123456789"]}}]]}
    for error in (None, "ValueError: canary-0123456789"):
        sent = json.dumps(_redacted({"outputs": outputs, "error": error}, keys_of_the_environment()))
        assert sent.count("[key]") >= 2
        assert "canary" not in sent.lower()


def test_langsmiths_own_hide_settings_are_honoured(cli: Cli) -> None:
    with ingest() as got:
        traced(cli, got, "--disks", "4", "--trace", "all", **HIDE)
    with ingest() as summaries:
        env = {"LANGSMITH_ENDPOINT": summaries.url, "LANGSMITH_API_KEY": SECRET, **HIDE}
        cli("run", "hanoi", "--model", "sim:gpt-oss-20b", "--disks", "5", "--trace", "contested", **env)
    for taken in (got, summaries):
        assert taken.runs
        assert b"Current state" not in b"".join(taken.raw)
        assert b"next_state" not in b"".join(taken.raw)


def test_segments_are_traces_of_one_thread_and_keep_to_their_size(cli: Cli) -> None:
    with ingest() as got:
        traced(cli, got, "--disks", "8", "--k", "3")
    assert [run["name"] for run in got.roots()] == ["hanoi steps 1-250", "hanoi steps 251-255"]
    assert len({metadata(run)["thread_id"] for run in got.roots()}) == 1
    assert max(got.sizes().values()) < RUNS_PER_TRACE / 4


def test_a_large_k_makes_segments_shorter(cli: Cli) -> None:
    """With k = 100 a step is 200 runs and more: 250 of them would be 50,000."""
    with ingest() as got:
        one_vote = ("--max-samples", "3000", "--hotter", "none", "--no-rephrase")
        traced(cli, got, "--disks", "4", "--k", "100", "--model", "sim:perfect", *one_vote)
    assert [run["name"] for run in got.roots()] == ["hanoi steps 1-8", "hanoi steps 9-15"]
    assert max(got.sizes().values()) <= RUNS_PER_TRACE
    assert sum(name.startswith("step ") for name in (run["name"] for run in got.runs.values())) == 15


FAULTS: list[dict[str, Any] | None] = [{"status": 401}, {"status": 429}, {"status": 500}, {"delay": 20.0}, None]
"""Of a LangSmith that is dead or slow; at the address of the last one there is nobody."""


def test_a_dead_or_slow_langsmith_costs_a_run_nothing_but_its_traces(process: Cli) -> None:
    """As processes, for that LangSmith's threads keep one alive was the fault: `process` gives up on one that does not end.

    All at once, for each waits a few seconds for the traces that nobody takes.
    """

    def run(number: int) -> subprocess.CompletedProcess[str]:
        fault = FAULTS[number]
        with ingest(**(fault or {})) as got:
            url = got.url if fault else "http://127.0.0.1:9"
            env = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": url, "LANGSMITH_API_KEY": SECRET}
            return process("run", "hanoi", "--disks", "4", "--run", f"r{number}", "--json", **env)

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        ended = [*pool.map(run, range(len(FAULTS)))]
    for fault, done in zip(FAULTS, ended, strict=True):
        assert done.returncode == 0, (fault, done.stderr)
        assert json.loads(done.stdout)["verified"], fault
        assert "LangSmith did not take all traces" in done.stderr, fault
        assert "Traceback" not in done.stderr, fault
        assert SECRET not in done.stderr, fault


PARTS = """
from maker_graph.simulation import Replies

class Choose:
    def prompt(self, state):
        return f"choose {state}"
    def parse(self, text):
        return text

class Look:
    by = "world"
    def answer(self, state, step):
        return "seen"

class Pages:
    class rehearsal:
        @staticmethod
        def replies(prompt):
            return Replies(prompt[-1][1], ["wrong", "odd"])
    def __init__(self):
        self.parts = {"choose": Choose(), "look": Look()}
    def start(self):
        return 0
    def part(self, state):
        return None if state == 6 else ("choose", "look")[state % 2]
    def apply(self, state, answer):
        return state + 1
"""


def test_the_parts_of_a_task_are_seen_in_the_trace(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "paged.py").write_text(PARTS)
    with ingest() as got:
        settings = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": got.url, "LANGSMITH_API_KEY": SECRET}
        done = cli("run", "paged:Pages", "--model", "sim:perfect", "--k", "2", "--run", "r", "--quiet", **settings)
        assert done.returncode == 0, done.stderr
    (root,) = got.roots()
    names = [run["name"] for run in sorted(got.children(root), key=lambda run: str(run["start_time"]))]
    assert [name for name in names if name in {"choose", "look"}] == ["choose", "look"] * 3
    assert {f"step {n}" for n in (1, 3, 5)} <= {run["name"] for run in got.runs.values()}
