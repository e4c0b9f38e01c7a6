"""The task `word-problems`: problems of several steps, one equation a step, each verified before it is voted on.

State: `{"problem": 3, "values": ["48", "43"]}`: the number of the problem, from 0, and the values of its first steps.
Answer: `{"equation": "48 - 5 = 43", "value": "43"}`. The vote is on the value, because 4 * 12 and 12 * 4 say the same.

The prompt of a step shows the text of its problem up to this step and the values of the steps before, and nothing of other
problems. So a wrong value spoils the rest of its problem, but no other problem.
"""

import re
from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from functools import lru_cache

from typing_extensions import TypedDict

from maker_graph.core import checks
from maker_graph.core.canonical import JSON
from maker_graph.core.task import Prompt
from maker_graph.core.verifying import Verification
from maker_graph.errors import UsageError
from maker_graph.tasks.word_problems.making import Dice, Sizes, made
from maker_graph.tasks.word_problems.mistakes import arithmetic_slips, setup_slips
from maker_graph.tasks.word_problems.problems import KINDS, Kind, Problem, Step
from maker_graph.tasks.word_problems.verifying import verified
from maker_graph.verify import Unreadable, number_text, read_expression, read_relation, value, written
from maker_graph.verify.trees import Expression, Negative, Number, Operation

EXAMPLES = """\
Each question is answered by one equation: a calculation with numbers that are known, "=", and its value.

Problem: Lea has 9 nuts and finds 4 more.
Question: How many nuts does Lea have then?
Equation: 9 + 4 = 13

Problem: Max has 15 keys and gives away 6.
Question: How many keys does Max have then?
Equation: 15 - 6 = 9

Problem: Zoe buys 5 sacks of rings. Each sack holds 8 rings.
Question: How many rings does Zoe have then?
Equation: 5 * 8 = 40

Problem: Lea has 9 nuts and finds 4 more. Then Lea gives away 3 nuts.
So far: Lea has 13 nuts.
Question: How many nuts does Lea have then?
Equation: 13 - 3 = 10

Problem: Tom puts 42 pears into 6 bowls, the same number in each, and keeps one bowl.
Question: How many pears are in each bowl?
Equation: 42 / 6 = 7

Problem: Tom puts 42 pears into 6 bowls, the same number in each, and keeps one bowl. Then Tom gets 11 more pears.
So far: Tom has 7 pears.
Question: How many pears does Tom have then?
Equation: 7 + 11 = 18

Problem: Max has x keys, and 4*x + 3 = 51.
Question: What is x?
Equation: (51 - 3) / 4 = 12

Problem: Zoe collects 6 rings a day, for 7 days.
Question: How many rings does Zoe collect?
Equation: 6 * 7 = 42

Problem: Max has 15 keys and gives away 6. Later Max has 3 times as many keys.
So far: Max has 9 keys.
Question: How many keys does Max have then?
Equation: 9 * 3 = 27

Problem: Lea has 60 nuts. 25% of them are red, and Lea keeps only those.
Question: How many nuts does Lea keep?
Equation: 60 * 25 / 100 = 15

Problem: Tom has 8 pears and gives away 2. Then Tom swaps all the pears: each pear brings 4 coins.
So far: Tom has 6 pears.
Question: How many coins does Tom get?
Equation: 6 * 4 = 24

"""

MOST_NUMBER = 1_000_000
"""The largest value of the option `numbers`."""

PATIENCE = 100_000
"""How often a later problem is drawn before it is given up. The first ones have shown that problems can be made."""

MOST_CHARACTERS = 300
"""The most characters of the line with the equation."""

_LABEL = re.compile(r"^(?:equation|answer)\s*:\s*", re.IGNORECASE)
_NAMED = re.compile(r"^[A-Za-z][A-Za-z _]*=(?=[^=]*=[^=]*$)")  # "pens = 4 * 12 = 48"


class WordState(TypedDict):
    """Which problem, from 0, and the values of its steps so far, each an exact number as text."""

    problem: int
    values: list[str]


class WordAnswer(TypedDict):
    """The equation as it was written, and its value, an exact number as text."""

    equation: str
    value: str


