"""Following a run: this reads its journal while it grows, in another process than the one that works on it.

Between two looks no file of the run is open, so the run is never held up. Each look compares the run's stamp with the last
one. If it is the same, the journal is not opened. New steps are read in short transactions. No code of the run's task is
imported.

Whatever happens to the run is shown as a state: it is at work, it ended, its process was killed, its directory is gone, or
its journal is damaged or an older copy.
"""

import json
import math
import time
from collections import Counter, deque
from contextlib import suppress
from typing import Any, NamedTuple

from maker_graph.core.characters import visible
from maker_graph.core.spending import Account
from maker_graph.errors import DamagedRun, MakerError, OlderJournal, UnusableRun
from maker_graph.report.counting.frames import position_of
from maker_graph.run.home import Home, Run, Stamp
from maker_graph.run.left_answers import LeftAnswer
from maker_graph.run.options import RunOptions, kept_options
from maker_graph.run.session import Question, SeenSession
from maker_graph.run.settings import Settings
from maker_graph.watch.counting import Counts, shown

AT_ONCE = 5_000
"""The most steps that are read in one transaction."""

A_LOOK = 0.25
"""The most seconds for which one look reads the new steps of a run, so that the other runs have their turn."""

RATE_OVER = 60.0
"""How many seconds back the rate of a run is measured."""

MANY_DISKS = 24
"""The most disks of Hanoi that are drawn."""

MOST_PLANNED = 1e9
"""A plan of more samples, or more USD, is not shown: its model cannot do the task."""

MOST_NAMES = 30
"""The most red flags, and the most rungs, that are shown."""

_CHANGES = {"at work", "waits"}
"""The states of a run whose view may change although its files do not: its rate changes, or its process is killed."""

_GONE = {"directory": "Its directory is gone, or holds no run.", "journal": "It is not in the journal any more."}
"""Kind of home -> what the page says about a run that is not there."""


class Seen(NamedTuple):
    """What the finder of the runs knows about a run.

    Attributes:
        stamp: the stamp of the run; None if the finder did not read it.
        away: why the run cannot be reached; empty if it can, or if the finder did not try.
    """

    stamp: Stamp | None = None
    away: str = ""


class View(NamedTuple):
    """A run at one moment, as plain JSON.

    Attributes:
        listed: what the list of runs shows.
        detail: what the page shows beside that if the run is chosen.
    """

    listed: dict[str, Any]
    detail: dict[str, Any]


class _Known(NamedTuple):
    """What was read of a run at one look."""

    settings: Settings
    options: RunOptions
    account: Account
    owners: int
    plan: dict[str, float]


