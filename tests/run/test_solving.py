"""A run that goes on: who watches is told what matters, when it happens."""

import time
from pathlib import Path

import pytest

from maker_graph import Run
from maker_graph.tasks import Hanoi
from tests.models.serving import http, raw_server, simulated


def test_a_run_that_loses_replies_says_so_while_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(request: bytes) -> list[bytes]:
        asked.append(1)
        if len(asked) % 2:
            time.sleep(0.8)
        return [http(simulated(request))]

    told: list[str] = []
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with raw_server(answer) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        with Run.create(tmp_path / "r", Hanoi(disks=3), model="openai:m", k=1) as run:
            result = run.solve(timeout=0.4, patience=60, warn=told.append, probe=False)
            assert run.certify().lost == result["lost"] == sum(step.decision["lost"] for step in run.steps())
    assert result["verified"]
    assert result["lost"] >= 7
    assert result["samples"] == 7
    assert any("lost to time-outs" in sentence for sentence in told)
