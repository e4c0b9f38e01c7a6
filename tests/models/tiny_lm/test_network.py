"""The network: the same logits to the bit however they are computed, from small plain arrays."""

import numpy as np
import pytest

from maker_graph.models.tiny_lm.engine import WEIGHTS
from maker_graph.models.tiny_lm.network import load
from maker_graph.models.tiny_lm.tokenizer import encode
from tests.models.tiny_lm.test_engine import TEN, asks

pytestmark = pytest.mark.xdist_group("tiny")  # its samples are drawn once


def test_logits_are_the_same_to_the_bit_however_they_are_computed() -> None:
    network = load(WEIGHTS)
    prompts = [[*encode(each.prompt), 2] for each in asks(TEN, range(0, 1023, 70))]
    together, _ = network.read(prompts)
    assert all(np.array_equal(network.read([each])[0][0], row) for each, row in zip(prompts, together, strict=True))
    _, memory = network.read([prompts[0][:-1]])
    room = network.memory(1)
    room.take(0, memory, 0)
    step_by_step = network.follow(np.array([prompts[0][-3:]]), np.array([len(prompts[0]) - 1]), room)
    assert np.array_equal(step_by_step[0, 0], together[0])


def test_no_sum_can_be_rounded() -> None:
    assert load(WEIGHTS).headroom() > 1


def test_the_weights_are_small_plain_arrays() -> None:
    assert WEIGHTS.stat().st_size <= 2_000_000
    with np.load(WEIGHTS, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == np.float16 for name in arrays if name != "heads")
