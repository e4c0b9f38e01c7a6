"""The public names, what happens at import, and what is in the folders."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import maker_graph
from maker_graph import errors
from maker_graph.cli import app
from tests.conftest import Cli

ROOT = Path(__file__).parents[1]


def test_all_is_complete() -> None:
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse((ROOT / "maker_graph" / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("maker_graph.")
        for alias in node.names
    }
    assert imported == set(maker_graph.__all__)
    assert all(hasattr(maker_graph, name) for name in maker_graph.__all__)
    assert set(maker_graph.__all__) <= set(dir(maker_graph))
    assert not hasattr(maker_graph, "create_nothing")


def test_what_is_imported_on_demand_is_what_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "maker_graph" / "__init__.py").read_text())
    (seen,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in seen.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name: node.module for node in imports for alias in node.names} == maker_graph._LATER


def test_every_error_is_public_drawn_in_the_tree_and_survives_pickling() -> None:
    samples = {
        "Undecided": errors.Undecided("why.", {"a": 1}, {"empty": 2}, 3),
        "ProviderFailure": errors.ProviderFailure("no", 401),
        "DamagedRun": errors.DamagedRun("no", 7),
        "StaleStep": errors.StaleStep("no", 7),
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MakerError)]
    for kind in kinds:
        assert kind.__name__ in maker_graph.__all__
        assert kind.__name__ in (errors.__doc__ or "")
        error = samples.get(kind.__name__) or kind("no")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
        assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize("name", ["expected_votes", "k_min", "p_full", "p_sub"])
def test_each_formula_says_first_for_which_errors_it_is_and_where_it_is_from(name: str) -> None:
    for public, kind, other in ((name, "independent", f"{name}_correlated"), (f"{name}_correlated", "correlated", name)):
        said = getattr(maker_graph, public).__doc__ or ""
        first, _, then, *_ = said.split("\n")
        assert f"if errors are {kind}" in first
        assert "arXiv 2511.09030" in then
        assert f"`{other}`" in said


def test_without_correlation_both_kinds_of_formulas_are_one() -> None:
    assert maker_graph.p_sub_correlated(0.9, 3, rho=0.0) == pytest.approx(maker_graph.p_sub(0.9, 3), rel=1e-12)
    assert maker_graph.p_full_correlated(0.9, 6, 1023, rho=0.0) == pytest.approx(maker_graph.p_full(0.9, 6, 1023), rel=1e-12)
    assert maker_graph.k_min_correlated(0.9, 1023, 0.99, rho=0.0) == maker_graph.k_min(0.9, 1023, 0.99)
    assert maker_graph.expected_votes_correlated(0.9, 3, rho=0.0) == maker_graph.expected_votes(0.9, 3)


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    code = "import logging, maker_graph, maker_graph.cli; assert not logging.getLogger().handlers"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


HEAVY = {
    "langgraph",
    "langchain_core",
    "langchain_openai",
    "openai",
    "langsmith",
    "httpx",
    "genai_prices",
    "numpy",
    "scipy",
    "sympy",
    "z3",
}
"""Packages that take a tenth of a second and more to import."""


def heavy_after(code: str, folder: Path) -> set[str]:
    """Return which heavy packages a process has loaded after `code`."""
    told = f"import sys\ntry:\n    {code}\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", told], cwd=folder, capture_output=True, text=True, check=False)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "maker_graph" in loaded, done.stderr
    return HEAVY & loaded


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    assert heavy_after("import maker_graph; maker_graph.k_min(0.9, 1000, 0.99)", tmp_path) == set()
    assert heavy_after("import maker_graph; maker_graph.create_maker", tmp_path) >= {"langgraph", "langchain_core"}


def test_help_and_mistakes_load_nothing_heavy(tmp_path: Path) -> None:
    commands = list(get_command(app).commands)  # type: ignore[attr-defined]  # a group has them
    assert {"run", "resume", "calibrate", "simulate"} <= set(commands)
    mistakes = [["run", "--disks", "many"], ["run", "chess"], ["status", "nothing"], ["plan"]]
    given = [["--help"], *([name, "--help"] for name in commands), *mistakes]
    code = (
        "from maker_graph.cli import app\n"
        f"    for args in {given}:\n"
        "        try: app(args)\n"
        "        except SystemExit as ended: assert ended.code == 2 * (args[-1] != '--help'), args"
    )
    assert heavy_after(code, tmp_path) == set()


def test_looking_at_a_run_loads_nothing_heavy(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "hanoi", "--disks", "2", "--model", "sim:gpt-oss-20b", "--run", "r", "-q").returncode == 0
    for command in ("status", "verify"):
        assert heavy_after(f"from maker_graph.cli import main; sys.argv[1:] = ['{command}', 'r']; main()", tmp_path) == set()


def test_the_pure_modules_load_without_langgraph_and_langchain() -> None:
    code = (
        "import sys, types; root = types.ModuleType('maker_graph'); root.__path__ = [sys.argv[1]]; "
        "sys.modules['maker_graph'] = root; "
        "import maker_graph.core.decision, maker_graph.statistics.independent, maker_graph.tasks, maker_graph.verify; "
        "assert not {'langgraph', 'langchain_core', 'langsmith', 'sympy', 'z3'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(ROOT / "maker_graph")], check=True)


def test_a_real_run_knows_nothing_of_the_simulation() -> None:
    code = "import sys, maker_graph.cli; assert not [name for name in sys.modules if '.models.simulation' in name]"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_sample_records_are_what_their_script_makes(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text((ROOT / "examples" / "records" / "make.py").read_text())
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True)
    for name in ("records.csv", "answers.csv"):
        assert (tmp_path / name).read_bytes() == (ROOT / "examples" / "records" / name).read_bytes()
