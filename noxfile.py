"""Tests on each Python, with the newest dependencies and with the lowest that `pyproject.toml` allows.

    nox                 the short form, which `.ci/run` calls: the lowest dependencies on the oldest Python, the wheel, what
                        would be published, the site, deepagents, Ray
    nox -s docs         builds the site; `nox -s docs -- --serve` shows it
    nox -s suite        the full form: the whole suite on each Python, with the newest and the lowest dependencies
    nox -s campaigns    the long forms of tests

An interpreter that is not on this machine is skipped, and nox says so at the end.
"""

import os
import shutil
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
RESOLUTIONS = ["newest", "lowest"]
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
CORE = [
    "tests/core",
    "tests/statistics",
    "tests/verify",
    "tests/tasks",
    "tests/graph",
    "tests/test_public.py",
    "tests/models/test_faults.py",
    "tests/models/test_wrapped.py",
    "tests/models/test_agents.py",
]

SHORT = [
    "tests/graph/test_microstep.py",
    "tests/test_public.py",
    "tests/agents",
    "tests/tasks/curate",
    "tests/tasks/migrate",
    "tests/verify",
]

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["short", "wheel", "package", "docs", "deep", "ray"]
nox.needs_version = ">=2025.2"
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
if PYENV.is_dir():  # pyenv's own commands in PATH start no interpreter until one is chosen
    os.environ["PATH"] += "".join(f"{os.pathsep}{each / 'bin'}" for each in sorted(PYENV.iterdir()))


def prepare(session: nox.Session, resolution: str) -> None:
    """Install the package with what its tests need, and print the versions of Python and LangGraph."""
    chosen = ["--resolution", "lowest-direct"] if resolution == "lowest" else []
    session.install("-q", *chosen, "-e", ".[dev]")
    session.run("python", "-c", "import sys, langgraph.version as it; print(sys.version, 'langgraph', it.__version__)")


@nox.session(python=PYTHONS)
@nox.parametrize("resolution", RESOLUTIONS)
def suite(session: nox.Session, resolution: str) -> None:
    """Run the whole suite."""
    prepare(session, resolution)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
@nox.parametrize("resolution", RESOLUTIONS)
def core(session: nox.Session, resolution: str) -> None:
    """Run the tests of the vote, the statistics, the tasks, the graphs and the public names."""
    prepare(session, resolution)
    session.run("pytest", *(session.posargs or CORE))


@nox.session(python=PYTHONS[0])
def short(session: nox.Session) -> None:
    """Run some tests with the lowest dependencies on the oldest Python: the microstep, the public names, the extras."""
    prepare(session, "lowest")
    session.run("pytest", *(session.posargs or SHORT))


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into an empty environment, and use it there, away from the checkout."""
    made = Path(session.create_tmp(), "dist").resolve()
    shutil.rmtree(made, ignore_errors=True)
    session.run("uv", "build", "-q", "--wheel", "-o", str(made), external=True)
    (built,) = made.glob("*.whl")
    script, away = Path("tests", "wheel.py").resolve(), session.create_tmp()
    for extra in ("", "[plan,agents]"):  # first without the extras
        session.install("-q", f"{built}{extra}")
        with session.chdir(away):
            session.run("python", "-I", str(script), env={"PYTHONPATH": ""})


@nox.session(python=PYTHONS[0])
def package(session: nox.Session) -> None:
    """Build what would be published into `dist`, and check that a package index would accept it."""
    made = Path("dist").resolve()
    shutil.rmtree(made, ignore_errors=True)
    session.run("uv", "build", "-q", "-o", str(made), external=True)
    session.install("-q", "twine>=6.1")
    session.run("twine", "check", "--strict", *map(str, made.glob("maker_graph*")))


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the site into `build/site`: a link that leads nowhere, or a page that is missing, is an error."""
    session.install("-q", "-e", ".[docs]")
    session.run("python", "docs/site.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def deep(session: nox.Session) -> None:
    """Vote in an agent of deepagents, which is not in the extra `dev`: it installs the clients of several providers."""
    session.install("-q", "-e", ".[agents]", "deepagents>=0.7")
    session.run("python", "-m", "tests.deep")


@nox.session(python=PYTHONS[0])
def ray(session: nox.Session) -> None:
    """Work on a fleet with Ray, which is not in the extra `dev`, because it is large."""
    session.install("-q", "-e", ".[dev,ray]")
    session.run("pytest", "-n0", "tests/fleet/engines/test_ray.py", *session.posargs)


@nox.session(python=PYTHONS[-1])
def campaigns(session: nox.Session) -> None:
    """Run the long forms of tests."""
    prepare(session, "newest")
    session.run("pytest", "-m", "campaign", *session.posargs)
