"""`--record`: every prompt and reply in a file of JSON lines."""

import json
from pathlib import Path

from tests.cli.commands import result
from tests.conftest import Cli


def test_record_holds_every_prompt_and_reply(cli: Cli, tmp_path: Path) -> None:
    summary = result(cli("run", "hanoi", "--disks", "4", "--record", "calls.jsonl", "--json"))
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert len(calls) == summary["samples"]
    assert {call["step"] for call in calls} == set(range(1, 16))
    assert all("Current state" in call["prompt"][-1]["content"] for call in calls)
