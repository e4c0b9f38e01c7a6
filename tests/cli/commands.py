"""What the tests of the commands share: settings that many runs have, and how results are read."""

import json
import subprocess
from typing import Any

from tests.conftest import Cli

SIM = ("--model", "sim:gpt-oss-20b")

STUCK = ("--model", "sim:perfect,flagged=1", "--k", "2", "--max-samples", "6", "--run", "r")
"""A run whose first step is undecided."""

MORE = ("--max-cost", "99", "--max-calls", "999", "--max-minutes", "99")
"""With which a run that reached a limit goes on to its end."""


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def stopped(cli: Cli) -> None:
    """Leave a run of 5 disks that has reached its limit."""
    args = ("--model", "sim:gpt-4.1-mini", "--price", "0.4,1.6", "--max-cost", "0.03")
    assert cli("run", "hanoi", "--disks", "5", "--run", "r", *args).returncode == 4
