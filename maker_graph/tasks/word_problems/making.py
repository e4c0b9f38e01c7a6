"""Makes problems, which are the same for the same seed on any machine.

The numbers are drawn first, so the right answers are known. Each problem is then worked out backwards, from its last value to a
number in its first sentence, as a second proof of these answers.

Every right value is a whole number of at least 1.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple, TypeAlias, TypeVar, assert_never

from maker_graph.errors import UsageError
from maker_graph.tasks.word_problems.problems import PLAIN, Kind, Problem, Quantity, Step, Unit, unit
from maker_graph.verify import read_value

PEOPLE = ("Ann", "Ben", "Cora", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ida", "Jon")
THINGS = ("pen", "apple", "egg", "book", "card", "stamp", "shell", "cookie", "flower", "marble")
TOKENS = ("sticker", "token", "ticket", "badge", "star", "button")
HOLDERS = ("bag", "crate", "jar", "basket", "tray")
PERCENTS = (5, 10, 20, 25, 40, 50, 60, 75, 80)
LETTERS = "xyzuvwbcdfghkmnqrst"

ATTEMPTS = 1_000
"""How often the numbers of a problem are drawn before it is given up. Some draws fail: no divisor may fit a number."""

MOST_PARTS = 1_000
"""The most parts into which the value of an earlier step is shared."""

GROWTH = 50
"""A product is asked for only if the value before it is at most so many times the largest number that may be drawn."""

_T = TypeVar("_T")


class Dice:
    """Random draws that depend only on `name` and on the number of the draw."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._drawn = 0

    def below(self, number: int) -> int:
        """Return a number from 0 to `number` - 1."""
        self._drawn += 1
        return int.from_bytes(hashlib.sha256(f"{self._name} {self._drawn}".encode()).digest()) % number

    def between(self, least: int, most: int) -> int:
        """Return a number from `least` to `most`, or `least` if that is larger."""
        return least + self.below(max(1, most - least + 1))

    def pick(self, among: Sequence[_T]) -> _T:
        """Return one of `among`."""
        return among[self.below(len(among))]

    def share(self) -> float:
        """Return a number from 0 to 1, without 1."""
        return self.below(1 << 32) / (1 << 32)


class Sizes(NamedTuple):
    """The sizes of the problems.

    Attributes:
        kinds: the kinds of steps.
        steps: the number of steps of each problem.
        numbers: the largest number that is drawn for a sentence. Shares and percentages are taken of larger numbers.
        seed: the seed of all draws.
    """

    kinds: tuple[Kind, ...]
    steps: int
    numbers: int
    seed: int


def made(number: int, sizes: Sizes, attempts: int = ATTEMPTS) -> Problem:
    """Return problem `number`, from 0, which is the same for any number of `attempts` that suffices.

    Raises:
        UsageError: no problem with so many steps can be made of these kinds with such small numbers.
    """
    for attempt in range(attempts):
        dice = Dice(f"word problem {sizes.seed} {number} {attempt}")
        problem = _drawn(dice, sizes)
        if problem is not None:
            assert all(problem.backwards()), problem  # noqa: S101  otherwise the right answers would be wrong
            return problem
    raise UsageError(
        f"No word problem of {sizes.steps} steps can be made of {', '.join(sizes.kinds)} with numbers up to {sizes.numbers}: "
        "name more kinds, raise numbers, or lower steps."
    )


class _Story(NamedTuple):
    """Who has what so far; `last` is how many, None before the first sentence."""

    who: str
    thing: str
    holder: str
    token: str
    letter: str
    last: int | None
    numbers: int

    @property
    def has(self) -> str:
        return f"{self.who} has {{value}} {self.thing}s."

    @property
    def asks(self) -> str:
        return f"How many {self.thing}s does {self.who} have then?"


def _drawn(dice: Dice, sizes: Sizes) -> Problem | None:
    who, thing, holder = dice.pick(PEOPLE), dice.pick(THINGS), dice.pick(HOLDERS)
    others = [each for each in HOLDERS if each != holder]
    steps: list[Step] = []
    last: int | None = None
    tokens = [*TOKENS]
    for place in range(sizes.steps):
        token = tokens[dice.below(len(tokens))]
        holder = others[place % len(others)] if place else holder  # so that "each bag" is not one of an earlier sentence
        story = _Story(who, thing, holder, token, _letter(place), last, sizes.numbers)
        step = _step(dice, dice.pick(sizes.kinds), story)
        if step is None:
            return None
        steps.append(step)
        if step.kind == "rate" and last is not None:
            thing = token
            tokens = [each for each in TOKENS if each != token]
        last = int(read_value(step.right(None if last is None else Fraction(last))))
    return Problem(tuple(steps))


