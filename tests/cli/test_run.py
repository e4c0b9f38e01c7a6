"""`maker-graph run`: what it prints, how it ends, and what it leaves behind."""

import csv
from pathlib import Path

import pytest

from maker_graph.statistics import correlated
from tests.cli.commands import SIM, STUCK, result, stopped
from tests.conftest import Cli

EXAMPLES = Path(__file__).parents[2] / "examples"
KEYS = [
    "run", "task", "model", "simulated", "steps", "total", "done", "verdict", "because", "verified",
    "wrong", "result", "k", "leads", "samples", "votes", "outvoted",
    "first_sample_wrong_at", "single_differs", "single_wrong", "rounds", "flags", "tokens", "cost_usd", "seconds", "digest",
    "drafts", "dropped", "lost", "sessions", "stuck", "rule", "passed", "rungs", "proved", "standings", "merged",
    "given", "open",
    "exit_code", "reason",
]  # fmt: skip


def test_the_default_is_a_real_model_that_errs_and_the_run_is_proved_all_the_same(cli: Cli) -> None:
    done = cli("run", "hanoi", "--disks", "6", "--seed", "3", "--json")
    summary = result(done)
    assert (summary["model"], summary["simulated"], summary["cost_usd"], summary["k"]) == ("tiny", False, 0.0, 3)
    assert (summary["steps"], summary["verified"]) == (63, True)
    assert sum(summary["flags"].values()) > 0
    assert "nobody scripted its errors" in " ".join(done.stderr.split())
    assert "no step is wrong is not known" in " ".join(done.stderr.split())


def test_where_the_tiny_model_is_lost_the_default_is_a_simulated_one(cli: Cli) -> None:
    for disks in ("2", "9"):
        assert result(cli("run", "hanoi", "--disks", disks, "--max-calls", "9", "--json", "-q"))["model"] == "sim:gpt-oss-20b"
    rows = EXAMPLES / "records" / "records.csv"
    done = cli("run", "records", "--input", str(rows), "--out", "out.csv", "--max-calls", "9", "--json", "-q")
    assert result(done)["model"] == "sim:gpt-oss-20b"


def test_a_weak_model_solves_hanoi_and_the_summary_adds_up(cli: Cli) -> None:
    done = cli("run", "hanoi", *SIM, "--disks", "6", "--json")
    assert done.returncode == 0, done.stderr
    summary = result(done)
    assert list(summary) == KEYS
    assert (summary["steps"], summary["total"], summary["done"], summary["verified"]) == (63, 63, True, True)
    assert (summary["verdict"], summary["wrong"]) == ("proved", 0)
    assert summary["single_differs"] >= summary["single_wrong"] > 0
    assert summary["samples"] == summary["votes"] + sum(summary["flags"].values())
    assert (summary["model"], summary["simulated"], summary["cost_usd"]) == ("sim:gpt-oss-20b", True, 0.0)
    assert summary["outvoted"] > 0


def test_a_chain_of_single_samples_would_fail_and_k_is_planned_for_it(cli: Cli) -> None:
    summary = result(cli("run", "hanoi", *SIM, "--disks", "8", "--json", "--quiet"))
    assert summary["first_sample_wrong_at"] < 255
    assert summary["k"] == correlated.k_min(1 - 0.0358, 255, 0.99, rho=0.005, rival=0.7) == 3


def test_a_perfect_model_needs_exactly_k_samples_a_step_and_any_concurrency_gives_the_same_digest(cli: Cli) -> None:
    runs = [
        result(cli("run", "hanoi", "--disks", "6", "--model", "sim:perfect", "--k", "3", "--json", "--concurrency", n))
        for n in ("1", "2", "16")
    ]
    assert {run["samples"] for run in runs} == {189}
    assert len({run["digest"] for run in runs}) == 1


