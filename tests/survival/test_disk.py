"""A full disk: the run stops within a step, asks for nothing more, and goes on as soon as there is room."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from maker_graph.run.directory import opened
from tests.made import created
from tests.survival.harness import MODEL, Children, Whole, assert_nothing_lost_or_doubled, events, settings_of, whole

SHARED_MEMORY = 32 * 1024
"""SQLite's -shm file has this size from the start: with less room nothing can be opened."""


def filled_up(children: Children, folder: Path, expected: Whole, *, rooms: Iterable[int], segment: int) -> set[str]:
    """Give the files of a run so many bytes and no more, for each number in `rooms`; return what the runs said of it.

    What the children tell is under the same limit, but it is far smaller.
    """
    said = set()
    for room in rooms:
        directory = folder / f"run-{segment}-{room}"
        with created(directory, settings_of(3)):
            pass
        code = children.run(directory, room=room, steps_per_segment=segment)
        last = events(directory)[-1]
        assert (code, last.kind) in ((4, "LimitReached"), (0, "end")), (room, segment, last)
        said.add(last.text)
        assert_nothing_lost_or_doubled(directory, expected, finished=code == 0)
        with opened(directory) as run:
            unpaid = run.journal.step + 1
        assert all(event.step <= unpaid for event in events(directory)), (room, "more was drawn after the failing commit")
        assert children.run(directory) == 0, (room, segment, events(directory)[-1])
        assert_nothing_lost_or_doubled(directory, expected)
    return said


def test_a_disk_that_is_full_at_any_write_stops_a_run_and_room_lets_it_go_on(children: Children, tmp_path: Path) -> None:
    expected = whole(tmp_path / "whole", settings_of(3))
    filled_up(children, tmp_path, expected, rooms=range(1000, SHARED_MEMORY, 12_000), segment=2)
    above = range(SHARED_MEMORY, SHARED_MEMORY + 60_000, 6000)
    assert "" in filled_up(children, tmp_path, expected, rooms=[*above, 200_000], segment=2), "there was never room"
    said = filled_up(children, tmp_path, expected, rooms=above, segment=1000)
    assert any("journal" in text for text in said), said


@pytest.mark.campaign
@pytest.mark.parametrize("segment", [1, 2, 1000])
def test_a_disk_that_is_full_at_every_512_bytes_stops_a_run_and_room_lets_it_go_on(
    children: Children, tmp_path: Path, segment: int
) -> None:
    expected = whole(tmp_path / "whole", settings_of(3))
    filled_up(children, tmp_path, expected, rooms=range(512, SHARED_MEMORY + 120_000, 512), segment=segment)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_full_disk_ends_the_command_with_4_and_a_sentence_also_when_only_the_record_is_full(
    children: Children, tmp_path: Path, unharmed: Whole, *, recorded: bool
) -> None:
    room = 200_000
    (tmp_path / "calls.jsonl").write_text("\n" * (room - 20_000 if recorded else 0))
    args = ["run", "hanoi", "--disks", "5", "--k", "2", "--model", MODEL, "--run", "r"]
    child = children.start(tmp_path, "command", args=[*args, *(["--record", "calls.jsonl"] if recorded else [])], room=room)
    code, (_, said) = child.wait(), child.said
    assert code == 4, said
    assert "Traceback" not in said
    assert "resume" in said
    with opened(tmp_path / "runs" / "r") as run:
        calls = run.journal.account().spent.calls
    if recorded:
        lines = (tmp_path / "calls.jsonl").read_text().splitlines()
        assert calls <= sum(line.startswith("{") for line in lines) + 1, "one that found no room, and its companion's"
    again = children.start(tmp_path, "command", args=["resume", "r", "--quiet"])
    assert again.wait() == 0, again.said
    assert_nothing_lost_or_doubled(tmp_path / "runs" / "r", unharmed)
