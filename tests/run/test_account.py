"""What a run spends, by its journal and by what its provider counts."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import LimitReached, Run
from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.journal.protocol import NO_NOTES, Notes
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
        with pytest.raises(LimitReached, match=r"limit of \$0.25 is exceeded: \$0\.3[0-9]+ were spent"):
            run.solve(warn=warned.append, probe=False)
        assert run.verify()["cost_usd"] == pytest.approx(0.1074 * len(asked))
    assert len(asked) == 3, "those that were under way when the first reply was counted"
    assert len(warned) == 1
    assert "is exceeded" in warned[0]


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


class Purse:
    """A book whose purse has so many calls."""

    def __init__(self, calls: int) -> None:
        self.calls, self.kept = calls, Account()

    def owned(self) -> None:
        pass

    def account(self) -> Account:
        return self.kept

    def provide(self, spent: Spent, wished: Reserved, least: Reserved) -> Reserved:
        left = self.calls - self.kept.spent.calls - spent.calls
        if least.calls > max(0, left):
            raise LimitReached("It is empty.")
        return wished._replace(calls=max(least.calls, min(wished.calls, left)))

    def spend(self, spent: Spent, reserved: Reserved, _: Notes = NO_NOTES, /) -> None:
        self.kept = self.kept._replace(spent=self.kept.spent.plus(spent), reserved=reserved)
        assert self.kept.spent.calls + reserved.calls <= self.calls


def test_a_ledger_holds_no_more_than_a_shared_purse_has_and_uses_it_to_the_last_call() -> None:
    book = Purse(11)
    meter = Ledger(book, None, Limits())
    for made in range(1, 12):
        meter.reserve(MOST)
        meter.abandon(MOST, billed=False)
        if made % 4 == 0:
            book.spend(*meter.take())
    with pytest.raises(LimitReached, match="empty"):
        meter.reserve(MOST)
    meter.close()
    assert (book.kept.spent.calls, book.kept.reserved) == (11, Reserved())


def test_a_purse_that_has_less_than_a_next_step_may_need_does_not_stop_a_commit() -> None:
    book = Purse(5)
    meter = Ledger(book, None, Limits())
    for _ in range(4):
        meter.reserve(MOST)
        meter.abandon(MOST, billed=False)
    assert meter.take()[1].calls == 1
