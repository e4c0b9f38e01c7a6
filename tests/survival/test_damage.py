"""Damage on the disk: found and told, or without any effect; never accepted in silence."""

import asyncio
import random
import shutil
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.canonical import canonical
from maker_graph.core.spending import Spent
from maker_graph.errors import DamagedRun, LimitReached, OlderJournal, UnknownModel, UnknownTask, UnusableRun
from maker_graph.run.directory import opened
from maker_graph.run.options import RunOptions
from maker_graph.run.solving import Watcher, solve
from maker_graph.run.summary import summary
from tests.made import created
from tests.survival.harness import Whole, entries, settings_of, whole

NOTES = ("price", "out", "max_samples", "pace")


def told_of(directory: Path, *, accept_loss: bool = False) -> str:
    """Return all that a run says of itself: its figures, its account and its notes, and every decision."""
    with opened(directory, fsync="normal", accept_loss=accept_loss) as run:
        figures: dict[str, Any] = {**summary(run), "run": ""}
        account, notes = run.journal.account(), [run.journal.note(name) for name in NOTES]
        return canonical([figures, [list(part) if isinstance(part, tuple) else part for part in account], notes])


# ----------------------------------------------------------------------------------------- the last record, cut at every byte


def last_commit(directory: Path) -> tuple[int, int]:
    """Return where the last transaction in a write-ahead log begins and ends.

    A frame is 24 bytes and a page; the number behind its page number is not 0 in the last frame of a transaction.
    """
    log = (directory / "journal.db-wal").read_bytes()
    page = int.from_bytes(log[8:12], "big")
    frame = 24 + page
    ends = []
    for start in range(32, len(log) - frame + 1, frame):
        _, pages, *salt = struct.unpack(">IIII", log[start : start + 16])
        if pages and tuple(salt) == struct.unpack(">II", log[16:24]):
            ends.append(start + frame)
    return ends[-2], ends[-1]


def test_the_log_cut_anywhere_in_its_last_record_gives_the_last_step_or_is_told_and_gives_the_one_before(
    tmp_path: Path,
) -> None:
    assert cut(tmp_path, stride=397) == {"whole", "told, one less"}


@pytest.mark.campaign
def test_the_log_cut_at_every_byte_of_its_last_record_gives_the_last_step_or_is_told_and_gives_the_one_before(
    tmp_path: Path,
) -> None:
    assert cut(tmp_path, stride=1) == {"whole", "told, one less"}


def cut(folder: Path, *, stride: int) -> set[str]:
    """Cut the journal's log at each byte of its last record, or each so-manieth, and return what was found."""
    full, before, found = folder / "full", folder / "before", set()
    with created(folder / "whole", settings_of(3)) as run:
        asyncio.run(solve(run))
        decisions = list(run.journal.decisions())
    with created(folder / "r", settings_of(3)) as run:
        run.journal.claim()
        at = run.machine.begin()
        for decision in decisions:
            if decision is decisions[-1]:
                shutil.copytree(run.home.folder, before)
            at = run.machine.advance(at, decision)
            run.journal.append([(decision, at)], Spent(cost=1.0, samples=decision["samples"]))
        shutil.copytree(run.home.folder, full)  # as a crash of the machine leaves it: the log is not in the database yet
    expected = {told_of(copied(full)): "whole", told_of(copied(before)): "told, one less"}
    begin, end = last_commit(full)
    assert end - begin > 4096
    for size in [*range(begin, end, stride), end - 1, end]:
        damaged = copied(full)
        with (damaged / "journal.db-wal").open("r+b") as file:
            file.truncate(size)
        try:
            found.add(expected[told_of(damaged)])
        except OlderJournal:
            found.add(expected[told_of(damaged, accept_loss=True)])
    return found


def copied(directory: Path) -> Path:
    """Return a copy of a run, which takes the room of the copy before, but not its place: what became of that is remembered."""
    number = 1
    for before in directory.parent.glob("copy-*"):
        number = int(before.name.removeprefix("copy-")) + 1
        shutil.rmtree(before)
    copy = directory.with_name(f"copy-{number}")
    shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("*-shm"))
    return copy


# ----------------------------------------------------------------------------------------------------------- flipped bits


