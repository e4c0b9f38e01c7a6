"""A file that names runs: what stands on a line is taken as it is meant, or the line is named."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import UsageError
from maker_graph.fleet.lines import lines_in


def written(folder: Path, *lines: str) -> Path:
    path = folder / "runs.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_what_stands_on_a_line_is_given_and_nothing_else(tmp_path: Path) -> None:
    lines = ['{"seed": 7, "set": {"disks": 5}}', "", '{"task": "hanoi", "seed": null, "temperature": 0.5, "k": {"a": 2}}', "{}"]
    found = list(lines_in(written(tmp_path, *lines)))
    assert [number for number, _ in found] == [1, 3, 4]
    given: list[dict[str, Any]] = [line.given() for _, line in found]
    assert given == [{"seed": 7}, {"seed": None, "temperature": (0.5, 0.5), "k": {"a": 2}}, {}]
    assert [(line.task, line.set) for _, line in found] == [(None, {"disks": 5}), ("hanoi", None), (None, None)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", r"An example: \{"),
        ('{"sed": 1}', "sed: Extra inputs are not permitted"),
        ('{"seed": "x"}', "seed: "),
        ('{"seed": 1e400}', "seed: "),
        ('{"k": "x"}', "k: "),
        ('{"k": true}', "k: "),
        ('{"temperature": "hot"}', "temperature: "),
        ('{"temperature": [0, 1, 2]}', "temperature: "),
        ('{"temperature": 1e400}', "temperature: "),
        ('{"retry_temperature": [1]}', "retry_temperature: "),
        ('{"stop": 3}', "stop: "),
        ('{"target": "a"}', "target: "),
        ('{"max_cost": 3}', "max_cost: "),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"Line 2 of runs\.jsonl does not describe a run: .*{said}"):
        list(lines_in(written(tmp_path, "{}", line)))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        list(lines_in(tmp_path / "none.jsonl"))
