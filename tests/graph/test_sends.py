"""Each send of a round is one request, and the channels give back the samples that went in."""

from typing import Any

from langchain_openai import ChatOpenAI

from maker_graph.core.red_flags import Sample
from maker_graph.graph.sends import as_dict, as_sample, indices_of, sends_of
from maker_graph.models.sampler import Sampler


def sampler(*, batch: bool) -> Sampler:
    model = ChatOpenAI(model="m", base_url="http://127.0.0.1:9/v1", api_key="none")  # type: ignore[arg-type]  # a string will do
    return Sampler([model], temperature=(0.0, 0.7), max_tokens=9, seed=None, calls={"batch": batch})


def test_a_round_is_a_send_for_each_sample_or_one_for_those_that_are_asked_for_together() -> None:
    alone = sends_of(sampler(batch=False), {}, {"prompt": "?"}, 3, first=True)
    assert [each.arg for each in alone] == [{"prompt": "?", "index": i, "round": 1, "question": 0} for i in range(3)]
    together = sends_of(sampler(batch=True), {}, {}, 3, first=True)
    assert [tuple(indices_of(each.arg)) for each in together] == [(0,), (1, 2)]
    assert {each.node for each in alone + together} == {"sample"}


def test_a_later_round_goes_on_counting_and_another_question_begins_anew() -> None:
    kept: Any = [as_dict(Sample(i, "2"), 4) for i in range(3)]
    values = {"vote_samples": kept, "vote_judged": [{}] * 3, "vote_rounds": 1}
    later = sends_of(sampler(batch=True), values, {}, 2)
    assert [each.arg for each in later] == [{"index": 3, "more": [4], "round": 2, "question": 4}]
    anew = sends_of(sampler(batch=True), values, {}, 1, first=True)
    assert [each.arg for each in anew] == [{"index": 0, "round": 1, "question": 5}]


def test_a_sample_comes_back_as_it_was() -> None:
    sample = Sample(3, "2", "length", 9, 4, 1, garbled=True, lost=2, id="0" * 16)
    assert as_sample(as_dict(sample, 7)) == sample