def _letter(place: int) -> str:
    """Return the name of the unknown at a step, which differs for each step of a problem."""
    round_, letter = divmod(place, len(LETTERS))
    return LETTERS[letter] + (str(round_ + 1) if round_ else "")


def _step(dice: Dice, kind: Kind, story: _Story) -> Step | None:  # noqa: PLR0911  one for each kind
    """Return a step of this kind, or None if the numbers do not fit it."""
    large = story.last is not None and story.last > GROWTH * story.numbers
    match kind:
        case "sum":
            return _sum(dice.between(2, story.numbers), dice.between(2, story.numbers), story)
        case "difference":
            before = story.last or dice.between(3, max(3, story.numbers))
            return None if before < 3 else _difference(before, dice.between(2, min(before - 1, story.numbers)), story)
        case "product":
            return None if large else _product(dice.between(2, story.numbers), dice.between(2, story.numbers), story)
        case "share":
            return _share(dice, story)
        case "rate":
            return None if large else _rate(dice.between(2, story.numbers), dice.between(2, story.numbers), story)
        case "percent":
            return _percent(dice, story)
        case "equation":
            return _equation(dice, story)
        case _:
            assert_never(kind)


_Stated: TypeAlias = tuple[tuple[int, Unit], ...]
"""The numbers in a sentence, each with its unit."""


def _quantities(*pairs: tuple[int, Unit]) -> tuple[Quantity, ...]:
    return tuple(Quantity(Fraction(value), of) for value, of in pairs)


_BACK = {"+": "-", "-": "+", "*": "/", "/": "*"}
"""Operator -> the operator that undoes it."""


def _worked_out(kind: Kind, text: str, stated: _Stated, calculation: tuple[str, str, int], story: _Story, *, of: Unit) -> Step:
    """Return a step that is one calculation, which consists of the first number, an operator, and another number."""
    begins, sign, other = calculation
    return Step(
        kind=kind,
        text=text,
        question=story.asks,
        said=story.has,
        stated=_quantities(*stated),
        unit=of,
        kept=of,
        operands=(begins, str(other)),
        expression=f"{begins} {sign} {other}",
        back=f"{{value}} {_BACK[sign]} {other}",
    )


def _sum(first: int, more: int, story: _Story) -> Step:
    who, thing, of = story.who, story.thing, unit(story.thing)
    stated: _Stated
    if story.last is None:
        text, stated, begins = f"{who} has {first} {thing}s and finds {more} more.", ((first, of), (more, of)), str(first)
    else:
        text, stated, begins = f"Then {who} gets {more} more {thing}s.", ((more, of),), "{last}"
    return _worked_out("sum", text, stated, (begins, "+", more), story, of=of)


def _difference(before: int, less: int, story: _Story) -> Step:
    who, thing, of = story.who, story.thing, unit(story.thing)
    stated: _Stated
    if story.last is None:
        text, stated, begins = f"{who} has {before} {thing}s and gives away {less}.", ((before, of), (less, of)), str(before)
    else:
        text, stated, begins = f"Then {who} gives away {less} {thing}s.", ((less, of),), "{last}"
    return _worked_out("difference", text, stated, (begins, "-", less), story, of=of)


def _product(first: int, each: int, story: _Story) -> Step:
    who, thing, holder, of = story.who, story.thing, story.holder, unit(story.thing)
    stated: _Stated
    if story.last is None:
        text = f"{who} buys {first} {holder}s of {thing}s. Each {holder} holds {each} {thing}s."
        stated, begins = ((first, unit(holder)), (each, unit(f"{thing}/{holder}"))), str(first)
    else:
        text, stated, begins = f"Later {who} has {each} times as many {thing}s.", ((each, PLAIN),), "{last}"
    return _worked_out("product", text, stated, (begins, "*", each), story, of=of)