def test_the_same_seed_gives_the_same_run_and_another_one_another(cli: Cli) -> None:
    one, two, three = (result(cli("run", "hanoi", *SIM, "--disks", "4", "--json", "--seed", seed)) for seed in ("7", "7", "8"))
    same = {"run": "", "seconds": 0}
    assert one | same == two | same
    assert one["samples"] != three["samples"] or one["tokens"] != three["tokens"]


def test_through_chat_openai_and_http(cli: Cli, simulated_server: str) -> None:
    env = {"OPENAI_BASE_URL": simulated_server, "OPENAI_API_KEY": "sk-canary"}
    done = cli("run", "hanoi", "--disks", "5", "--model", "openai:gpt-4.1-mini", "--seed", "3", "--json", **env)
    assert done.returncode == 0, done.stderr
    summary = result(done)
    assert (summary["verified"], summary["simulated"], summary["k"]) == (True, False, 3)
    assert summary["tokens"]["output"] > 31 * 3 * 400


def test_with_batch_the_prompt_of_a_round_is_billed_once(cli: Cli, simulated_server: str) -> None:
    env = {"OPENAI_BASE_URL": simulated_server, "OPENAI_API_KEY": "sk-canary"}
    args = ("run", "hanoi", "--disks", "3", "--model", "openai:gpt-4.1-mini", "--temperature", "0.7", "--no-probe", "--json")
    alone, together = (cli(*args, *more, **env) for more in ((), ("--batch",)))
    assert (alone.returncode, together.returncode) == (0, 0), together.stderr
    assert 2 * result(together)["tokens"]["input"] < result(alone)["tokens"]["input"]
    refused = cli(*args, "--batch", "--seed", "3", **env)
    assert refused.returncode != 0
    assert "leave seed out" in refused.stderr


