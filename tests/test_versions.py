"""The matrix of versions is whole, and warnings are errors in our own modules only."""

import re
import tomllib
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("module", ["maker_graph", "maker_graph.core.ballot", "tests.test_versions"])
def test_a_warning_about_our_own_code_is_an_error(module: str) -> None:
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module=module)


def test_a_warning_about_a_dependency_stops_nothing() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module="typer.core")
    assert len(seen) == 1


def test_every_python_that_is_promised_is_in_the_matrix_and_in_the_workflows() -> None:
    promised = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r"Python :: 3\.", each)]
    assert PROJECT["requires-python"] == f">={promised[0]}"
    for path in ("noxfile.py", ".github/workflows/nightly.yml", ".github/workflows/ci.yml"):
        found = re.search(r"(?:PYTHONS =|python:) \[(.*)\]", (ROOT / path).read_text())
        assert found is not None
        assert re.findall(r"3\.\d+", found[1]) == promised


def test_every_dependency_has_a_floor() -> None:
    extras = PROJECT["optional-dependencies"]
    declared = [*PROJECT["dependencies"], *(each for extra in extras.values() for each in extra)]
    assert [each for each in declared if ">=" not in each and not each.startswith("maker-graph[")] == []


def test_the_nightly_workflow_runs_what_ci_is_too_short_for() -> None:
    nightly = (ROOT / ".github" / "workflows" / "nightly.yml").read_text()
    assert "-s campaigns" in nightly
    assert "--error-on-missing-interpreters" in nightly
    assert 'session.run("pytest", "-m", "campaign"' in (ROOT / "noxfile.py").read_text()
    assert re.search(r"^nox\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
