"""What a run spends, by its journal and by what its provider counts."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import LimitReached, Run
from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.models.calls import Call
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.account import Ledger, Limits
from maker_graph.tasks import Hanoi
from tests.made import created
from tests.models.serving import http, raw_server, simulated
from tests.survival.harness import settings_of

MOST = Usage(input=100, cached=0, output=50)


def counting(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "any")


def run_at(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **how: Any) -> Run:
    counting(monkeypatch, url)
    return Run.create(folder / "r", Hanoi(disks=6), model="openai:m", k=3, price="1,10", **how)


def test_a_provider_that_counts_more_than_it_was_asked_for_is_booked_in_full_and_stops_the_run_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = {"prompt_tokens": 300, "completion_tokens": 740, "total_tokens": 1040}
    asked: list[int] = []

    def answer(request: bytes) -> list[bytes]:
        asked.append(1)
        return [http(simulated(request) | {"usage": usage | {"prompt_tokens": 100_000}})]

    warned: list[str] = []
    with raw_server(answer) as url, run_at(url, tmp_path, monkeypatch, max_cost=0.25) as run:
        with pytest.raises(LimitReached, match=r"limit of \$0.25 is passed: \$0\.3[0-9]+ were spent"):
            run.solve(warn=warned.append, probe=False)
        assert run.verify()["cost_usd"] == pytest.approx(0.1074 * len(asked))
    assert len(asked) == 3, "those that were under way when the first reply was counted"
    assert len(warned) == 1
    assert "is passed" in warned[0]


def test_zeros_for_what_was_used_do_not_defeat_the_limit_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    with (
        raw_server(lambda request: [http(simulated(request) | {"usage": zeros})]) as url,
        run_at(url, tmp_path, monkeypatch, max_cost=0.1) as run,
    ):
        with pytest.raises(LimitReached, match=r"limit of \$0.1 is reached"):
            run.solve(probe=False)
        assert 0 < (run.verify()["cost_usd"] or 0) <= 0.1
        assert run.step > 0


def test_what_may_be_under_way_when_a_run_is_killed_counts_what_requests_cost_beyond_what_was_set_aside(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, FlatPrice(1e6, 1e6), Limits(cost=1e6), None)
        meter.reserve(MOST)
        sample = Sample(0, "2", input_tokens=100, output_tokens=250)
        meter.settle(MOST, Call([("human", "?")], "m", None, sample))
        meter.reserve(MOST)
        assert run.journal.account().reserved.cost >= 350 + 350
