"""`maker-graph simulate`: what can be served; that it is served stands with the simulated and the tiny model."""

import pytest

from maker_graph.cli.simulate import _served
from maker_graph.errors import UsageError
from tests.conftest import Cli


def test_a_fault_that_there_is_not_is_one_sentence(cli: Cli) -> None:
    done = cli("simulate", "--port", "0", "--faults", "418=.1")
    assert done.returncode == 2
    assert "does not know '418'" in done.stderr


def test_what_can_be_served_is_named_once_and_exists() -> None:
    assert _served(None, None, 0).name == _served("sim:gpt-4.1-mini", None, 0).name == "gpt-4.1-mini"
    assert _served(None, "perfect", 0).name == "perfect"
    with pytest.raises(UsageError, match="give one of them"):
        _served("tiny", "perfect", 0)
    with pytest.raises(UsageError, match="sim:PROFILE or tiny"):
        _served("openai:gpt-4.1-mini", None, 0)
