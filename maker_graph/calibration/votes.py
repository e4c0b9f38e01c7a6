"""Labelled votes: samples of steps whose right answers are known, from files, in pools of one model and temperature each.

A file of votes is JSON lines, one row a line: `{"row": 0, "truth": "1971-05-08", "res": ["1971-05-08", null, "1971-05-07"]}`.
`res` are the samples' answers in the order in which they were drawn; null is a red flag. `truth` and answers may be any JSON,
and are compared as canonical JSON, as in a vote. `row` names the row (a number or a text); without it, it is the line's number.
`text`, the question, may stand beside them, and so may "model" and "temperature" of the samples. Other keys are ignored. A file
that `maker-graph calibrate` wrote, with known right answers, is read as well.

An answer that canonical JSON refuses is a red flag, as it would be in a vote. Everything else that is odd is an error that
names the line. Nothing is left out in silence, because a bound is worthless if rows are left out.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph.calibration.file import read_samples
from maker_graph.calibration.lines import CalibrationRequest, StepSamples
from maker_graph.core.canonical import canonical
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.files import is_there, odd_kind

FLAG, RIGHT = "\0", "\1"
"""A sequence has a character for each sample: a red flag, the right answer, or a wrong one: "\\2", "\\3" and so on."""


class PoolName(NamedTuple):
    """Whose samples a pool holds.

    Attributes:
        model: `provider:model`, or the name of the file if the file does not say.
        temperature: the temperature of the first sample of each row and of the others; None if it is not known.
    """

    model: str
    temperature: tuple[float, float] | None

    def __str__(self) -> str:
        return self.model if self.temperature is None else f"{self.model} at {in_words(self.temperature)}"


class Row(NamedTuple):
    """The samples of one labelled step.

    Attributes:
        sequence: a character for each sample; see `FLAG`.
        wrong: the wrong answers, in the order of their characters.
        truth: the right answer as canonical JSON; None if it is not known, and no sample gave it.
        text: the question; None if the file does not say.
        where: the file and the line.
    """

    sequence: str
    wrong: tuple[str, ...]
    truth: str | None
    text: str | None
    where: tuple[str, int]


@dataclass(slots=True)
class Pool:
    """The labelled samples of one model at one temperature.

    Attributes:
        name: whose samples they are.
        rows: name of the row -> its samples.
        max_tokens: the output cap of a sample; None if it is not known.
        named: whether a file or the user has said which model it is.
    """

    name: PoolName
    rows: dict[str, Row] = field(default_factory=dict)
    max_tokens: int | None = None
    named: bool = True
    _samples: int | None = None

    @property
    def samples(self) -> int:
        """The samples of a row: the most frequent number of them, or the lower of two that are equally frequent."""
        if self._samples is None:
            lengths = Counter(len(row.sequence) for row in self.rows.values())
            self._samples = min(lengths, key=lambda length: (-lengths[length], length)) if lengths else 0
        return self._samples


class LabelledVotes(NamedTuple):
    """What the files hold.

    Attributes:
        pools: the pools by their names.
        notes: what a reader of the plan should know about them.
    """

    pools: dict[PoolName, Pool]
    notes: list[str]


def read_votes(files: Sequence[str | Path]) -> LabelledVotes:
    """Return the labelled votes in `files`; each is a path, or says whose samples it holds: `MODEL=FILE`, `MODEL@T=FILE`.

    Raises:
        UsageError: a file cannot be read, or is something else; the text says in which line.
    """
    if not files:
        raise UsageError("There are no labelled votes: give a file of them.")
    reading = _Reading()
    for file in files:
        reading.read(*_named_file(file))
    if not any(pool.rows for pool in reading.pools.values()):
        raise UsageError("There is no labelled row in the files.")
    return LabelledVotes(reading.pools, reading.all_notes())


def in_words(temperature: tuple[float, float]) -> str:
    """Return a temperature as it is written: 0.7, or 0,0.1 if the first sample has another one than the rest.

    >>> in_words((0.7, 0.7)), in_words((0, 0.1))
    ('0.7', '0,0.1')
    """
    first, others = temperature
    return f"{first:g}" if first == others else f"{first:g},{others:g}"


def _named_file(file: str | Path) -> tuple[Path, str | None, tuple[float, float] | None]:
    """Return the file, and the model and the temperature that stand before it."""
    path = Path(file)
    name, equals, rest = str(file).partition("=")
    if isinstance(file, Path) or not equals or is_there(path):
        return path, None, None
    model, at, heat = name.rpartition("@")
    if not at:
        return Path(rest), name, None
    try:
        return Path(rest), model, _pair([float(each) for each in heat.split(",")])
    except (ValueError, TypeError):
        raise UsageError(
            f"{visible(name)!r} names no model and temperature: write MODEL@0.7=FILE, or MODEL@0,0.1=FILE."
        ) from None


def _pair(given: Any) -> tuple[float, float]:
    """Return a temperature, one number or two, as a pair.

    Raises:
        ValueError: it is not a temperature.
        TypeError: it is not a number.
    """
    pair = given if isinstance(given, list) else [given]
    if len(pair) not in {1, 2} or any(isinstance(each, bool) or not 0 <= each < float("inf") for each in pair):
        raise ValueError
    return float(pair[0]), float(pair[-1])


class _Reading:
    """Reads files, one after the other, into pools."""

    def __init__(self) -> None:
        self.pools: dict[PoolName, Pool] = {}
        self._notes: list[str] = []
        self._same: dict[str, str] = {}
        self._twice = 0
        self._truths: dict[str, Row] = {}
        self._request: tuple[CalibrationRequest, Path] | None = None
        self._without_row: tuple[str, int] | None = None
        self._with_row: tuple[str, int] | None = None

    def read(self, path: Path, model: str | None, temperature: tuple[float, float] | None) -> None:
        """Add what stands in `path`."""
        lines = _lines_of(path)
        first = next(lines, None)
        if first is None:
            raise UsageError(f"{path} is empty: a file of votes has a row on each line.")
        if first[1].startswith('{"calibration"'):
            if model is not None:
                raise UsageError(f"{path} is of a calibration and says itself which model it asked: give it without a name.")
            self._take_calibration(path)
            return
        for number, line in chain([first], lines):
            self._take_line(path, number, line, model, temperature)

    def all_notes(self) -> list[str]:
        """Return the remarks for the reader of the plan."""
        if self._twice:
            self._notes.append(f"{self._twice:,} rows stand twice, with the same content: each counts once.")
        for pool in self.pools.values():
            self._notes.extend(_notes_of(pool))
        return self._notes

    def _take_line(
        self, path: Path, number: int, line: str, model: str | None, temperature: tuple[float, float] | None
    ) -> None:
        where = (str(path), number)
        found = _object_of(line, where)
        if "truth" not in found or found["truth"] is None:
            raise _odd(where, 'there is no truth. A labelled row has its right answer under "truth"; leave out the others')
        res = found.get("res")
        if not isinstance(res, list):
            raise _odd(where, 'there is no list of samples under "res"')
        try:
            truth = canonical(found["truth"], own=True)
        except ValueError as error:
            raise _odd(where, f"its truth is {visible(str(error))}") from None
        text = found.get("text")
        candidates = [None if each is None else self._candidate(each) for each in res]
        sequence, wrong = _written(candidates, truth)
        row = Row(sequence, wrong, self._one(truth), self._one(text) if isinstance(text, str) else None, where)
        own = model if model is not None else found.get("model")
        if own is not None and not isinstance(own, str):
            raise _odd(where, f'"model" is a text, not {own!r:.40}')
        heat = temperature
        if heat is None and found.get("temperature") is not None:
            try:
                heat = _pair(found["temperature"])
            except (ValueError, TypeError, IndexError):
                raise _odd(where, f'"temperature" is a number or two, not {found["temperature"]!r:.40}') from None
        pool = self._pool(PoolName(own or path.stem, heat))
        pool.named = own is not None
        self._add(pool, self._row_name(found, where), row)

    def _row_name(self, found: Mapping[str, Any], where: tuple[str, int]) -> str:
        """Return the name of a row; rows that have none are named by their lines."""
        if found.get("row") is None:
            self._without_row = self._without_row or where
        else:
            self._with_row = self._with_row or where
        if self._without_row and self._with_row:
            odd = self._without_row if found.get("row") is None else where
            raise _odd(
                odd, 'some rows have a "row" and some have none, so it is not clear which are the same: name all or none'
            )
        if found.get("row") is None:
            return f"line {where[1]}"
        if isinstance(found["row"], bool) or not isinstance(found["row"], int | str):
            raise _odd(where, f'"row" is a number or a text, not {found["row"]!r:.40}')
        try:
            return canonical(found["row"], own=True)
        except ValueError as error:
            raise _odd(where, f'its "row" is {visible(str(error))}') from None

    def _take_calibration(self, path: Path) -> None:
        """Add the samples of a calibration with known right answers."""
        request, steps = read_samples(path)
        if not request.truth:
            raise UsageError(f"{path} was measured without known right answers, so its steps are not labelled.")
        if request.use == "choose":
            raise UsageError(
                f"The labels of {path} were used to choose by (use 'choose'): to plan, give a calibration with other labels."
            )
        if self._request is not None:
            before, other = self._request
            same = ("task", "options", "inputs", "total", "part")
            if any(getattr(before, name) != getattr(request, name) for name in same):
                raise UsageError(f"{path} is of another task than {other}: the same steps must be asked in both.")
        self._request = self._request or (request, path)
        if wrongly := [step.step for step in steps if request.knows(step.step) and step.proves_wrongly()]:
            raise UsageError(
                f"In {path} the task's verifier proved a wrong answer on {len(wrongly):,} of the steps, step {wrongly[0]:,} "
                "(from 0) among them. A proof decides alone, so no bound of votes holds. Mend verify, and calibrate again with "
                "another --out."
            )
        for step in steps:
            pool = self._pool(PoolName(step.model, request.temperature))
            pool.max_tokens = request.max_tokens.get(step.model)
            self._add(pool, f"step {step.step}", _row_of(step, (str(path), 0)))

    def _pool(self, name: PoolName) -> Pool:
        return self.pools.setdefault(name, Pool(name))

    def _add(self, pool: Pool, name: str, row: Row) -> None:
        """Add a row to its pool, if it does not contradict what is there."""
        before = self._truths.setdefault(name, row)
        for what, old, new in (("truth", before.truth, row.truth), ("text", before.text, row.text)):
            if None not in {old, new} and old != new:
                raise UsageError(
                    f"{_place(row.where)}: the row {visible(name)[:60]} has another {what} than in {_place(before.where)}. "
                    "Give each row a name of its own, and the same row the same name in all files."
                )
        there = pool.rows.setdefault(name, row)
        if there is row:
            return
        if (there.sequence, there.wrong) != (row.sequence, row.wrong):
            raise UsageError(
                f"{_place(row.where)}: the row {visible(name)[:60]} stands in {_place(there.where)} with other samples. "
                "Put all samples of a row on one line, in the order in which they were drawn."
            )
        self._twice += 1

    def _candidate(self, value: Any) -> str | None:
        try:
            return self._one(canonical(value))
        except ValueError:
            return None

    def _one(self, text: str) -> str:
        return self._same.setdefault(text, text)


def _written(candidates: Sequence[str | None], truth: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the samples as a sequence, and the wrong answers in it."""
    places: dict[str | None, str] = {None: FLAG}
    if truth is not None:
        places[truth] = RIGHT
    wrong: list[str] = []
    written = []
    for candidate in candidates:
        character = places.get(candidate)
        if character is None:
            wrong.append(str(candidate))
            places[candidate] = character = chr(1 + len(wrong))
        written.append(character)
    return "".join(written), tuple(wrong)