class Followed:
    """One run that is followed."""

    def __init__(self, home: Home) -> None:
        """Begin to follow the run at `home`, which need not be there yet."""
        self.home = home
        self._stamp: Stamp | None = None
        self._begin()
        self._problem: tuple[str, str] | None = None
        self._replaced = False
        self._still: View | None = None  # the last view, if only a change of the files can change it

    def _begin(self) -> None:
        """Forget what was read."""
        self._known: _Known | None = None
        self._counts: Counts | None = None
        self._step, self._head, self._amended = 0, None, 0  # type: tuple[int, str | None, int]
        self._paces: deque[tuple[float, int]] = deque()
        self._left: list[LeftAnswer] = []

    def look(self, now: float, seconds: float = A_LOOK, found: Seen = Seen()) -> View:  # noqa: B008  immutable
        """Return the run as it is.

        Args:
            now: the time on a clock that is never set back, in seconds.
            seconds: for how long new steps are read. With 0 none is read; the number of steps is up to date all the same.
            found: what the finder of the runs knows already.
        """
        stamp = self._stamped(found)
        before = None if self._stamp is None else self._stamp.what
        if stamp is None or stamp.what != before or self._is_behind:
            self._still = None
            if stamp is not None:
                self._read(now, seconds)
            self._stamp = stamp
        if self._still is not None:
            return self._still
        self._paced(now)
        try:
            session = None if stamp is None else self.home.session()
            view = View(_sendable(self._listed(session)), _sendable(self._detail(session)))
        except Exception as error:  # noqa: BLE001  a problem with one run must not hide the others
            self._begin()
            self._problem = ("unreadable", f"It cannot be shown ({type(error).__name__}): try maker-graph verify.")
            return View(self._listed(None), {})
        if view.listed["state"] not in _CHANGES and not self._is_behind:
            self._still = view
        return view

    def _stamped(self, found: Seen) -> Stamp | None:
        """Return the stamp of the run; None if it cannot be reached, with the reason in `_problem`."""
        why = found.away
        try:
            if not why:
                return self.home.stamp() if found.stamp is None else found.stamp
        except MakerError as error:
            why = str(error)
        self._problem = ("unreadable", why)
        return None

    @property
    def _is_behind(self) -> bool:
        """Whether there are steps that were not read yet."""
        return self._known is not None and self._step < self._known.account.steps

    def _read(self, now: float, seconds: float) -> None:
        """Read what is new. A problem is kept in `_problem`."""
        try:
            with self.home.opened() as run:
                self._take(run, now, seconds)
                self._left = [*run.home.answers().all()]
            self._problem = None
        except UnusableRun as error:
            self._problem = ("gone", _GONE[self.home.kind]) if not self.home.is_there() else ("unreadable", str(error))
        except OlderJournal as error:
            self._problem = ("older", str(error))
        except DamagedRun as error:
            self._problem = ("damaged", str(error))
        except MakerError as error:
            self._problem = ("unreadable", str(error))
        except Exception as error:  # noqa: BLE001  a problem with one run must not hide the others
            self._problem = ("unreadable", f"It cannot be read ({type(error).__name__}): try maker-graph verify.")

    def _take(self, run: Run, now: float, seconds: float) -> None:
        journal, settings = run.journal, run.settings
        if self._known is not None and self._known.settings.id != settings.id:
            self._begin()  # another run has this name now
        if self._counts is None:
            self._counts = Counts(settings.k)
        while seconds > 0:
            found = journal.following(self._step, self._head, AT_ONCE)
            if found is None:
                self._begin()
                self._counts, self._replaced = Counts(settings.k), True
                continue
            entries, head = found
            try:
                self._counts.add(entries)
            except DamagedRun:
                self._begin()  # some of the entries were counted already
                raise
            self._step, self._head = self._step + len(entries), head
            if not entries or time.monotonic() > now + seconds:
                break
        account = journal.account()
        if account.amended != self._amended:
            self._amended = account.amended
            self._counts.answered(journal.amendments())
        self._known = _Known(settings, kept_options(journal), account, journal.owners(), _plan(journal.note("plan")))

    def _paced(self, now: float) -> None:
        """Note the number of steps at this moment, for the rate."""
        if self._known is not None:
            self._paces.append((now, self._known.account.steps))
            while len(self._paces) > 2 and now - self._paces[0][0] > RATE_OVER:
                self._paces.popleft()

    def _rate(self) -> float | None:
        """Return the steps a second over the last minute; over all time at work if the looks do not cover five seconds."""
        assert self._known is not None  # noqa: S101  the caller has seen to it
        first, last = self._paces[0], self._paces[-1]
        if last[0] - first[0] >= 5:
            return (last[1] - first[1]) / (last[0] - first[0])
        seconds = self._known.account.spent.seconds
        return self._known.account.steps / seconds if seconds else None

    def _listed(self, session: SeenSession | None) -> dict[str, Any]:
        """Return what the list of runs shows."""
        known, counts = self._known, self._counts
        name = visible(self.home.name)
        if known is None or counts is None:
            state, why = self._problem or ("unreadable", "")
            return {"name": name, "state": state, "why": shown(why, 600), "steps": None, "total": None}
        settings, account = known.settings, known.account
        total = _total(settings, session)
        state, why = self._state(known, session, total)
        at_work, rate = state == "at work", self._rate()
        left = (total - account.steps) / rate if at_work and total and rate else None
        return {
            "name": name,
            "state": state,
            "why": shown(why, 600),
            "task": shown(settings.task),
            "model": shown(", ".join(settings.models)),
            "rule": f"a cascade of {1 + len(settings.cascade)} rungs" if settings.cascade else shown(str(settings.voting.rule)),
            "simulated": settings.simulated,
            "steps": account.steps,
            "total": total,
            "rate": None if rate is None or not at_work else float(f"{rate:.3g}"),
            "left": None if left is None else round(left),
            "open": len(counts.open),
            "asks": len(counts.open) + (_question(session, account.steps) is not None),
            "moved": 0 if self._stamp is None else round(1000 * self._stamp.moved),
        }

    def _state(self, known: _Known, session: SeenSession | None, total: int | None) -> tuple[str, str]:
        """Return how the run stands, in a word, and why, in a sentence."""
        if self._problem is not None:
            return self._problem
        if session is None:
            return ("done", "") if known.account.steps == total else ("stopped", "Nobody is at work on it.")
        said = session.said
        works = said.state in {"at work", "waits"}
        if works and said.epoch < known.owners:
            return "stopped", "Another process has taken it over, and does not say how it stands."
        if works and not session.lives:
            why = f"Its process ({said.pid}) ended without saying why, at step {known.account.steps:,}."
            return "died", f"{why} To go on: maker-graph resume {self.home.command}"
        return said.state, said.why

    def _detail(self, session: SeenSession | None) -> dict[str, Any]:
        """Return what the page shows beside that if the run is chosen."""
        known, counts = self._known, self._counts
        if known is None or counts is None:
            return {}
        spent, options, plan = known.account.spent, known.options, known.plan
        total = _total(known.settings, session)
        question = _question(session, known.account.steps)
        ahead = total / known.account.steps if total and known.account.steps else None
        price = not known.account.spent.unpriced and not known.settings.simulated
        return {
            "id": known.settings.id,
            "path": visible(self.home.command),
            "read": self._step,
            "replaced": self._replaced,
            "samples": max(spent.samples, counts.samples),
            "votes": counts.votes,
            "outvoted": counts.outvoted,
            "lost": counts.lost,
            "proved": counts.proved,
            "contested": counts.contested,
            "flags": dict((counts.flags + Counter(question.flags if question is not None else {})).most_common(MOST_NAMES)),
            "by": dict(counts.by.most_common(MOST_NAMES)),
            "answered": known.account.amended,
            "sessions": known.owners,
            "seconds": round(spent.seconds, 1),
            "cost": spent.cost if price else None,
            "expected": spent.cost * ahead if price and ahead else None,
            "unsettled": known.account.unsettled.cost,
            "planned": plan.get("cost_usd"),
            "planned_samples": plan.get("samples"),
            "max_cost": options.max_cost,
            "calls": spent.calls,
            "max_calls": options.max_calls,
            "max_minutes": options.max_minutes,
            "recent": counts.recent(),
            "contests": counts.contests(),
            "pegs": _pegs(known.settings, counts.last_answer(), self._step),
            "question": _asked(question, self._head),
            "answers": [{"step": each.step, "refused": shown(each.refused, 600)} for each in self._left],
        }


