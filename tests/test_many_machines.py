"""The page on many machines: all that it shows is run against a real Postgres, and its figures are those that were measured."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.postgres import Postgres

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "many_machines.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def commands(server: Postgres, folder: Path, script: str) -> str:
    """Run a block as a reader would who is at home in `folder`."""
    script = script.replace("@db.example/", f"@127.0.0.1:{server.port}/")
    script = script.replace("maker-graph ", f"{sys.executable} -m maker_graph.cli ")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["/bin/bash", "-euc", script], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def statements(address: str, script: str) -> None:
    with psycopg.connect(address, autocommit=True) as db:
        for statement in filter(None, map(str.strip, script.split(";"))):
            db.execute(statement.encode())


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[tuple[Postgres, list[str]]]:
    """Return the server on which all blocks of the page were run, in order, and what each command said."""
    folder = tmp_path_factory.mktemp("walk")
    for file in (ROOT / "examples" / "curate").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    as_superuser, as_owner = blocks("sql")
    statements(postgres.address(), as_superuser)
    try:
        first, *others = blocks("sh")
        said = [commands(postgres, folder, first)]
        statements(postgres.address("runs", "runs_owner"), as_owner)
        said += [commands(postgres, folder, each) for each in others]
        assert len((folder / "clean.csv").read_text().splitlines()) == 61
        yield postgres, said
    finally:
        postgres.execute("DROP DATABASE runs WITH (FORCE)")
        postgres.execute("DROP ROLE runs_owner, runs_worker, runs_reader")


@pytest.mark.service("postgres")
def test_the_walk_does_what_it_says(walked: tuple[Postgres, list[str]]) -> None:
    _, (submitted, worked, looked, sealed, towers, tower) = walked
    assert "6 runs" in submitted
    assert "6 done" in worked
    assert "Steps    60 of 60" in looked
    assert "60 of 60" in sealed
    assert "4 done" in towers
    assert tower


@pytest.mark.service("postgres")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE maker_graph.steps SET entry = 'x'",
        "DELETE FROM maker_graph.steps",
        "UPDATE maker_graph.amendments SET entry = 'x'",
        "DELETE FROM maker_graph.runs",
        "INSERT INTO maker_graph.fleets (name, submission) VALUES ('x', 'x')",
        "DELETE FROM maker_graph.notes",
        "DROP TABLE maker_graph.steps",
    ],
)
def test_a_worker_adds_steps_and_never_changes_or_deletes_one(walked: tuple[Postgres, list[str]], statement: str) -> None:
    address = walked[0].address("runs", "runs_worker")
    with psycopg.connect(address) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(statement.encode())


@pytest.mark.service("postgres")
def test_who_only_looks_changes_nothing(walked: tuple[Postgres, list[str]]) -> None:
    with psycopg.connect(walked[0].address("runs", "runs_reader"), autocommit=True) as db:
        tables = [name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'maker_graph'")]
        assert len(tables) > 5
        for table in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(sql.SQL("DELETE FROM maker_graph.{}").format(sql.Identifier(table)))


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    results = ROOT / "tests" / "benchmarks" / "results"
    sizing, capacity = (json.loads((results / f"{name}.json").read_text()) for name in ("sizing", "capacity"))
    for model in ("simulated", "http"):
        for latency in ("0.2", "1", "5"):
            row = sizing["rows"][f"{model}, {latency} s, Postgres"]
            one_core = f"{row['samples_per_cpu_second']:,.0f} | {row['cpu_ms_a_sample']:.1f} ms"
            assert f"| {model}, {latency} s | {one_core} |" in TEXT
    http = sizing["rows"]["http, 1 s, Postgres"]
    drives = math.floor(http["samples_per_cpu_second"] / 10) * 10
    assert f"some {drives} samples a second, or {60 * drives:,} a minute" in TEXT
    assert f"about {http['cpu_ms_a_sample']:.0f} milliseconds with one sample" in TEXT
    one, many = capacity["1 at once"], capacity["100 at once"]
    on_disk = many["table_bytes_a_step"] + many["index_bytes_a_step"]
    for each in (on_disk, one["log_bytes_a_step"], many["log_bytes_a_step"], capacity["backup"]["bytes_a_step"]):
        assert f"| {each:.0f} bytes | {each:.0f} GB |" in TEXT
    assert f"of {capacity['run_rows_changed']:,} such changes {capacity['of_these_in_place']:,} were made in place" in TEXT
    assert f"{capacity['entry_characters']} characters each, on Postgres {capacity['server']}" in TEXT
