"""The simulated model errs as its profile says, and depends on nothing but what it sees."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from maker_graph.errors import UsageError
from maker_graph.models.simulation import Replies, Simulator, profile_of
from maker_graph.models.simulation.model import simulated
from maker_graph.models.simulation.simulator import LEARNED, LONGEST_DRAFT
from maker_graph.tasks import Hanoi
from maker_graph.tasks.hanoi import HanoiState

N = 4000


def prompts(disks: int) -> list[list[tuple[str, str]]]:
    task, simulator = Hanoi(disks), Simulator(profile_of("perfect"))
    state: HanoiState = task.start()
    result = []
    for _ in range(task.total()):
        prompt: Any = task.prompt(state)
        result.append([("system", prompt[0][1]), ("human", prompt[1][1])])
        answer: Any = task.parse(simulator.reply(result[-1], seed=1, max_tokens=None).text)
        state = task.apply(state, answer)
    return result


PROMPT = prompts(4)[3]


def outcomes(text: str, prompt: list[tuple[str, str]] = PROMPT, cap: int | None = None) -> Counter[str]:
    simulator = Simulator(profile_of(text))
    right = simulator._replies(prompt).right
    counter: Counter[str] = Counter()
    for seed in range(N):
        reply = simulator.reply(prompt, seed=seed, max_tokens=cap)
        if reply.refusal:
            counter["refused"] += 1
        elif reply.finish == "length":
            counter["truncated"] += 1
        elif reply.text == right:
            counter["right"] += 1
        else:
            counter["malformed" if right.startswith(reply.text) else "other"] += 1
    return counter


def test_perfect_is_always_right() -> None:
    assert outcomes("perfect", cap=750) == {"right": N}


def test_errors_and_flags_come_as_often_as_the_profile_says() -> None:
    counter = outcomes("perfect,error=0.2,flagged=0.1", cap=2048)
    assert counter["truncated"] == pytest.approx(0.05 * N, rel=0.25)
    assert counter["malformed"] == pytest.approx(0.04 * 0.8 * N, rel=0.35)
    assert counter["refused"] == pytest.approx(0.01 * N, rel=0.6)
    assert counter["right"] == pytest.approx(0.9 * 0.8 * N, rel=0.03)


def test_the_favourite_wrong_answer_is_legal_and_as_frequent_as_it_should_be() -> None:
    simulator, task = Simulator(profile_of("perfect,error=1,favourite=0.7")), Hanoi(4)
    texts = Counter(simulator.reply(PROMPT, seed=seed, max_tokens=None).text for seed in range(N))
    text, number = texts.most_common(1)[0]
    assert number == pytest.approx(0.7 * N, rel=0.05)
    assert len(texts) > 2
    answer: Any = task.parse(text)
    assert answer["move"] != task.parse(simulator._replies(PROMPT).right)["move"]  # type: ignore[index,call-overload]


def test_a_reply_that_rambles_is_cut_at_the_cap_and_without_one_is_long() -> None:
    simulator = Simulator(profile_of("perfect,flagged=1"))
    seed = next(s for s in range(99) if simulator.reply(PROMPT, seed=s, max_tokens=None).output_tokens > 2048)
    cut = simulator.reply(PROMPT, seed=seed, max_tokens=750)
    assert (cut.finish, cut.output_tokens) == ("length", 750)
    assert cut.text != simulator.reply(PROMPT, seed=seed, max_tokens=None).text


def test_a_reply_ends_before_a_stop_sequence_and_is_no_cut_one() -> None:
    model = simulated("perfect", {"?": ["first line\nsecond line", "no"]}).simulator
    whole = model.reply([("human", "?")], seed=1, max_tokens=None)
    stopped = model.reply([("human", "?")], seed=1, max_tokens=None, stop=("second", "\n", "never"))
    assert (stopped.text, stopped.finish) == ("first line", "stop")
    assert 0 < stopped.output_tokens < whole.output_tokens
    assert model.reply([("human", "?")], seed=1, max_tokens=None, stop=("never",)) == whole
    assert model.reply([("human", "?")], seed=1, max_tokens=None, stop=("first",)).text == ""


@pytest.mark.parametrize("rho", [0.05, 0.3])
def test_errors_of_one_step_are_correlated_as_the_profile_says(rho: float) -> None:
    """E[theta^2] of a Beta distribution with mean m and within-step correlation rho is m^2 + rho m (1 - m)."""
    simulator = Simulator(profile_of(f"perfect,error=0.1,rho={rho}"))
    thetas = [simulator.difficulty([("human", str(number))]) for number in range(20_000)]
    assert sum(thetas) / len(thetas) == pytest.approx(0.1, rel=0.05)
    assert sum(theta**2 for theta in thetas) / len(thetas) == pytest.approx(0.01 + rho * 0.09, rel=0.06)


def test_a_reply_depends_on_prompt_and_seeds_only() -> None:
    one, two = (Simulator(profile_of("gpt-4.1-nano"), seed=3) for _ in range(2))
    forwards = [one.reply(prompt, seed=5, max_tokens=750) for prompt in prompts(3)]
    backwards = [two.reply(prompt, seed=5, max_tokens=750) for prompt in reversed(prompts(3))]
    assert forwards == backwards[::-1]
    assert forwards != [one.reply(prompt, seed=6, max_tokens=750) for prompt in prompts(3)]


def test_without_a_seed_samples_differ() -> None:
    simulator = Simulator(profile_of("perfect,error=0.5"))
    assert len({simulator.reply(PROMPT, seed=None, max_tokens=None).text for _ in range(60)}) > 1


def test_a_prompt_nobody_rehearsed_is_refused_and_a_rehearsal_teaches_it() -> None:
    class Sums:
        def replies(self, prompt: Any) -> Replies | None:
            return Replies("2", ["3"]) if prompt[-1][1] == "1 + 1?" else None

    with pytest.raises(UsageError, match="rehearsal"):
        Simulator(profile_of("perfect")).reply([("human", "1 + 1?")], seed=1, max_tokens=None)
    taught = Simulator(profile_of("perfect"), rehearsals=[Sums()])
    assert taught.reply([("human", "1 + 1?")], seed=1, max_tokens=None).text == "2"


def test_what_was_learned_of_a_prompt_comes_first_is_asked_once_and_the_last_prompts_are_kept() -> None:
    asked: list[int] = []

    def lesson(n: int) -> Callable[[], Replies]:
        def make() -> Replies:
            asked.append(n)
            return Replies(str(n), [])

        return make

    model = Simulator(profile_of("perfect"))
    for n in range(LEARNED + 1):
        model.learn([("human", str(n))], lesson(n))
    for _ in range(3):
        assert model.reply([("human", "7")], seed=None, max_tokens=None).text == "7"
    assert asked == [7]
    with pytest.raises(UsageError, match="rehears"):
        model.knows([("human", "0")])
    model.learn([("human", "7")], lesson(8))  # another task asks the same
    assert model.reply([("human", "7")], seed=None, max_tokens=None).text == "8"


@pytest.mark.parametrize(
    ("profile", "error", "share"),
    [("error=0.2", None, 0.2), ("error=0.2", 0.6, 0.6), ("error=0.2", 0.0, 0.0), ("error=1", 0.5, 0.5), ("error=0", 0.5, 0.0)],
)
def test_a_rehearsal_says_how_hard_a_step_is_but_not_to_a_model_without_error(
    profile: str, error: float | None, share: float
) -> None:
    class Hard:
        def replies(self, _: object) -> Replies:
            return Replies("right", ["wrong"], error)

    model = Simulator(profile_of(f"perfect,{profile}"), rehearsals=[Hard()])
    wrong = sum(model.reply(PROMPT, seed=seed, max_tokens=None).text == "wrong" for seed in range(2000))
    assert wrong / 2000 == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        (Replies("a", [], 1.0), "none was rehearsed"),
        (Replies("a", ["b"], 2.0), "between 0 and 1"),
        (Replies("a", ["b"], math.nan), "between 0 and 1"),
        (Replies("a", "bc"), "must be Replies"),
        (Replies(1, [2]), "must be Replies"),  # type: ignore[arg-type, list-item]  # that is what is wrong
        ("ab", "must be Replies"),
        ({"right": "a", "wrong": ["b"]}, "must be Replies"),
        (None, "must be Replies"),
    ],
)
def test_what_is_wrong_with_rehearsed_replies_is_told(replies: Any, says: str) -> None:
    class Knows:
        def replies(self, _: Any) -> Any:
            return replies

    told = Simulator(profile_of("perfect,error=0.5"))
    told.learn(PROMPT, lambda: replies)
    for model in (told, Simulator(profile_of("perfect,error=0.5"), rehearsals=[Knows()] if replies else ())):
        if replies or model is told:
            with pytest.raises(UsageError, match=says):
                model.reply(PROMPT, seed=1, max_tokens=None)


def draft_asked(n: int | str, pegs: str = "[[3, 2, 1], [], []]") -> list[tuple[str, str]]:
    text = f"List the next {n} moves.\nin the order 0 -> 2 -> 1 -> 0\nPrevious move: none\nCurrent state: {pegs}"
    return [("human", text)]


@pytest.mark.parametrize("max_tokens", [None, 10**9])
def test_a_draft_is_bounded_however_many_moves_are_asked_for(max_tokens: int | None) -> None:
    model = Simulator(profile_of("perfect"))
    reply = model.reply(draft_asked(300_000_000), seed=1, max_tokens=max_tokens)
    assert len(reply.text.splitlines()) == LONGEST_DRAFT
    assert model.reply(draft_asked(300_000_000), seed=1, max_tokens=45).text == "\n".join(reply.text.splitlines()[:3])


def test_a_draft_of_a_rehearsal_that_lists_without_end_is_bounded_too() -> None:
    class Endless:
        def replies(self, _: object) -> None:
            return None

        def draft(self, *_: object) -> Iterator[str]:
            return map(str, count())

    reply = Simulator(profile_of("perfect"), rehearsals=[Endless()]).reply([("human", "?")], seed=1, max_tokens=None)
    assert len(reply.text.splitlines()) == LONGEST_DRAFT


@pytest.mark.parametrize(
    ("n", "pegs"),
    [(3, "[" * 50_000 + "]"), (3, "[[1, [], []]"), (3, "[[], [], []]"), (3, '[["a"], [1], []]')],
    ids=["depth", "no JSON", "no disks", "texts"],
)
def test_what_is_no_question_is_an_error_of_use(n: int | str, pegs: str) -> None:
    with pytest.raises(UsageError):
        Simulator(profile_of("perfect")).reply(draft_asked(n, pegs), seed=1, max_tokens=None)