class WordProblems:
    """A number of problems with the same number of steps, one after the other.

    >>> task = WordProblems(problems=1, steps=2, kinds="product,difference", problem_seed=6)
    >>> task.problem(0).text
    'Ben has 14 flowers and gives away 6. Later Ben has 18 times as many flowers.'
    >>> task.truth(task.start())
    {'equation': '14 - 6 = 8', 'value': '8'}

    Attributes:
        options: the options with which the task was made.
        problems: how many problems there are.
        first: how many problems come before these; 0 unless this is a slice.
        sizes: the sizes of the problems.
    """

    def __init__(
        self,
        problems: int = 10,
        *,
        steps: int = 3,
        kinds: str = "all",
        numbers: int = 20,
        problem_seed: int = 0,
        verify: bool = True,
        arithmetic: float = 0.5,
        unison: float = 0.0,
    ) -> None:
        """Make the problems.

        Args:
            problems: the number of problems.
            steps: the number of steps of each problem.
            kinds: the kinds of steps, with commas between them, or all.
            numbers: the largest number that is drawn for a sentence, from 3 to 1,000,000.
            problem_seed: a number; each gives other problems of the same sizes.
            verify: whether answers are verified; if not, the same steps are only voted on.
            arithmetic: for simulated models, the share of the steps on which their mistakes are of arithmetic. On the others
                the mistakes are of set-up.
            unison: for simulated models, the share of the steps on which all samples make the same mistake.

        Raises:
            UsageError: an option is out of range, or no such problem can be made.
        """
        checks.whole("problems", problems)
        checks.whole("steps", steps)
        if checks.whole("numbers", numbers, 3) > MOST_NUMBER:
            raise UsageError(f"numbers must be at most {MOST_NUMBER:,}.")
        checks.whole("problem_seed", problem_seed, 0)
        checks.switch("verify", verify)
        for name, share in (("arithmetic", arithmetic), ("unison", unison)):
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise UsageError(f"{name} must be a share from 0 to 1, not {share!r}.")
        self.options: dict[str, JSON] = {
            "problems": problems,
            "steps": steps,
            "kinds": kinds,
            "numbers": numbers,
            "problem_seed": problem_seed,
            "verify": verify,
            "arithmetic": arithmetic,
            "unison": unison,
        }
        self.sizes = Sizes(_kinds(kinds), steps, numbers, problem_seed)
        self.problems, self.first, self._arithmetic, self._unison = problems, 0, arithmetic, unison
        self._made = lru_cache(64)(lambda number: made(number, self.sizes, PATIENCE))
        for number in range(min(problems, 20)):
            made(number, self.sizes)  # so that an error comes at once
        if verify:
            self.verify = self._verify

    def problem(self, number: int) -> Problem:
        """Return a problem, by its number from 0."""
        return self._made(number)

    def some(self, first: int, problems: int) -> "WordProblems":
        """Return the task of `problems` of the problems, those after the first `first` ones."""
        found = copy(self)
        found.first, found.problems = first, problems
        return found

    def start(self) -> WordState:
        """Return the state before the first step of the first problem."""
        return {"problem": self.first, "values": []}

    def total(self) -> int:
        """Return the number of steps of all problems."""
        return self.problems * self.sizes.steps

    def done(self, state: WordState) -> bool:
        """Say whether all problems are solved."""
        return state["problem"] == self.first + self.problems

    def prompt(self, state: WordState) -> Prompt:
        """Return solved examples, the problem up to the step, the values so far, and the question."""
        problem, step = self._at(state)
        said = " ".join(each.said.format(value=value) for each, value in zip(problem.steps, state["values"], strict=False))
        so_far = f"So far: {said}\n" if said else ""
        return f"{EXAMPLES}Problem: {problem.told(len(state['values']) + 1)}\n{so_far}Question: {step.question}\nEquation:"

    def parse(self, text: str) -> JSON:
        """Return the equation on the last line of a reply, and its value.

        The text behind its last "=" must be a number. `verify` says whether the rest can be read.

        Raises:
            ValueError: there is no equation, or the text behind its last "=" is not a number.
        """
        lines = text.strip().splitlines() or [""]
        line = _LABEL.sub("", lines[-1].strip()).removesuffix(".")
        if len(line) > MOST_CHARACTERS:
            raise ValueError(f"a line of more than {MOST_CHARACTERS} characters")
        line = _NAMED.sub("", line).strip()
        return {"equation": line, "value": number_text(value(_behind(line)))}

    def key(self, answer: WordAnswer) -> JSON:
        """Return the value: equations with the same value are the same vote."""
        return answer["value"]

    def apply(self, state: WordState, answer: WordAnswer) -> WordState:
        """Return the state with one more value, or before the next problem."""
        values = [*state["values"], answer["value"]]
        if len(values) == self.sizes.steps:
            return {"problem": state["problem"] + 1, "values": []}
        return {"problem": state["problem"], "values": values}

    def state_at(self, step: int) -> WordState:
        """Return the state after `step` right steps.

        Raises:
            UsageError: there is no such step.
        """
        if not 0 <= step <= self.total():
            raise UsageError(f"There are {self.total()} steps: there is no state after {step}.")
        number, place = divmod(step, self.sizes.steps)
        values = self._made(self.first + number).values()[:place] if place else []
        return {"problem": self.first + number, "values": [number_text(each) for each in values]}

    def truth(self, state: WordState) -> WordAnswer:
        """Return the right answer, given the values so far."""
        _, step = self._at(state)
        expression = step.right(_last(state))
        found = number_text(value(read_expression(expression)))
        return {"equation": f"{expression} = {found}", "value": found}

    def rehearse(self, state: WordState) -> tuple[str, Sequence[str], float | None]:
        """Return what a simulated model may reply: the right equation, and wrong ones of one kind.

        On a step whose samples err in unison, there is one wrong reply, with an error rate of 1.
        """
        problem, step = self._at(state)
        dice = Dice(f"mistakes {self.sizes.seed} {state['problem']} {len(state['values'])}")
        in_unison, of_arithmetic = dice.share() < self._unison, dice.share() < self._arithmetic
        right = self.truth(state)["equation"]
        setups = [] if of_arithmetic else setup_slips(problem, _values(state), dice)
        wrong = setups or arithmetic_slips(step.right(_last(state)))
        return right, wrong[:1] if in_unison else wrong, 1.0 if in_unison else None

    def _verify(self, state: WordState, answer: WordAnswer) -> Verification:
        """Return the verdict on an answer: see `verifying.py`."""
        problem, _ = self._at(state)
        return verified(problem, _values(state), answer)  # type: ignore[arg-type]  # a dict of texts

    def _at(self, state: WordState) -> tuple[Problem, Step]:
        problem = self._made(state["problem"])
        return problem, problem.steps[len(state["values"])]


