"""A cascade in a file, and what is wrong with one."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import AheadBy, Confirm, Majority, Rung, UsageError, Voting
from maker_graph.run.cascades import read_cascade, read_cascades, rungs_of, told

FILE = {
    "name": "two models",
    "rungs": [
        {"model": "openai:gpt-4.1-nano", "k": 2, "within": 3, "temperature": 0.7, "stop": ["\n"]},
        {"model": "openai:gpt-4.1", "confirm": 3, "of": 4, "temperature": [0.1, 0.7], "max_tokens": None, "rephrase": 1},
        {"model": "openai:gpt-5"},
    ],
}


def written(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "cascade.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_each_rung_is_a_model_a_rule_and_a_prompt(tmp_path: Path) -> None:
    first, second, third = rungs_of(written(tmp_path, FILE), seed="auto", check=False)
    assert (first.model, first.voting.k, first.voting.temperatures, first.voting.stop) == (
        "openai:gpt-4.1-nano", AheadBy(2, within=3), (0.7, 0.7), ("\n",),
    )  # fmt: skip
    assert (second.voting.k, second.voting.temperatures, second.voting.output_cap, second.rephrase) == (
        Confirm(3, of=4), (0.1, 0.7), None, 1,
    )  # fmt: skip
    assert (third.voting.k, third.voting.check, third.voting.seed) == (3, False, None)


def test_a_seed_is_that_of_the_first_model_unless_it_is_given(tmp_path: Path) -> None:
    file = written(tmp_path, {"rungs": [{"model": "sim:perfect"}, {"model": "openai:gpt-4.1"}]})
    assert [rung.voting.seed for rung in rungs_of(file, seed="auto", check=True)] == [1, 1]
    assert [rung.voting.seed for rung in rungs_of(str(file), seed=None, check=True)] == [None, None]


def test_in_python_the_rungs_name_their_models() -> None:
    (rung,) = rungs_of([Rung("sim:perfect", Voting(k=AheadBy(2, within=2), seed=5))], seed="auto", check=True)
    assert (rung.model, rung.voting.k, rung.voting.seed) == ("sim:perfect", AheadBy(2, within=2), 5)
    for odd, says in (
        (Rung(["sim:perfect"]), "named by texts"),
        (Rung("sim:perfect", Voting(k=Majority(3))), "can store only the rules"),
        (Rung("sim:perfect", calls={"timeout": 3.0}), "calls of a rung"),
    ):
        with pytest.raises(UsageError, match=says):
            rungs_of([odd], seed="auto", check=True)


def test_a_file_may_hold_several_for_a_plan_and_each_has_a_name(tmp_path: Path) -> None:
    file = written(tmp_path, [FILE, {"rungs": FILE["rungs"][2:]}])
    assert [each.name for each in read_cascades(file)] == ["two models", "openai:gpt-5 ahead by 3"]
    assert told(read_cascades(file)[0]).startswith(
        "openai:gpt-4.1-nano ahead by 2 within 3 votes, then openai:gpt-4.1 confirmed by 3"
    )
    with pytest.raises(UsageError, match="several cascades"):
        read_cascade(file)
    with pytest.raises(UsageError, match="two cascades"):
        read_cascades(written(tmp_path, [FILE, FILE]))
    with pytest.raises(UsageError, match="no cascade"):
        read_cascades(written(tmp_path, []))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ('{"rungs": [], "rungs": []}', "is not JSON"),
        ('{"rungs": [{"model": "sim:perfect", "temperature": NaN}]}', "is not JSON"),
        ({}, "rungs: Field required"),
        ({"rungs": []}, "at least 1"),
        ({"rungs": [{}]}, r"rungs\.1\.model"),
        ({"rungs": [{"model": ""}]}, r"rungs\.1\.model"),
        ({"rungs": [{"model": "sim:perfect", "modle": "x"}]}, r"rungs\.1\.modle"),
        ({"rungs": [{"model": "sim:perfect", "k": "3"}]}, r"rungs\.1\.k"),
        ({"rungs": [{"model": "sim:perfect", "k": True}]}, r"rungs\.1\.k"),
        ({"rungs": [{"model": "sim:perfect"}, {"model": "sim:perfect", "k": 3, "within": 2}]}, "raise within or lower k"),
        ({"rungs": [{"model": "sim:perfect", "confirm": 2}]}, "belong together"),
        ({"rungs": [{"model": "sim:perfect", "confirm": 2, "of": 3, "k": 2}]}, "confirm replaces k and within"),
        ({"rungs": [{"model": "sim:perfect", "temperature": "hot"}]}, r"rungs\.1\.temperature"),
        ({"rungs": [{"model": "sim:perfect", "temperature": -1}]}, r"rungs\.1\.temperature"),
        ({"rungs": [{"model": "sim:perfect", "stop": [""]}]}, "stop must be a list of texts"),
        ({"rungs": [{"model": "sim:perfect", "rephrase": 1}]}, "own prompt"),
        ({"rungs": [{"model": "sim:nobody"}]}, "There is no simulated model"),
        ("\x00" * 9, "cascade.json"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_cascade_is_told_in_one_sentence(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rungs_of(written(tmp_path, content), seed="auto", check=True)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_cascade(tmp_path / "none.json")
    with pytest.raises(UsageError, match="regular file"):
        read_cascade(tmp_path)
    (tmp_path / "latin").write_bytes(b'{"name": "\xe9"}')
    with pytest.raises(UsageError, match="UTF-8"):
        read_cascade(tmp_path / "latin")
