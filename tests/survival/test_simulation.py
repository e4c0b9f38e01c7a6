"""A world in which everything happens to a run's files: journal, account, owners and step machine on one thread, by one seed.

Owners are generators that hand back control before each thing they do. Between any two of these a scheduler may wake another
owner, start one, kill one, look at the run, or delete, replace, put back or write over its files. The same seed gives the same
history. LangGraph stays out of it: it is in the campaigns that kill real processes.

What must be true, whatever happens, is held against what the world itself knows:

- no step that was committed is missing from a journal that is gone on with, unless the loss was accepted;
- no call is paid for by an owner if a process that is started now would not find its steps, or finds another owner;
- what was paid for stays within the limits, over all owners, losses and copies.
"""

import os
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from maker_graph.core.decision import Decision, decide
from maker_graph.core.judging import Reader, Usage, judge
from maker_graph.core.machine import Machine
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.errors import MakerError, OlderJournal, TakenOver
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.watermark import Watermark, WatermarkFile, witness_path
from maker_graph.models.calls import Call
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.account import Ledger, Limits
from maker_graph.run.directory import settings_of
from tests.made import created, new_settings

STEPS, EVENTS = 9, 110

PRICE = FlatPrice(1e6, 1e6)
"""A dollar a token."""

MOST = Usage(input=2, cached=0, output=3)
"""What a call may use; it uses two tokens less."""


class Walk:
    """A task of nine steps, each to the left or to the right: runs that went on apart from each other can be told apart."""

    def start(self) -> str:
        return ""

    def total(self) -> int:
        return STEPS

    def done(self, state: str) -> bool:
        return len(state) == STEPS

    def prompt(self, state: str) -> str:
        return state

    def parse(self, text: str) -> str:
        return text

    def apply(self, state: str, answer: str) -> str:
        return state + answer


def decided(texts: list[str]) -> Decision:
    how = Reader(parse=str, key=None, check=None, red_flags={})
    return decide([judge(Sample(i, text), how) for i, text in enumerate(texts)], Voting(AheadBy(1), max_samples=99), 1)


class Killed(BaseException):
    """The process is no more."""


class MortalMark(WatermarkFile):
    """A high-water mark whose writer may be killed just before it is written: what was committed is not marked then."""

    dies: Callable[[], bool] = staticmethod(lambda: False)

    def write(self, mark: Watermark) -> None:
        if self.dies():
            raise Killed
        super().write(mark)


@dataclass(eq=False)
class Owner:
    """A process that goes on with the run."""

    name: str
    accepts: bool
    mortal: bool
    life: Iterator[str] = field(init=False)
    journal: SqliteJournal | None = None
    inode: int = 0
    epoch: int = 0


