"""A high-water mark is there after any kill, and never says more than was committed."""

from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.journal.chain import origin_digest
from maker_graph.journal.watermark import SLOT, Watermark, WatermarkFile, older_text, witness_path

ORIGIN = origin_digest("run")


def mark(serial: int) -> Watermark:
    return Watermark(1, bytes([serial]) * 16, Account(serial, Spent(cost=serial / 7, calls=serial), serial=serial))


def written(path: Path, *serials: int) -> WatermarkFile:
    with closing(WatermarkFile(path, ORIGIN)) as file:
        for serial in serials:
            file.write(mark(serial))
    return WatermarkFile(path, ORIGIN)


def test_the_last_mark_is_read_back(tmp_path: Path) -> None:
    for number in range(1, 6):
        assert written(tmp_path / "w", *range(1, number + 1)).read() == mark(number)


def test_the_file_has_its_size_from_the_start_so_that_a_full_disk_takes_every_mark(tmp_path: Path) -> None:
    for serials in ((1,), (2,), (1, 2, 3, 4)):
        written(tmp_path / "w", *serials)
        assert (tmp_path / "w").stat().st_size == 2 * SLOT


@pytest.mark.parametrize("cut", [0, 1, 17, 100, 300, SLOT - 1])
def test_a_torn_write_leaves_the_mark_before(tmp_path: Path, cut: int) -> None:
    file = written(tmp_path / "w", 1, 2)
    before = bytearray((tmp_path / "w").read_bytes())
    written(tmp_path / "w", 1, 2, 3)
    after = (tmp_path / "w").read_bytes()
    start = SLOT  # an odd mark stands in the second slot
    before[start : start + cut] = after[start : start + cut]
    (tmp_path / "w").write_bytes(before)
    assert file.read() in {mark(2), mark(3)}


def test_no_bit_of_a_mark_can_turn_without_being_seen(tmp_path: Path) -> None:
    file = written(tmp_path / "w", 7)
    whole = (tmp_path / "w").read_bytes()
    text = whole[SLOT:].rstrip()
    for byte in range(len(text)):
        damaged = bytearray(whole)
        damaged[SLOT + byte] ^= 1 << byte % 8
        (tmp_path / "w").write_bytes(damaged)
        assert file.read() is None


@pytest.mark.parametrize("content", [b"", b"x", b"\n" * 2 * SLOT, b"{}" * SLOT, bytes(2 * SLOT)])
def test_what_is_no_mark_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    assert WatermarkFile(tmp_path / "w", ORIGIN).read() is None
    assert WatermarkFile(tmp_path / "nothing", ORIGIN).read() is None


def test_the_mark_of_another_run_is_none(tmp_path: Path) -> None:
    written(tmp_path / "w", 1)
    assert WatermarkFile(tmp_path / "w", origin_digest("another run")).read() is None


def test_the_largest_account_fits(tmp_path: Path) -> None:
    most = 2**63 - 1
    spent = Spent._make(most if isinstance(value, int) else -1.2345678901234567e-300 for value in Spent())
    largest = Watermark(most, b"\xff" * 16, Account(most, spent, Reserved(1e-300 / 3, most), Reserved(1e-300 / 3, most), most))
    with closing(WatermarkFile(tmp_path / "w", ORIGIN)) as file:
        file.write(largest)
        assert file.read() == largest
    assert (tmp_path / "w").stat().st_size == 2 * SLOT


def test_the_witness_outside_is_another_one_for_each_run_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    places = {witness_path(tmp_path / place, run) for place in ("a", "b") for run in ("1", "2")}
    assert len(places) == 4
    assert {place and place.parent for place in places} == {tmp_path / "state" / "maker-graph"}
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert (witness_path(tmp_path, "1") or tmp_path).parent == Path.home() / ".local" / "state" / "maker-graph"
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert witness_path(tmp_path / "link", "1") == witness_path(tmp_path / "a", "1")


def test_what_is_missing_is_said_in_steps_calls_and_dollars() -> None:
    now = Account(200, Spent(cost=1.0, calls=700), serial=250)
    known = Account(423, Spent(cost=2.5, calls=1500), serial=500)
    text = older_text(Path("r/journal.db"), now, known)
    assert "steps 201 to 423, 800 calls, $1.5000" in text
    assert "--accept-loss" in text
    assert "two copies" in older_text(Path("r/journal.db"), known, now)
