"""The public names, what happens at import, and what is in the folders."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import maker_graph
from maker_graph import errors

ROOT = Path(__file__).parents[1]


def test_all_is_complete() -> None:
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse((ROOT / "maker_graph" / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(maker_graph.__all__)
    assert all(hasattr(maker_graph, name) for name in maker_graph.__all__)


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


def test_nothing_happens_at_import(tmp_path: Path) -> None:
    code = "import logging, maker_graph, maker_graph.cli; assert not logging.getLogger().handlers"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_pure_modules_load_without_langgraph_and_langchain() -> None:
    code = (
        "import sys, types; root = types.ModuleType('maker_graph'); root.__path__ = [sys.argv[1]]; "
        "sys.modules['maker_graph'] = root; "
        "import maker_graph.core.decision, maker_graph.statistics.independent, maker_graph.tasks; "
        "assert not {'langgraph', 'langchain_core', 'langsmith'} & set(sys.modules), sorted(sys.modules)"
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