def _row_of(step: StepSamples, where: tuple[str, int]) -> Row:
    right = None if step.right is None else (step.candidates[step.right] if step.candidates else "the right answer")
    candidates = [
        None if isinstance(each, str) else step.candidates[each] if step.candidates else right for each in step.sequence
    ]
    sequence, wrong = _written(candidates, right)
    return Row(sequence, wrong, right if step.candidates else None, None, where)


def _lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not empty, with their numbers."""
    try:
        if kind := odd_kind(path):
            raise UsageError(f"{path} is {kind}: give the name of a file of votes.")
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if text := line.decode("utf-8-sig" if number == 1 else "utf-8").strip():
                    yield number, text
    except UnicodeDecodeError:
        raise UsageError(f"{path}, line {number}: this is not UTF-8. Save the votes as JSON lines in UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _object_of(line: str, where: tuple[str, int]) -> dict[str, Any]:
    try:
        found = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _odd(where, f"it is not JSON ({visible(str(error))[:100]})") from None
    if not isinstance(found, dict):
        raise _odd(where, "it is not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _odd(where: tuple[str, int], why: str) -> UsageError:
    return UsageError(f'{_place(where)}: {why}. A row is {{"row": 0, "truth": "18", "res": ["18", null, "20"]}}.')


def _place(where: tuple[str, int]) -> str:
    path, line = where
    return f"{path}, line {line}" if line else path


def _notes_of(pool: Pool) -> Iterator[str]:
    """Yield a sentence about each thing that is odd about the rows of a pool."""
    rows = pool.rows.values()
    if short := sum(len(row.sequence) < pool.samples for row in rows):
        yield (
            f"{pool.name}: {short:,} of {len(rows):,} rows have fewer than {pool.samples} samples. Where their ballots do not "
            "end, they count as wrong in the bounds, so that nothing is assumed about them."
        )
    texts = Counter(row.text for row in rows if row.text is not None)
    if twice := sum(number for number in texts.values() if number > 1):
        yield (f"{pool.name}: {twice:,} rows ask what another row asks. If these were copied, the bounds are too low.")
    votes = [row for row in rows if row.sequence.strip(FLAG)]
    if votes and not any(RIGHT in row.sequence for row in votes):
        yield f'{pool.name}: no sample is right. See that truths and answers are written alike (18 is not "18").'
