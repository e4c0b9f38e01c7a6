"""`maker-graph certify` and `report`."""

import json
from pathlib import Path

from tests.conftest import Cli


def test_the_command_line_certifies_and_reports_a_run(cli: Cli, tmp_path: Path) -> None:
    args = ["run", "hanoi", "--disks", "5", "--model", "sim:perfect,error=0.2", "--k", "4", "--no-check", "--run", "r", "-q"]
    assert cli(*args).returncode == 0
    certificate = json.loads(cli("certify", "r", "--json").stdout)
    assert certificate["chance"]["low"] <= certificate["chance"]["value"] <= certificate["chance"]["high"]
    shown = cli("certify", "r").stdout
    assert "No step is wrong" in shown
    assert "It assumes:" in shown
    reported = cli("report", "r")
    assert reported.returncode == 0, reported.stderr
    assert "certificate" in (tmp_path / "runs" / "r" / "report.html").read_text()
    for command in ("certify", "report"):
        missing = cli(command, "none")
        assert (missing.returncode, "is not a run" in missing.stderr) == (2, True)