def _plan(note: str | None) -> dict[str, float]:
    """Return the numbers of the plan in a note; nothing for those above `MOST_PLANNED`."""
    with suppress(ValueError):
        plan = {} if note is None else json.loads(note)
        kept = plan if isinstance(plan, dict) else {}
        return {name: value for name, value in kept.items() if isinstance(value, int | float) and 0 < value < MOST_PLANNED}
    return {}


def _total(settings: Settings, session: SeenSession | None) -> int | None:
    """Return how many steps the task has: as its last session said, or as its settings say for Hanoi; else None."""
    if session is not None and session.said.total is not None:
        return session.said.total
    disks = settings.options.get("disks") if settings.task == "hanoi" else None
    return 2**disks - 1 if isinstance(disks, int) and 0 < disks < 63 else None


def _question(session: SeenSession | None, steps: int) -> Question | None:
    """Return the question about the stuck step; None if there is none, or if that step is not the next one any more."""
    question = None if session is None else session.said.question
    return question if question is not None and question.step == steps + 1 else None


def _asked(question: Question | None, after: str | None) -> dict[str, Any] | None:
    return None if question is None else {"step": question.step, "reason": shown(question.reason, 600), "after": after}


def _pegs(settings: Settings, answer: Any, step: int) -> dict[str, Any] | None:
    """Return the peg of each disk of Hanoi; None for other tasks, too many disks, and answers that are no position."""
    disks = settings.options.get("disks")
    if settings.task != "hanoi" or not isinstance(disks, int) or not 0 < disks <= MANY_DISKS:
        return None
    try:
        at = str(settings.options.get("source", 0)) * disks if step == 0 else position_of(answer["next_state"], disks)
    except (TypeError, LookupError):
        return None
    return {"step": step, "at": at} if len(at) == disks and set(at) <= set("012") else None


def _sendable(found: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which numbers that JSON does not have, such as NaN, are None."""
    return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in found.items()}
