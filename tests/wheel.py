"""Uses the installed package as a newcomer would. Run with `python -I`: no checkout is on the path. No test of pytest's."""

import json
import subprocess
import sys
import sysconfig
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import maker_graph

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """See that the package works, and that nothing of it is missing."""
    installed = Path(maker_graph.__file__).resolve()
    assert installed.is_relative_to(Path(sysconfig.get_path("purelib")).resolve()), f"{installed} is not the installed package"

    missing = [name for name in maker_graph.__all__ if getattr(maker_graph, name, None) is None]
    assert not missing, f"maker_graph has no {missing}"

    package = files("maker_graph")
    for path in (ROOT / "maker_graph").rglob("*"):
        inside = path.relative_to(ROOT / "maker_graph")
        if path.is_file() and "__pycache__" not in inside.parts:
            assert package.joinpath(*inside.parts).is_file(), f"the wheel lacks {inside}"
    assert package.joinpath("models", "tiny_lm", "weights.npz").is_file()
    for room, name in (("report", "report.css"), ("report", "house.css"), ("report", "pegs.js"), ("watch", "watch.js")):
        assert package.joinpath(room, "assets", name).is_file()

    command = Path(sys.executable).with_name("maker-graph")
    with tempfile.TemporaryDirectory() as away:
        run = [str(command), "run", "hanoi", "--disks", "3", "--run", "r", "--quiet", "--json"]
        done = subprocess.run(run, cwd=away, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["exit_code"] == 0
        report = subprocess.run([str(command), "report", "r"], cwd=away, check=False, capture_output=True, text=True)
        if find_spec("scipy") is None:
            assert "pip install 'maker-graph[plan]'" in report.stderr, report.stderr
        else:
            assert list(Path(away).rglob("*.html")), report.stderr
    print("The wheel works:", sys.version.split()[0], installed.parent.name, len(maker_graph.__all__), "public names")


if __name__ == "__main__":
    main()