def test_records_come_out_right_and_open_ones_go_to_review(cli: Cli, tmp_path: Path) -> None:
    rows = (EXAMPLES / "records" / "records.csv").read_text().splitlines()[:41]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    done = cli("run", "records", "--input", "rows.csv", "--out", "clean.csv", "--json")
    assert done.returncode == 0, done.stderr
    with (EXAMPLES / "records" / "answers.csv").open(newline="", encoding="utf-8") as file:
        truth = list(csv.DictReader(file))[:40]
    with (tmp_path / "clean.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == truth
    assert not (tmp_path / "clean.review.csv").exists()
    assert (result(done)["verdict"], result(done)["verified"], result(done)["wrong"]) == ("consistent", None, None)
    cannot = cli(
        "run", "records", "--input", "rows.csv", "--out", "c.csv", "--model", "sim:perfect,flagged=1", "--max-samples", "4"
    )
    assert cannot.returncode == 3
    assert len((tmp_path / "c.review.csv").read_text().splitlines()) == 41


def test_a_task_of_ones_own_runs_without_a_change_here(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from maker_graph.models.simulation import Replies\n"
        "class Sums:\n"
        "    def replies(self, prompt):\n"
        "        n = int(prompt[-1][1])\n"
        "        return Replies(str(n - 1), [str(n - 2)])\n"
        "class Countdown:\n"
        "    rehearsal = Sums()\n"
        "    def start(self): return 20\n"
        "    def done(self, state): return state == 0\n"
        "    def prompt(self, state): return str(state)\n"
        "    def parse(self, text): return int(text)\n"
        "    def apply(self, state, answer): return answer\n"
        "    def total(self): return 20\n"
    )
    done = cli("run", "mine:Countdown", "--model", "sim:gpt-4.1-mini", "--json")
    assert done.returncode == 0, done.stderr
    assert result(done)["task"] == "mine:Countdown"
    wrong = cli("run", "mine:Nothing")
    assert wrong.returncode == 2
    assert "Nothing" in wrong.stderr


def test_a_run_that_exists_is_not_overwritten(cli: Cli) -> None:
    assert cli("run", "hanoi", "--disks", "2", "--run", "r").returncode == 0
    done = cli("run", "hanoi", "--disks", "3", "--run", "r")
    assert done.returncode == 2
    assert "resume" in done.stderr


def test_rungs_can_be_taken_away_and_a_stronger_model_be_given(cli: Cli) -> None:
    off = ("--hotter", "none", "--no-rephrase")
    done = cli("run", "hanoi", "--disks", "2", *STUCK, *off, "--json")
    assert (done.returncode, result(done)["samples"]) == (3, 6)
    strong = cli("run", "hanoi", "--disks", "2", *STUCK[:-1], "s", *off, "--escalate", "sim:perfect", "--json")
    assert (strong.returncode, result(strong)["samples"]) == (0, 3 * (6 + 2))


def test_the_stronger_model_is_booked_at_its_own_price(cli: Cli) -> None:
    off = ("--hotter", "none", "--no-rephrase", "--price", "1000,1000", "--escalate", "sim:perfect", "--json")
    done = result(cli("run", "hanoi", "--disks", "1", *STUCK, *off))
    assert done["verified"]
    base = result(cli("run", "hanoi", "--disks", "1", *STUCK[:-1], "s", *off[:5], "--json"))
    assert done["cost_usd"] == base["cost_usd"] > 0, "a simulated one costs nothing"


def test_another_model_writes_the_answers_and_is_booked_at_its_own_price(cli: Cli) -> None:
    asked = ("run", "hanoi", "--disks", "3", "--model", "sim:perfect", "--k", "2", "--json")
    plain = result(cli(*asked, "--run", "a", "--price", "1,1"))
    same = result(cli(*asked, "--run", "b", "--emit", "same", "--price", "1,1"))
    other = result(
        cli(*asked, "--run", "c", "--emit", "sim:gpt-4.1-mini", "--price", "sim:perfect=1,1;sim:gpt-4.1-mini=0,1000")
    )
    assert plain["verified"]
    assert same["verified"]
    assert other["verified"]
    assert plain["samples"] == same["samples"] == other["samples"]
    assert plain["cost_usd"] < same["cost_usd"] < other["cost_usd"]


def test_a_run_is_for_its_owners_eyes(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    folder = tmp_path / "runs" / "r"
    assert oct(folder.stat().st_mode)[-3:] == "700"
    assert {oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {"600"}
    assert {path.name for path in folder.iterdir()} == {
        "settings.json",
        "session.json",
        "journal.db",
        "journal.watermark",
        "checkpoints.db",
    }


@pytest.mark.parametrize("out", ["rows.csv", "./rows.csv", "folder"])
def test_an_output_that_would_lose_something_is_refused_before_anything_is_paid(cli: Cli, tmp_path: Path, out: str) -> None:
    (tmp_path / "rows.csv").write_text('address,date,amount\n"1 Elm St., 10115 Kiel",3.4.24,$5\n')
    (tmp_path / "folder").mkdir()
    before = (tmp_path / "rows.csv").read_bytes()
    done = cli("run", "records", "--input", "rows.csv", "--out", out)
    assert done.returncode == 2
    assert (tmp_path / "rows.csv").read_bytes() == before
    assert not (tmp_path / "runs").exists()


def test_a_row_that_holds_what_nobody_can_see_is_asked_like_any_other(cli: Cli, tmp_path: Path) -> None:
    rows = 'address,date,amount\n"5 Elm\u200b St., 10115 Berlin",3.4.24,$5\n"5 Elm St., 10115 Berlin",3.4.24,$5\n'
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8")
    given = ("--input", "rows.csv", "--out", "o.csv", "--run", "r", "--model", "sim:perfect")
    done = cli("run", "records", *given, "--json", "-q")
    assert result(done)["steps"] == 2, done.stderr
    assert "1 of 2 items is left open" in done.stderr, "its street cannot be told without the character"
    assert result(cli("verify", "r", "--json"))["digest"] == result(done)["digest"]
