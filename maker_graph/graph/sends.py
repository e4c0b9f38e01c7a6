"""How the samples of a round are sent out within a microstep, and how its channels hold them.

Each send is one request, for one sample or for several that are asked for together (`models/choices.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from langgraph.types import Send

from maker_graph.core.red_flags import Sample
from maker_graph.graph.schemas import question_of
from maker_graph.models.emitting import AnySampler

_FIELDS = [field.name for field in fields(Sample)]


def sends_of(
    sampler: AnySampler, values: Mapping[str, Any], sent: dict[str, Any], number: int, *, first: bool = False
) -> list[Send]:
    """Return the sends of a round; with `first`, a new question begins from zero, whatever the channels hold."""
    samples = values.get("vote_samples") or ()
    if first:
        drawn, this, asked = 0, 1, question_of(samples) + 1 if samples else 0
    else:
        drawn, this, asked = len(values["vote_judged"]), values["vote_rounds"] + 1, question_of(samples)
    sent = {**sent, "round": this, "question": asked}
    requests = sampler.batched(range(drawn, drawn + number))
    return [Send("sample", {**sent, "index": index, **({"more": more} if more else {})}) for index, *more in requests]


def indices_of(sent: Mapping[str, Any]) -> Sequence[int]:
    """Return the numbers of the samples that one request is for."""
    return (sent["index"], *sent.get("more", ()))


def as_dict(sample: Sample, question: int) -> dict[str, Any]:
    """Return a sample as the channels of a microstep hold it, with the question that it answers."""
    return {"question": question, **{name: getattr(sample, name) for name in _FIELDS}}  # asdict copies deep what is flat


def as_sample(kept: Mapping[str, Any]) -> Sample:
    """Return a sample that the channels of a microstep hold."""
    return Sample(**{name: value for name, value in kept.items() if name != "question"})