def _share(dice: Dice, story: _Story) -> Step | None:
    who, thing, holder, of = story.who, story.thing, story.holder, unit(story.thing)
    stated: _Stated
    if story.last is None:
        parts = dice.between(2, story.numbers)
        whole = parts * dice.between(2, story.numbers)
        text = f"{who} puts {whole} {thing}s into {parts} {holder}s, the same number in each, and keeps one {holder}."
        stated, begins = ((whole, of), (parts, unit(holder))), str(whole)
    else:
        divisors = [each for each in range(2, min(story.numbers, MOST_PARTS) + 1) if story.last % each == 0]
        if not divisors:
            return None
        parts = dice.pick(divisors)
        text = f"Then {who} puts the {thing}s into {parts} {holder}s, the same number in each, and keeps one {holder}."
        stated, begins = ((parts, unit(holder)),), "{last}"
    made_of = _worked_out("share", text, stated, (begins, "/", parts), story, of=of)
    return replace(made_of, question=f"How many {thing}s are in each {holder}?", unit=unit(f"{thing}/{holder}"))


def _rate(first: int, each: int, story: _Story) -> Step:
    who, thing, token, of = story.who, story.thing, story.token, unit(story.thing)
    stated: _Stated
    if story.last is None:
        text = f"{who} collects {first} {thing}s a day, for {each} days."
        question, said = f"How many {thing}s does {who} collect?", story.has
        stated, begins = ((first, unit(f"{thing}/day")), (each, unit("day"))), str(first)
    else:
        text = f"Then {who} swaps all the {thing}s: each {thing} brings {each} {token}s."
        question, said = f"How many {token}s does {who} get?", f"{who} has {{value}} {token}s."
        stated, begins, of = ((each, unit(f"{token}/{thing}")),), "{last}", unit(token)
    return replace(_worked_out("rate", text, stated, (begins, "*", each), story, of=of), question=question, said=said)


def _percent(dice: Dice, story: _Story) -> Step | None:
    who, thing, of = story.who, story.thing, unit(story.thing)
    stated: _Stated
    if story.last is None:
        part = dice.pick(PERCENTS)
        least = (100 / Fraction(part)).numerator
        whole = least * dice.between(1, max(1, story.numbers // least))
        text = f"{who} has {whole} {thing}s. {part}% of them are red, and {who} keeps only those."
        stated, begins = ((whole, of), *_hundredths(part)), str(whole)
    else:
        parts = [each for each in PERCENTS if story.last * each % 100 == 0]
        if not parts:
            return None
        part = dice.pick(parts)
        text = f"Then {who} keeps {part}% of the {thing}s, and gives away the others."  # those that were kept may all be red
        stated, begins = _hundredths(part), "{last}"
    return Step(
        kind="percent",
        text=text,
        question=f"How many {thing}s does {who} keep?",
        said=story.has,
        stated=(*_quantities(*stated), Quantity(Fraction(part, 100), PLAIN)),
        unit=of,
        kept=of,
        operands=(begins, str(part)),
        expression=f"{begins} * {part} / 100",
        back=f"{{value}} * 100 / {part}",
    )


def _hundredths(part: int) -> tuple[tuple[int, Unit], ...]:
    """Return the numbers with which a percentage is worked out."""
    return (part, PLAIN), (100, PLAIN)


def _equation(dice: Dice, story: _Story) -> Step | None:
    who, thing, letter, of = story.who, story.thing, story.letter, unit(story.thing)
    times = dice.between(2, max(2, min(9, story.numbers)))
    if story.last is None:
        answer = dice.between(2, story.numbers)
        more = dice.between(1, story.numbers) * dice.pick((1, -1))
        if (whole := times * answer + more) <= 0:
            return None
        text = f"{who} has {letter} {thing}s, and {times}*{letter} {_signed(more)} = {whole}."
        begins, right = str(whole), str(whole)
    else:
        if story.last < times:
            return None
        answer = dice.between(1, story.last // times)
        more = story.last - times * answer
        if not more:
            more, answer = times, answer - 1
        if answer < 1:
            return None
        whole = story.last
        text = (
            f"Then {who} keeps {letter} of the {thing}s, and {times}*{letter} {_signed(more)} is the number of {thing}s before."
        )
        begins, right = "{last}", "{last}"
    return Step(
        kind="equation",
        text=text,
        question=f"What is {letter}?",
        said=story.has,
        stated=_quantities(*(((whole, PLAIN),) if story.last is None else ()), (times, PLAIN), (abs(more), PLAIN)),
        unit=of,
        kept=of,
        operands=(begins, str(abs(more)), str(times)),
        expression=f"({begins} {_signed(-more)}) / {times}",
        back=f"{{value}} * {times} {_signed(more)}",
        equation=f"{times}*{letter} {_signed(more)} = {right}",
        letter=letter,
    )


def _signed(number: int) -> str:
    return f"+ {number}" if number >= 0 else f"- {-number}"