def _values(state: WordState) -> list[Fraction]:
    return [Fraction(each) for each in state["values"]]


def _last(state: WordState) -> Fraction | None:
    return Fraction(state["values"][-1]) if state["values"] else None


def _behind(line: str) -> Expression:
    """Return the number behind the last "=" of a line. The line as a whole may be readable, as in `$4 = 4$`, or not.

    Raises:
        ValueError: there is no such number.
    """
    sign: str
    try:
        relation = read_relation(line)
        sign, right = relation.sign, relation.right
    except Unreadable:
        left, sign, after = line.rpartition("=")
        if not left.strip() or left[-1] in "<>!":
            raise ValueError('the last line is not an equation, which is a calculation, "=", and its value') from None
        right = read_expression(after)
    match right:
        case Number() | Negative(Number()) | Operation("/", Number() | Negative(Number()), Number()) if sign == "=":
            return right
        case _:
            raise ValueError(f"{written(right)[:80]} is not a number that an expression is equal to")


def _kinds(text: str) -> tuple[Kind, ...]:
    """Return the kinds that a text names.

    Raises:
        UsageError: the text names no kind, or one that does not exist.
    """
    if text == "all":
        return KINDS
    named = [each.strip() for each in text.split(",") if each.strip()] if isinstance(text, str) else []
    if not named or any(each not in KINDS for each in named):
        raise UsageError(f"kinds must be all, or some of {', '.join(KINDS)} with commas between them, not {text!r}.")
    return tuple(each for each in KINDS if each in named)
