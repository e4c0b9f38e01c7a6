"""The journal: the append-only record of decided steps, and the truth about a run.

A checkpoint is a snapshot that LangGraph takes now and then; the journal has every step. What LangGraph does not promise is
kept here:

- an append is a compare-and-set on the step number: the step that follows the last one, or a refusal;
- each entry carries a hash over the run, its settings, the entry, the digest of the machine and the hash before it, so that
  damage, reordering, deletion and transplants show, with the step number;
- an entry is on disk before `append` returns: SQLite in WAL mode with `synchronous=FULL`, one transaction a step.

An entry is compact JSON: `[answer, candidates, sequence, rounds, [input, cached, output], winner, first_agrees]`.
`candidates` are in the order of the ballot, null for the one that is the answer itself; `sequence` says for each sample which
candidate it voted for, or its red flag; `winner` is a place among the candidates, or null for a step that was left open.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph.core.ballot import count
from maker_graph.core.canonical import canonical
from maker_graph.core.decision import Decision, Usage
from maker_graph.errors import DamagedRun, LimitReached, MakerError, StaleStep, UnusableRun
from maker_graph.maker import Machine, MakerOutput

_TABLES = """
CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cost REAL NOT NULL, seconds REAL NOT NULL,
    samples INTEGER NOT NULL, input INTEGER NOT NULL, cached INTEGER NOT NULL, output INTEGER NOT NULL
);
INSERT OR IGNORE INTO spent VALUES (1, 0, 0, 0, 0, 0, 0);
"""


class Spent(NamedTuple):
    """What a run has used up, whether its steps were committed or not: USD, seconds at work, samples, tokens."""

    cost: float = 0.0
    seconds: float = 0.0
    samples: int = 0
    input: int = 0
    cached: int = 0
    output: int = 0


class Journal:
    """The journal of one run, in one SQLite file."""

    def __init__(self, path: Path, origin: str, *, create: bool = False) -> None:
        """Open the journal in `path`, or make it.

        Args:
            path: the file.
            origin: what the first hash stands on: the run and its settings. A journal of another origin does not load.
            create: make it; else it must be there.

        Raises:
            DamagedRun: the file is missing, is no journal, or is of another run or other settings.
        """
        if path.exists() == create:
            raise DamagedRun(f"{path} {'is there already' if create else 'is missing'}.", 1)
        self._origin = hashlib.sha256(origin.encode()).digest()[:16]
        with _clear_errors():
            self._db = sqlite3.connect(path, isolation_level=None)
        try:
            with _clear_errors():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_TABLES)
                self._db.execute("INSERT OR IGNORE INTO notes VALUES ('origin', ?)", (self._origin.hex(),))
                self.step, self._hash = self._last()
                self.spent()
            if self.note("origin") != self._origin.hex():
                raise DamagedRun("The journal belongs to another run, or the settings were changed after it began.", 0)
        except MakerError:
            self._db.close()
            raise

    def append(self, decision: Decision, after: MakerOutput, spent: Spent = Spent()) -> None:  # noqa: B008  immutable
        """Store the decision that led to `after`, and what was spent since the last append; on return both are on disk.

        Raises:
            StaleStep: the step does not follow the journal's last one, for example because another process was here.
        """
        step, entry = after["step"], encode(decision)
        link = _link(self._hash, step, entry, after["digest"])
        with self._transaction():
            follows = self._last() == (step - 1, self._hash)
            if follows:
                self._db.execute("INSERT INTO steps VALUES (?, ?, ?)", (step, entry, link))
            self._add(spent)  # money is gone, whoever was first
        if not follows:
            raise StaleStep(f"Step {step} does not follow the journal's last: another process goes on with this run.", step)
        self.step, self._hash = step, link

    def spend(self, spent: Spent) -> None:
        """Add what was spent on steps that were not committed; on return it is on disk."""
        with self._transaction():
            self._add(spent)

    def spent(self) -> Spent:
        """Return what the run has spent, in all its sessions.

        Raises:
            DamagedRun: the account is gone, or holds no numbers.
        """
        with _clear_errors():
            row = self._db.execute("SELECT cost, seconds, samples, input, cached, output FROM spent WHERE id = 1").fetchone()
        if row is None or not all(isinstance(value, int | float) and value >= 0 for value in row):
            raise DamagedRun("The journal is damaged: its account of what was spent cannot be read.")
        return Spent(*row)

    def decisions(self) -> Iterator[tuple[int, str, bytes, Decision]]:
        """Yield (step, entry, hash, decision) in order, without a look at the chain: `replay` does that.

        Raises:
            DamagedRun: an entry is missing or unreadable.
        """
        expected = 1
        try:
            for step, entry, link in self._db.execute("SELECT step, entry, hash FROM steps ORDER BY step"):
                if step != expected:
                    raise DamagedRun(f"The journal is damaged: step {expected} is missing.", expected)
                yield step, entry, link, decode(entry)
                expected += 1
        except (sqlite3.DatabaseError, ValueError, TypeError, LookupError, OverflowError) as error:
            raise DamagedRun(f"The journal is damaged at step {expected}: {error}.", expected) from error

    def replay(self, machine: Machine) -> Iterator[tuple[Decision, MakerOutput, MakerOutput]]:
        """Yield (decision, where the task stood before it, where after it) for each step, and check the chain on the way.

        Raises:
            DamagedRun: an entry is not what was written, with its step.
        """
        at, link = machine.begin(), self._origin
        for step, entry, stored, decision in self.decisions():
            try:
                after = machine.advance(at, decision)
            except Exception as error:
                raise DamagedRun(
                    f"The journal is damaged at step {step}: its answer cannot be applied ({error}).", step
                ) from error
            link = _link(link, step, entry, after["digest"])
            if link != stored:
                raise DamagedRun(f"The journal is damaged at step {step}: its hash does not fit.", step)
            yield decision, at, after
            at = after

    def note(self, name: str) -> str | None:
        """Return the note of this name: what a run keeps beside its steps."""
        with _clear_errors():
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_note(self, name: str, value: str) -> None:
        """Keep a note; on return it is on disk."""
        with _clear_errors():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _clear_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    def _add(self, spent: Spent) -> None:
        self._db.execute(
            "UPDATE spent SET cost = cost + ?, seconds = seconds + ?, samples = samples + ?, "
            "input = input + ?, cached = cached + ?, output = output + ? WHERE id = 1",
            spent,
        )

    def _last(self) -> tuple[int, bytes]:
        row = self._db.execute("SELECT step, hash FROM steps ORDER BY step DESC LIMIT 1").fetchone()
        return (0, self._origin) if row is None else (row[0], row[1])


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Say what SQLite's errors mean for a run: busy is not damaged, and neither is a full disk."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise UnusableRun("Another process holds the journal of this run: try again when it is done.") from error
        if kind in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}:
            raise LimitReached(f"The journal cannot be written ({error}): make room, or give access, and resume.") from error
        raise DamagedRun(f"The journal cannot be read: {error}.") from error


def encode(decision: Decision) -> str:
    """Return `decision` as the text of an entry."""
    candidates: list[str | None] = list(decision["ballot"])
    winner = None
    if decision["status"] == "decided":
        if decision["candidate"] not in candidates:  # a person's answer, which nobody voted for
            candidates.append(decision["candidate"])
        winner = candidates.index(decision["candidate"])
        if candidates[winner] == canonical(decision["answer"]):
            candidates[winner] = None
    usage = decision["usage"]
    return canonical(
        [
            decision["answer"],
            candidates,
            decision["sequence"],
            decision["rounds"],
            [usage["input"], usage["cached"], usage["output"]],
            winner,
            decision["first_agrees"],
        ]
    )


def decode(entry: str) -> Decision:
    """Return the decision in the text of an entry; the text of the reply was not kept.

    Raises:
        ValueError: the text is no entry.
    """
    answer, candidates, sequence, rounds, tokens, winner, first_agrees = _parts(entry)
    if winner is not None and candidates[winner] is None:
        candidates[winner] = canonical(answer)
    votes = count(candidates[place] for place in sequence if isinstance(place, int))
    return Decision(
        status="undecided" if winner is None else "decided",
        reason="",
        answer=answer,
        candidate=None if winner is None else candidates[winner],
        text="",
        ballot=votes,
        flags=count(flag for flag in sequence if isinstance(flag, str)),
        samples=len(sequence),
        sequence=sequence,
        rounds=rounds,
        first_agrees=first_agrees,
        usage=Usage(input=tokens[0], cached=tokens[1], output=tokens[2]),
    )


def _parts(entry: str) -> list[Any]:
    parts = json.loads(entry)
    if not isinstance(parts, list) or len(parts) != 7:
        raise ValueError("it is no entry")
    return parts


def _link(before: bytes, step: int, entry: str, digest: str) -> bytes:
    return hashlib.sha256(b"\n".join((before.hex().encode(), str(step).encode(), digest.encode(), entry.encode()))).digest()[
        :16
    ]