class World:
    """A run, its files, its owners, and what really happened to them."""

    def __init__(self, base: Path, seed: int) -> None:
        self.base, self.run, self.rng = base, base / "r", random.Random(seed)
        self.limits = Limits(cost=self.rng.choice([None, 60.0, 150.0]), calls=self.rng.choice([15, 30, 60, None]))
        self.owners: list[Owner] = []
        self.backups: list[Path] = []
        self.history: list[str] = []
        self.committed: list[str] = []
        """The digest after each step that an owner was told is committed, in order."""
        self.calls, self.cost = 0, 0.0
        self.epoch = 0
        self.lost = False
        """Whether a process that is started now would miss a step or an owner."""
        self.useless = False
        """Whether the last one that was started found nothing that it could go on with."""
        with created(self.run, new_settings("hanoi", {"disks": 1}, "sim:perfect", k=1), fsync="normal"):
            pass

    # ------------------------------------------------------------------------------------------------------- what happens

    def live(self) -> list[str]:
        """Let all of it happen; return the history."""
        events: dict[Callable[[], None], int] = {
            self.wake: 80,
            self.start: 6,
            self.kill: 3,
            self.back_up: 3,
            self.look: 2,
            self.checkpoint: 2,
            self.delete: 1,
            self.replace: 1,
            self.put_back: 2,
            self.write_over: 1,
        }
        for _ in range(EVENTS):
            if self.owners or not self.useless:
                self.rng.choices(list(events), list(events.values()))[0]()
            elif self.backups:
                self.put_back()
            else:
                break
        while self.owners:
            self.kill()
        self.look()
        return self.history

    def start(self) -> None:
        """Start an owner."""
        if len(self.owners) < 3:
            name = f"owner {sum(line.startswith('start') for line in self.history) + 1}"
            owner = Owner(name, accepts=self.rng.random() < 0.3, mortal=self.rng.random() < 0.3)
            owner.life = self.life_of(owner)
            self.owners.append(owner)
            self.say(f"start {name}{' accepting' if owner.accepts else ''}")

    def wake(self) -> None:
        """Let an owner do one thing."""
        if not self.owners:
            self.start()
        owner = self.rng.choice(self.owners)
        try:
            self.say(f"{owner.name} {next(owner.life)}")
        except StopIteration:
            self.owners.remove(owner)
        except Killed:
            self.say(f"{owner.name} killed before its mark")
            self.end(owner)

    def kill(self) -> None:
        """Kill an owner."""
        if self.owners:
            owner = self.rng.choice(self.owners)
            self.say(f"kill {owner.name}")
            self.end(owner)

    def look(self) -> None:
        """Look at the run."""
        try:
            with closing(self.opened(accept_loss=False)) as journal:
                assert journal.step >= len(self.committed), "who looks was not told of a loss"
                self.say(f"look: {journal.step}")
        except MakerError as error:
            self.say(f"look: {type(error).__name__}")
        self.judge_again()

    def back_up(self) -> None:
        """Keep a copy of the directory as it is."""
        if self.run.exists():
            self.say(f"back up {len(self.backups)}")
            self.backups.append(shutil.copytree(self.run, self.base / f"backup-{len(self.backups)}"))

    def delete(self) -> None:
        """Delete the directory or one of its files."""
        name = self.rng.choice(["", "", "journal.db", "journal.db-wal", "journal.db-shm", "journal.watermark"])
        self.say(f"delete {name}")
        if name:
            (self.run / name).unlink(missing_ok=True)
        else:
            shutil.rmtree(self.run, ignore_errors=True)
        self.judge()

    def replace(self) -> None:
        """Put a copy of the directory, or of one file, in its own place: the same content, other files."""
        name = self.rng.choice(["", "journal.db", "journal.db-wal", "journal.watermark"])
        self.say(f"replace {name}")
        place, copy = self.run / name, self.base / "copy"
        if place.is_dir():
            shutil.copytree(place, copy)
            shutil.rmtree(place)
            copy.rename(place)
        elif place.exists():
            shutil.copy2(place, copy)
            copy.replace(place)
        self.judge()

    def put_back(self) -> None:
        """Put an older copy in the place of the directory, or of its journal."""
        if not self.backups:
            return
        backup = self.rng.choice(self.backups)
        if self.rng.random() < 0.6:
            self.say(f"put back {backup.name}")
            shutil.rmtree(self.run, ignore_errors=True)
            shutil.copytree(backup, self.run)
        elif self.run.exists():
            self.say(f"put back the journal of {backup.name}")
            for ending in ("", "-wal", "-shm"):
                (self.run / f"journal.db{ending}").unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    shutil.copy2(backup / f"journal.db{ending}", self.run)
        self.useless = False
        self.judge()

    def write_over(self) -> None:
        """Write an older copy over files, which stay the same files."""
        if not self.backups or not self.run.exists():
            return
        backup, names = self.rng.choice(self.backups), self.rng.choice([["journal.db"], ["journal.db-wal"], []])
        self.say(f"write {names or 'all'} of {backup.name} over")
        for name in names or sorted(path.name for path in backup.iterdir()):
            with suppress(FileNotFoundError):
                shutil.copyfile(backup / name, self.run / name)
                later = (self.run / name).stat().st_mtime_ns + 10_000_000  # nobody is as quick as this test
                os.utime(self.run / name, ns=(later, later))
        self.judge()

    def checkpoint(self) -> None:
        """Move the log into the database, as SQLite does from time to time."""
        journal = self.rng.choice(self.owners).journal if self.owners else None
        if journal is not None and not self.lost:
            self.say("checkpoint")
            with suppress(sqlite3.Error):
                journal._db.execute("PRAGMA wal_checkpoint").fetchall()

    # -------------------------------------------------------------------------------------------------- what an owner does

    def life_of(self, owner: Owner) -> Iterator[str]:
        """Go on with the run as `solve` does; hand back control before each thing."""
        ledger: Ledger | None = None
        try:
            yield "opens"
            owner.journal = journal = self.opened(accept_loss=owner.accepts)
            owner.inode = (self.run / "journal.db").stat().st_ino
            journal._marks._files = [self.mortal(owner, mark) for mark in journal._marks._files]
            yield "claims"
            self.claim(owner, journal)
            machine = Machine(Walk())
            at = machine.begin()
            for _, _, at in journal.replay(machine):  # noqa: B007  where it ends
                pass
            ledger = Ledger(journal, PRICE, self.limits, None)
            while not at["done"]:
                answer = self.rng.choice("lr")
                for index in range(self.rng.randint(1, 4)):
                    yield "asks"
                    ledger.reserve(MOST)
                    self.pay(owner)
                    yield "hears"
                    ledger.settle(MOST, Call([], "m", None, Sample(index, answer, input_tokens=1, output_tokens=2)))
                yield f"commits {at['step'] + 1}"
                decision = decided([answer])
                at = machine.advance(at, decision)
                spent, reserved = ledger.take()
                journal.append([(decision, at)], spent, reserved, ledger.paced(at["step"]))
                assert at["step"] == len(self.committed) + 1, "a step was committed twice, or left out"
                self.committed.append(at["digest"])
            yield "ends"
        except MakerError as error:
            self.say(f"{owner.name}: {type(error).__name__}")
            self.useless = ledger is None and not isinstance(error, OlderJournal | TakenOver)
        with suppress(MakerError):
            if ledger is not None:
                ledger.close()
        if owner.journal is not None:
            owner.journal.close()
        owner.journal = None
        self.judge_again()

    def opened(self, *, accept_loss: bool) -> SqliteJournal:
        settings = settings_of(self.run)
        witness = witness_path(self.run, settings.id)
        path = self.run / "journal.db"
        return SqliteJournal(path, settings.origin(), fsync="normal", witness=witness, accept_loss=accept_loss)

    def mortal(self, owner: Owner, mark: WatermarkFile) -> WatermarkFile:
        mortal = MortalMark(mark.path, mark.origin, makes_folder=mark._makes_folder)
        mortal.dies = lambda: owner.mortal and self.rng.random() < 0.1
        return mortal

    def claim(self, owner: Owner, journal: SqliteJournal) -> None:
        """Claim the run, and hold what is found against what was committed."""
        before = self.epoch
        try:
            journal.claim()
        except Killed:
            self.epoch = max(before, self.stored()[1])  # it has been the owner for a moment, if that was committed
            raise
        self.epoch = owner.epoch = journal.epoch or 0
        assert owner.epoch > before, "two owners with one epoch"
        digests = [after["digest"] for _, _, after in journal.replay(Machine(Walk()))]
        known = len(self.committed)
        assert owner.accepts or digests[:known] == self.committed, "committed steps are lost in silence"
        self.committed, self.useless = digests, False
        self.judge_again()

    def pay(self, owner: Owner) -> None:
        """Pay for a call: here it is seen whether it should have been made."""
        self.judge_again()
        assert not self.lost, "paid for a call although the journal is gone"
        assert (self.run / "journal.db").stat().st_ino == owner.inode, "paid for a call although the journal is another"
        assert owner.epoch == self.epoch, "paid for a call although it was overtaken"
        self.calls, self.cost = self.calls + 1, self.cost + PRICE(Usage(input=1, cached=0, output=2))
        assert self.calls <= (self.limits.calls or self.calls), "the limit of calls was passed"
        assert self.cost <= (self.limits.cost or self.cost), "the limit of the cost was passed"

    def end(self, owner: Owner) -> None:
        """End a process without a word: what SQLite does when it closes its last connection is undone."""
        self.owners.remove(owner)
        journal, owner.journal = owner.journal, None
        if journal is None:
            return
        names = list(self.run.iterdir()) if self.run.exists() else []
        files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in names}
        journal._database.close()
        for mark in journal._marks._files:
            if mark._file is not None:
                os.close(mark._file)
                mark._file = None
        for path, (content, written) in files.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
                os.utime(path, ns=(written, written))
        for path in set(self.run.iterdir() if self.run.exists() else []) - set(files):
            path.unlink()
        self.judge_again()

    # ------------------------------------------------------------------------------------------------------- what it means

    def say(self, text: str) -> None:
        self.history.append(text)

    def judge(self) -> None:
        """See whether a process that is started now would miss something."""
        steps, epoch = self.stored()
        self.lost = steps < len(self.committed) or epoch < self.epoch

    def judge_again(self) -> None:
        """See whether what was lost is there again: an owner may have the missing log, and move it into the database."""
        if self.lost:
            self.judge()

    def stored(self) -> tuple[int, int]:
        """Return the steps and the owner that a process would find that is started now: in a copy, with SQLite alone."""
        copy, steps, epoch = self.base / "judged", -1, -1
        shutil.rmtree(copy, ignore_errors=True)
        with suppress(sqlite3.Error, OSError, TypeError):
            shutil.copytree(self.run, copy, ignore=shutil.ignore_patterns("*-shm"))
            with closing(sqlite3.connect(f"{(copy / 'journal.db').as_uri()}?mode=rw", uri=True)) as db:
                steps = db.execute("SELECT count(*) FROM steps").fetchone()[0]
                epoch = int(db.execute("SELECT value FROM notes WHERE name = 'owner'").fetchone()[0])
        return steps, epoch


