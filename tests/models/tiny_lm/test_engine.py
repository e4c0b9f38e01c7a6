"""The engine: what is in a batch, or guessed, changes no reply, and what goes wrong in it reaches all who wait."""

from dataclasses import fields, replace
from typing import Any

import pytest

from maker_graph.models.tiny_lm import Ask, Completion, Engine, TinyChatModel, shared_engine
from maker_graph.models.tiny_lm.engine import WEIGHTS
from maker_graph.models.tiny_lm.network import Network, load
from maker_graph.models.tiny_lm.tokenizer import WINDOW
from maker_graph.tasks import Hanoi

pytestmark = pytest.mark.xdist_group("tiny")  # its samples are drawn once


TEN = Hanoi(10)


def prompt(task: Hanoi, step: int) -> Any:
    return task.prompt(task.state_at(step))


def asks(task: Hanoi, steps: range, temperature: float = 1.0) -> list[Ask]:
    return [Ask(prompt(task, step)[-1][1], temperature, seed=step) for step in steps]


def answered(asked: list[Ask], engine: Engine | None = None) -> list[Completion]:
    futures = [(engine or shared_engine()).submit(each) for each in asked]
    return [future.result(60) for future in futures]


def test_what_else_is_in_the_batch_changes_no_token() -> None:
    hot = asks(TEN, range(1, 161, 2), 2.0) + asks(Hanoi(4), range(15), 2.0) + [Ask("Hello?", 2.0, seed=9)]
    alone = Engine(load(WEIGHTS))
    one_by_one = [answered([each], alone)[0] for each in hot]
    together = answered(hot, Engine(load(WEIGHTS)))
    assert sum(reply.output_tokens for reply in one_by_one) > 2000
    assert one_by_one == together
    assert one_by_one[::-1] == answered(hot[::-1], Engine(load(WEIGHTS)))


def test_tokens_that_are_guessed_change_no_reply() -> None:
    asked = [replace(each, stop=stop) for each in asks(TEN, range(0, 1023, 9), 1.2) for stop in ((), ("8, 7",))]
    asked += [replace(each, max_tokens=cap, temperature=0.0) for each in asks(TEN, range(40)) for cap in (3, 25)]
    asked += [Ask("0 -> 1 -> 2 " * 99, 1.0, seed=seed) for seed in range(20)]
    plain = answered(asked, Engine(load(WEIGHTS), guessed=0))
    assert plain == answered(asked, Engine(load(WEIGHTS)))
    assert plain == answered(asked[::-1], Engine(load(WEIGHTS), guessed=1))[::-1]
    assert plain[:30] == [answered([each], Engine(load(WEIGHTS), guessed=99))[0] for each in asked[:30]]


def test_a_reply_takes_half_as_many_passes_as_it_has_tokens() -> None:
    passes = 0

    class Counting(Network):
        def follow(self, tokens: Any, at: Any, memory: Any) -> Any:
            nonlocal passes
            passes += 1
            return super().follow(tokens, at, memory)

    plain = load(WEIGHTS)
    engine = Engine(Counting(**{each.name: getattr(plain, each.name) for each in fields(plain)}))
    tokens = sum(answered([each], engine)[0].output_tokens for each in asks(TEN, range(0, 1023, 50)))
    assert 0 < passes < 0.65 * tokens


def test_at_temperature_0_the_likeliest_token_is_taken() -> None:
    cold, cool = (answered([Ask(each.prompt, heat, seed=1) for each in asks(TEN, range(99))]) for heat in (0.0, 0.001))
    assert cold == answered([Ask(each.prompt, 0.0, seed=2) for each in asks(TEN, range(99))])
    assert cold == cool
    assert TinyChatModel(temperature=0).invoke(prompt(TEN, 5)).text == cold[5].text


@pytest.mark.parametrize("text", ["", "Hello!", "\x00\ud800 [[", "9" * 5000, prompt(Hanoi(30), 77)[-1][1]])
def test_any_prompt_gets_a_reply(text: str) -> None:
    reply = answered([Ask(text, 1.0, seed=1)])[0]
    assert reply.input_tokens <= WINDOW


def test_what_goes_wrong_in_a_batch_reaches_all_who_wait_and_nobody_after() -> None:
    engine = Engine(load(WEIGHTS))
    good, bad = asks(TEN, range(4)), Ask("Hello?", "hot")  # type: ignore[arg-type]  # nobody checked it
    futures = [engine.submit(each) for each in [*good, bad]]
    assert isinstance(futures[-1].exception(60), TypeError | ValueError)
    assert all(future.done() or future.exception(60) for future in futures)
    assert answered(good, engine) == answered(good)
