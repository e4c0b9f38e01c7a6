"""`python -m maker_graph.cli` is the command; how a process of it ends is in `test_process.py`."""

import runpy
import sys

import pytest


def test_the_module_runs_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["maker-graph", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("maker_graph.cli", run_name="__main__")
    assert (ended.value.code, "resume" in capsys.readouterr().out) == (0, True)
