"""A process that commits steps to a journal in Postgres and tells what came of it, and what must be true in the end.

It tells line by line, in a file to which many append:

    first call 5            it makes the call for step 5, and pays for it
    first step 5 0be3...    step 5 is committed; the hash after it
    first away 0            the database is out of reach; it tries the same step again
    first refused 0         it is no longer the owner, and ends
    first end 0             the last step is committed
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from maker_graph.core.decision import Decision, decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.core.red_flags import Sample
from maker_graph.core.spending import Reserved, Spent
from maker_graph.core.voting import Voting
from maker_graph.errors import OutOfReach, StaleStep, TakenOver
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import PostgresJournal, find
from maker_graph.tasks import Hanoi
from tests.journal.kept import MORE, InPostgres, replayed

PLACE = "place"
_READER = Reader(parse=Hanoi(3).parse, key=None, check=None, red_flags={})


class Told(NamedTuple):
    """A line."""

    who: str
    what: str
    step: int
    hash: str


def told(file: Path) -> list[Told]:
    """Return the lines in a file."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [Told(who, what, int(step), rest[0] if rest else "") for who, what, step, *rest in map(str.split, lines)]


def work(address: str, run: str, file: str, *, who: str, last: int, pause: float = 0.0) -> None:
    """Go on with a run up to its last step, or until another process has taken over.

    Args:
        address: of the database.
        run: its name.
        file: to tell in.
        who: this process.
        last: the last step.
        pause: seconds that each call takes.
    """
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def tell(what: str, step: int, rest: str = "") -> None:
        os.write(out, f"{who} {what} {step} {rest}\n".encode())

    while True:
        try:
            connection = Connection(address)
            with closing(PostgresJournal(connection, run, find(connection, run), "run")) as journal:
                tell("end" if _worked(journal, tell, who, last, pause) else "refused", 0)
                return
        except OutOfReach:  # before it was the owner
            tell("away", 0)
            time.sleep(0.05)


def _worked(journal: PostgresJournal, tell: Callable[..., None], who: str, last: int, pause: float) -> bool:
    journal.claim(who)
    journal.spend(Spent(), Reserved(calls=1))
    kept = journal.note(PLACE)
    at: MakerOutput = Machine(Hanoi(3)).begin() if kept is None else json.loads(kept)
    while at["step"] < last:
        tell("call", at["step"] + 1)
        time.sleep(pause)
        made, after = _next(at)
        while journal.step < after["step"]:
            try:
                journal.append([(made, after)], Spent(calls=1), Reserved(calls=1), {PLACE: json.dumps(after)})
            except OutOfReach:
                tell("away", 0)
                time.sleep(0.05)
            except (TakenOver, StaleStep):
                return False
        tell("step", after["step"], journal.head)
        at = after
    return True


def _next(at: MakerOutput) -> tuple[Decision, MakerOutput]:
    """Return the next step; who made it shows in it, so that no two processes make the same."""
    sample = judge(Sample(0, MORE, input_tokens=os.getpid(), output_tokens=at["step"]), _READER)
    made = decide([sample], Voting(1, max_samples=1), 1)
    return made, Machine(Hanoi(3)).advance(at, made)


def see(kept: InPostgres, run: str, file: Path, last: int) -> Counter[str]:
    """See that no step was lost or committed twice, and that no call was forgotten; count what was told."""
    lines = told(file)
    journal = kept.open(run, claim=False)
    journal.check()
    assert journal.step == last
    assert replayed(journal)[-1]["step"] == last
    hashes = {row["step"]: row["hash"].hex() for row in kept.rows("steps", run)}
    committed = [line for line in lines if line.what == "step"]
    assert all(hashes[line.step] == line.hash for line in committed), "a step that was committed is another one now"
    twice = [step for step, times in Counter(line.step for line in committed).items() if times > 1]
    assert not twice, "a step was committed twice"
    account, counted = journal.account(), Counter(line.what for line in lines)
    assert account.spent.calls + account.unsettled.calls + account.reserved.calls >= counted["call"], "a call was forgotten"
    unknown = counted["away"] + counted["refused"]  # whether a step was committed, and paid for with it
    assert account.spent.calls <= counted["call"] + unknown, "a call was counted without need"
    return counted
