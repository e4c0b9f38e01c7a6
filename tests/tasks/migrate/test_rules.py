"""A rule of one's own is a small class in a file, and what it lacks is told."""

from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.migrate.percent import Percent
from maker_graph.tasks.migrate.rules import rule_named

OWN = Path(__file__).with_name("own.py")


def test_a_rule_goes_by_its_name_its_file_or_its_module() -> None:
    assert isinstance(rule_named("percent"), Percent)
    assert type(rule_named(f"{OWN}:Old")).__name__ == "Old"
    assert type(rule_named("tests.tasks.migrate.own:Old")).__name__ == "Old"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("persent", "There is no rule 'persent': give percent, or your own"),
        (f"{OWN}:Lacking", "it has no prompt and no check"),
        (f"{OWN}:None", "cannot be imported"),
        ("/nowhere/rule.py:Rule", "There is no file"),
        ("no_such_module:Rule", "ModuleNotFoundError"),
        (":", "not a name of code"),
    ],
)
def test_what_is_no_rule_is_one_sentence(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        rule_named(name)