def flipped(path: Path, place: int, bit: int) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def outcome(directory: Path, expected: str, unharmed: Whole) -> str:
    """Return what becomes of a run that one bit was turned in: a refusal, a message, or no effect at all."""
    warnings: list[str] = []
    try:
        assert told_of(directory) == expected, "what is not true was accepted in silence"
        with opened(directory, fsync="normal") as run:
            asyncio.run(solve(run, watcher=Watcher(warn=warnings.append), steps_per_segment=2))
            assert entries(run) == unharmed.entries
            assert summary(run)["digest"] == unharmed.digests[-1]
    except (DamagedRun, UnusableRun, UnknownTask, UnknownModel):
        return "refused"
    return "told" if warnings else "no effect"


def flips(folder: Path, file: str, *, number: int, seed: int) -> Counter[str]:
    """Turn so many random bits of one file, each in a run of its own, and count what came of it."""
    unharmed, counted, paused = whole(folder / "whole", settings_of(3)), Counter[str](), folder / "paused"
    with created(paused, settings_of(3)) as run:
        run.journal.set_note("price", "0.05,0.2")
        with pytest.raises(LimitReached):
            asyncio.run(solve(run, RunOptions(max_calls=12), steps_per_segment=2))
    expected, chance = told_of(copied(paused)), random.Random(seed)
    content = (paused / file).read_bytes()
    used = [place for place, byte in enumerate(content) if byte]  # most of a page is room that nothing is in yet
    for count in range(number):
        place = chance.choice(used) if count % 4 else chance.randrange(len(content))
        damaged, bit = copied(paused), chance.randrange(8)
        flipped(damaged / file, place, bit)
        try:
            counted[outcome(damaged, expected, unharmed)] += 1
        except Exception as error:
            raise AssertionError(f"bit {bit} of byte {place} of {file}: {error!r}") from error
    return counted


FILES = ["journal.db", "journal.watermark", "checkpoints.db", "settings.json"]


@pytest.mark.parametrize("file", FILES)
def test_of_100_flipped_bits_none_is_accepted_in_silence(tmp_path: Path, file: str) -> None:
    assert flips(tmp_path, file, number=100, seed=5).total() == 100


@pytest.mark.campaign
@pytest.mark.parametrize("file", FILES)
def test_of_1000_flipped_bits_none_is_accepted_in_silence(tmp_path: Path, file: str) -> None:
    print(file, flips(tmp_path, file, number=1000, seed=6))  # noqa: T201  the figures of the campaign


def test_a_damaged_table_that_sqlite_cannot_even_quote_is_a_damaged_run(tmp_path: Path) -> None:
    with created(tmp_path / "run", settings_of(3)):
        pass
    journal = tmp_path / "run" / "journal.db"
    flipped(journal, journal.read_bytes().find(b"CREATE TABLE steps") + len("CREATE TAB"), 7)
    with pytest.raises(DamagedRun, match="tables are damaged"), opened(tmp_path / "run"):
        pass


@pytest.mark.parametrize("name", ["price", "account", "owner", "origin", "names"])
def test_no_bit_of_the_name_of_a_note_can_turn_without_being_seen(tmp_path: Path, name: str) -> None:
    """A note whose name is another is a note that is missing, and a missing price is a run that counts no cost."""
    every_bit_after(tmp_path, name.encode(), 0, 5)


@pytest.mark.parametrize(("name", "value"), [("price", "0.05,0.2"), ("account", "[0,[1.5")])
def test_no_bit_of_an_account_or_note_can_turn_without_being_seen(tmp_path: Path, name: str, value: str) -> None:
    every_bit_after(tmp_path, f"{name}{value}".encode(), len(name), len(value))


def every_bit_after(folder: Path, content: bytes, start: int, size: int) -> None:
    """Turn every bit of so many bytes behind the only place where the journal has `content`: each must be refused."""
    with created(folder / "run", settings_of(3)) as run:
        run.journal.set_note("price", "0.05,0.2")
        run.journal.spend(Spent(cost=1.5, calls=3))
    expected, journal = told_of(copied(folder / "run")), (folder / "run" / "journal.db").read_bytes()
    place = journal.rfind(content)
    assert place > 0
    refused = 0
    for byte, bit in [(place + start + byte, bit) for byte in range(size) for bit in range(8)]:
        damaged = copied(folder / "run")
        flipped(damaged / "journal.db", byte, bit)
        try:
            assert told_of(damaged) == expected, f"bit {bit} of byte {byte} was accepted in silence"
        except (DamagedRun, UnusableRun):
            refused += 1
    assert refused
