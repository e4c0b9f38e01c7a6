"""How the texts of options are read."""

from pathlib import Path

import pytest

from maker_graph.cli.options import (
    by_part,
    calibrations_named,
    directory_of,
    parse_k,
    parse_lookahead,
    parse_retry_temperature,
    parse_temperature,
)
from maker_graph.errors import UsageError


def test_texts_are_read_as_the_help_says() -> None:
    assert (parse_k("auto"), parse_k("3")) == ("auto", 3)
    assert (parse_lookahead(None), parse_lookahead("auto"), parse_lookahead("8")) == (None, "auto", 8)
    assert [parse_temperature(text) for text in ("auto", "none", "0,.1", ".7")] == ["auto", None, (0.0, 0.1), (0.7, 0.7)]
    assert [parse_retry_temperature(text) for text in ("none", "1", "1,1")] == [None, 1.0, 1.0]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "\u0663", "many"])
def test_what_is_no_whole_number_is_none(text: str) -> None:
    for parse in (parse_k, parse_lookahead):
        with pytest.raises(UsageError, match="whole number"):
            parse(text)


@pytest.mark.parametrize("text", ["", "hot", "nan", "inf", "-1", "0,-1", "0,.1,.2"])
def test_what_is_no_temperature_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="emperature"):
        parse_temperature(text)


@pytest.mark.parametrize("text", ["auto", "0,1"])
def test_a_retry_has_one_temperature(text: str) -> None:
    with pytest.raises(UsageError, match="--retry-temperature is one temperature"):
        parse_retry_temperature(text)


def test_a_run_goes_by_its_name_or_its_directory(tmp_path: Path) -> None:
    assert directory_of("mine") == Path("runs") / "mine"
    assert directory_of("here/mine") == Path("here/mine")
    assert directory_of("x" * 300) == Path("runs") / ("x" * 300), "which is refused with a sentence"
    (tmp_path / "settings.json").touch()
    assert directory_of(str(tmp_path)) == tmp_path


def test_leads_and_models_are_said_by_part() -> None:
    assert parse_k("3") == 3
    assert parse_k("choose=3, verdict=auto") == {"choose": 3, "verdict": "auto"}
    for text, says in (
        ("choose=", "name=value"),
        ("choose=3,verdict", "name=value"),
        ("a=1,a=2", "two things"),
        ("a=x", "whole number"),
    ):
        with pytest.raises(UsageError, match=says):
            parse_k(text)
    assert calibrations_named([]) is None
    assert calibrations_named(["c.jsonl"]) == Path("c.jsonl")
    assert calibrations_named(["a=x.jsonl", "b=y.jsonl"]) == {"a": Path("x.jsonl"), "b": Path("y.jsonl")}
    assert by_part("--part-model", ["a=sim:perfect,error=0.1"]) == {"a": "sim:perfect,error=0.1"}