def simulated(folder: Path, seed: int) -> list[str]:
    """Return the history of one world; its files are removed."""
    base = folder / f"{seed}"
    base.mkdir(parents=True)
    try:
        world = World(base, seed)
        try:
            return world.live()
        except BaseException as error:
            history = "\n".join(world.history)
            raise AssertionError(f"seed {seed}: {error!r}\n{history}") from error
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder in memory, if there is one: a disk would be waited for a hundred times in each world."""
    shared = Path("/dev/shm")  # noqa: S108  a folder of its own is made in it
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else tmp_path) as folder:
        monkeypatch.setenv("XDG_STATE_HOME", f"{folder}/state")
        yield Path(folder)


def counted(folder: Path, seeds: range) -> Counter[str]:
    """Return how often each kind of thing happened in the worlds of these seeds."""
    return Counter(line.rsplit(": ")[-1].split()[0] for seed in seeds for line in simulated(folder, seed))


HAPPENS = (
    "LostJournal",
    "OlderJournal",
    "TakenOver",
    "LimitReached",
    "DamagedRun",
    "kill",
    "put",
    "write",
    "delete",
    "replace",
)
"""What the worlds must have seen, or they prove little."""


def test_the_same_seed_gives_the_same_history(memory: Path) -> None:
    assert simulated(memory / "a", 7) == simulated(memory / "b", 7)


def test_in_200_worlds_nothing_is_lost_paid_or_passed_in_silence(memory: Path) -> None:
    happened = counted(memory, range(200))
    assert all(happened[kind] for kind in HAPPENS), happened


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(10))
def test_in_10000_worlds_nothing_is_lost_paid_or_passed_in_silence(memory: Path, part: int) -> None:
    print(counted(memory, range(1000 * part, 1000 * (part + 1))))  # noqa: T201  the figures of the campaign
