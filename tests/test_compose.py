"""The compose file: what a reader types from it runs, and nothing in it is left to chance or shows a secret."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
DATABASE, WORKER = COMPOSE["services"]["postgres"], COMPOSE["services"]["worker"]
IMAGE = (ROOT / "Dockerfile").read_text()


def test_the_file_has_what_compose_knows_and_nothing_else() -> None:
    """Beside `docker compose config`, which not every machine has."""
    assert set(COMPOSE) == {"name", "services", "volumes"}
    known = {"image", "build", "command", "environment", "volumes", "healthcheck", "depends_on", "deploy", "restart"}
    for service in COMPOSE["services"].values():
        assert set(service) <= known | {"stop_grace_period"}
        assert ("image" in service) != ("build" in service)
        named = [each.split(":")[0] for each in service["volumes"]]
        assert all(each.startswith(".") or each in COMPOSE["volumes"] for each in named)


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker here")
def test_docker_takes_the_file_where_it_can_be_asked() -> None:
    docker = shutil.which("docker") or ""
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("this docker has no compose")
    env = {**os.environ, "POSTGRES_PASSWORD": "any"}
    done = subprocess.run([docker, "compose", "config", "-q"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_worker_waits_until_the_database_takes_connections_over_the_network() -> None:
    assert WORKER["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert DATABASE["healthcheck"]["test"][:3] == ["CMD", "pg_isready", "--host=127.0.0.1"]
    assert WORKER["deploy"]["replicas"] == 2


def test_secrets_come_from_the_environment_alone() -> None:
    for service in (DATABASE, WORKER):
        for name, value in service["environment"].items():
            if "PASSWORD" in name or "KEY" in name:
                assert re.fullmatch(r"\$\{\w+(:\?[^}]+|:-)\}", value), "from outside, and without it compose says what to do"
    assert urlsplit(WORKER["environment"]["MAKER_GRAPH_JOURNAL"]).password is None


def test_the_password_of_the_workers_is_that_of_the_database() -> None:
    address = urlsplit(WORKER["environment"]["MAKER_GRAPH_JOURNAL"])
    made = DATABASE["environment"]
    assert (address.username, address.path[1:]) == (made["POSTGRES_USER"], made["POSTGRES_DB"])
    assert address.hostname in COMPOSE["services"]
    assert WORKER["environment"]["PGPASSWORD"] == made["POSTGRES_PASSWORD"]


def test_images_have_versions() -> None:
    assert re.search(r":\d", DATABASE["image"])
    assert re.search(r"^FROM python:3\.\d+", IMAGE, re.MULTILINE)


def test_the_image_copies_all_that_the_package_is_built_from_and_starts_its_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", IMAGE, re.MULTILINE) for name in line.split()}
    hatch = project["tool"]["hatch"]
    read = {each["path"] for each in hatch["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"]}
    needed = {"pyproject.toml", *read, *project["project"]["license-files"]}
    assert copied == needed | set(hatch["build"]["targets"]["wheel"]["packages"])
    (start,) = re.findall(r"^ENTRYPOINT (.+)$", IMAGE, re.MULTILINE)
    assert json.loads(start)[0] in project["project"]["scripts"]
    (extras,) = re.findall(r"'\.\[(.+)\]'", IMAGE)
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    assert "USER maker" in IMAGE


def test_what_a_reader_types_runs(database: str, tmp_path: Path) -> None:
    """Each `docker compose run`, and each `up` of the workers, as the process that it starts."""
    for file in (ROOT / "examples" / "curate").iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    worker = urlsplit(WORKER["environment"]["MAKER_GRAPH_JOURNAL"])
    address = urlsplit(database)._replace(scheme=worker.scheme).geturl()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MAKER_GRAPH_JOURNAL": address, "PGPASSWORD": "any"}
    said = ""
    for line in re.findall(r"^#   docker compose (.+)$", TEXT, re.MULTILINE):
        if "up --detach worker" in line:
            words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in WORKER["command"]]
        elif "run --rm worker " in line:
            words = shlex.split(line.partition("run --rm worker ")[2])
        else:
            continue
        words = [word.replace("openai:gpt-4.1-mini", "sim:perfect") for word in words]
        words += ["--truth", "labelled.csv"] if words[0] == "submit" else []
        command = [sys.executable, "-m", "maker_graph.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    assert "6 done" in said
    assert len((tmp_path / "clean.csv").read_text().splitlines()) == 61
    assert (tmp_path / "runs" / "orders" / "report.html").exists()
