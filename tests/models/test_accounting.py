"""Each call that is set aside for a request is settled or released, however many samples came and whatever goes wrong."""

from typing import Any

import pytest

from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.models.accounting import Accounting
from maker_graph.models.calls import Call
from maker_graph.models.configured import configured
from maker_graph.models.gate import Gate
from maker_graph.models.requests import Request, Requests
from maker_graph.models.wrapped import chain_of
from tests.conftest import Scripted, replies
from tests.models.serving import Balance


def request(*indices: int) -> Request:
    setting = configured(chain_of(Scripted(script=replies("2"))).links[0], 0.7, 750)
    return Requests("sample", None, lambda: 0).of("1 + 1?", indices, [setting], [Gate()], {})[0]


def test_the_prompt_is_set_aside_once() -> None:
    mosts = Accounting(Balance(), 750, "sample").reserve(request(1, 2, 3))
    assert [(most["input"] > 0, most["output"]) for most in mosts] == [(True, 750), (False, 750), (False, 750)]


@pytest.mark.parametrize(("came", "settled", "abandoned"), [(3, 3, []), (1, 1, [False, False])])
def test_what_did_not_come_is_released(came: int, settled: int, abandoned: list[bool]) -> None:
    meter, asked = Balance(), request(0, 1, 2)
    account = Accounting(meter, 750, "sample")
    account.settle(asked, account.reserve(asked), [Sample(i, "2") for i in range(came)])
    assert (meter.open, meter.settled, meter.abandoned) == (0, settled, abandoned)


def test_a_record_that_finds_no_room_leaves_nothing_open() -> None:
    class Full(Balance):
        def settle(self, most: Usage, call: Call, /) -> None:
            super().settle(most, call)
            raise OSError(28, "No space left")

    meter, asked = Full(), request(0, 1, 2)
    account = Accounting(meter, 750, "sample")
    with pytest.raises(OSError, match="No space"):
        account.settle(asked, account.reserve(asked), [Sample(i, "2") for i in range(3)])
    assert (meter.open, meter.settled, meter.abandoned) == (0, 1, [True, True])


def test_a_lost_request_is_released_as_billed_or_not_and_nobody_is_told_where_nobody_asks() -> None:
    for billed in (True, False):
        meter, asked = Balance(), request(0, 1)
        account = Accounting(meter, 750, "sample")
        account.lost(asked, account.reserve(asked), ValueError(), billed=billed)
        assert (meter.open, meter.abandoned) == (0, [billed, billed])
    silent: Any = Accounting(None, 750, "sample")
    silent.settle(asked, silent.reserve(asked), [])
    silent.lost(asked, [], ValueError(), billed=True)
