"""What a reply comes in: whatever a server sends, it is a sample or a failure that is told apart, and it takes little."""

import asyncio
import gc
import gzip
import json
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.errors import LimitReached, ProviderFailure
from maker_graph.models.calls import Call
from maker_graph.models.envelopes import (
    MAX_BODY,
    MAX_DEPTH,
    MAX_EVENTS,
    MAX_ITEMS,
    MAX_PIECES,
    Body,
    ErrorReply,
    NoReply,
    vetted,
)
from maker_graph.models.gate import Gate, Pass
from maker_graph.models.sampler import Sampler
from tests.models.odd_responses import odd_server
from tests.models.serving import KEY, completion

CHAT = "/v1/chat/completions"


def chat(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "2"} | message, "finish_reason": "stop"}
    return completion(choices=[choice])


def kept(data: Any, path: str = CHAT) -> Any:
    return json.loads(vetted(json.dumps(data).encode(), path))


def message_of(data: Any) -> Any:
    return kept(data)["choices"][0]["message"]


def why(data: Any, path: str = CHAT) -> str:
    with pytest.raises(NoReply) as caught:
        vetted(data if isinstance(data, bytes) else json.dumps(data).encode(), path)
    return str(caught.value)


@pytest.mark.parametrize("role", ["assistant", None, "model", "", 5, ["assistant"], pytest.param(KeyError, id="missing")])
def test_the_model_s_message_is_one_whatever_its_role_is_called(role: Any) -> None:
    data = chat(role=role) if role is not KeyError else completion(choices=[{"message": {"content": "2"}}])
    assert (message_of(data)["role"], message_of(data)["content"]) == ("assistant", "2")


@pytest.mark.parametrize("role", ["user", "system", "developer", "tool", "function", "User"])
def test_a_message_of_somebody_else_is_no_reply(role: str) -> None:
    assert why(chat(role=role)) == f"its message is not the model's but of role {role!r}"


@pytest.mark.parametrize(
    ("content", "what"),
    [(5, "a number"), ({"a": 1}, "an object"), (True, "true or false"), ([5], "a list"), ([["x"]], "a list")],
)
def test_content_that_is_no_text_is_no_reply(content: Any, what: str) -> None:
    assert why(chat(content=content)) == f"its content is {what}, no text"


@pytest.mark.parametrize("content", ["2", "", None, [], ["a", "b"], [{"type": "text", "text": "2"}], "\ud800\x00", "漢"])
def test_content_that_is_text_is_kept_as_it_is(content: Any) -> None:
    assert message_of(chat(content=content))["content"] == content


@pytest.mark.parametrize("data", [None, [], "x", 5, {}, {"id": "1"}, {"choices": {}}, {"choices": "x"}, {"choices": [None]}])
def test_what_is_no_completion_is_no_reply(data: Any) -> None:
    assert why(data)


@pytest.mark.parametrize("choices", [[], None])
def test_no_choice_is_an_empty_reply_and_not_a_failure(choices: Any) -> None:
    assert kept(completion(choices=choices))["choices"] == []


def test_of_many_choices_the_first_is_kept() -> None:
    assert kept(completion(choices=chat()["choices"] * 10_000))["choices"] == kept(chat())["choices"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b'{"choices": [',
        b"[" * 100_000 + b"]" * 100_000,
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"1" * 10_000,
        b"," * 200_000,
    ],
)
def test_what_is_no_json_or_more_of_it_than_a_reply_has_is_no_reply(body: bytes) -> None:
    assert len(why(body)) < 200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_json_is_read_in_each_encoding_that_it_may_have(encoding: str) -> None:
    text = json.dumps(chat(content="漢é"), ensure_ascii=False)
    assert json.loads(vetted(text.encode(encoding), CHAT))["choices"][0]["message"]["content"] == "漢é"


def test_what_nobody_reads_is_left_out_where_it_is_long_or_deep_and_the_reply_stays() -> None:
    deep: Any = "x"
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]
    junk = {"deep": deep, "long": ["x"] * (MAX_ITEMS + 1), "nan": float("nan"), "large": 2**70, "short": [1]}
    many = {f"k{n}": [["x"] * 10] * 20 for n in range(300)}
    data = kept(many | junk | chat() | {"more": junk})
    assert len(json.dumps(data)) < 50_000
    assert data["choices"] == kept(chat())["choices"]
    assert data["usage"]["prompt_tokens"] == 9
    small = kept(junk | chat())
    assert (small["long"], small["nan"], small["large"], small["short"]) == (None, None, None, [1])
    assert 0 < str(small["deep"]).count("[") < MAX_DEPTH


def test_log_probabilities_are_left_out() -> None:
    data = chat()
    data["choices"][0]["logprobs"] = {"content": [{"token": "a", "top_logprobs": [{"token": "a"}] * 5}] * 2000}
    assert kept(data) == kept(chat())


def test_a_reply_that_is_too_large_to_be_kept_whole_is_none() -> None:
    assert "more values" in why(chat(content=[{"type": "text", "text": "x", "more": ["x"] * 50}] * 100))
    assert why(chat(content=[{"type": "text", "text": "x"}] * (MAX_ITEMS + 1))) == "its content is a list, no text"


@pytest.mark.parametrize(
    "usage",
    [
        *("x", 5, [], {}, {"prompt_tokens": 9}, {"prompt_tokens": "9", "completion_tokens": 1}, {"prompt_tokens": -9}),
        *({"prompt_tokens": 9, "completion_tokens": None}, {"prompt_tokens": 9, "completion_tokens": float("nan")}),
        *({"prompt_tokens": 9, "completion_tokens": 10**400}, {"prompt_tokens": True, "completion_tokens": 1}),
    ],
)
def test_a_usage_that_is_no_count_is_left_out(usage: Any) -> None:
    assert kept(completion(usage=usage))["usage"] is None


def test_a_usage_with_odd_details_keeps_its_counts() -> None:
    usage = {"prompt_tokens": 9.0, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": "x", "audio_tokens": 2}}
    got = kept(completion(usage=usage | {"completion_tokens_details": 5, "cost": "x"}))["usage"]
    assert got["prompt_tokens_details"] == {"audio_tokens": 2}
    assert (got["prompt_tokens"], got["completion_tokens"], got["total_tokens"]) == (9, 1, 10)
    assert "cost" not in got


@pytest.mark.parametrize("arguments", ['{"x": 1}', "{", ""])
def test_a_tool_call_is_kept_with_its_arguments_as_the_model_wrote_them(arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": arguments}}
    assert message_of(chat(tool_calls=[call]))["tool_calls"] == [call]


@pytest.mark.parametrize("arguments", ["429", "null", "[1]", '"x"'])
def test_arguments_that_are_no_object_are_seen_to_be_none(arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": arguments}}
    data = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}, "finish_reason": "stop"}]}
    result = ChatOpenAI(model="m", api_key="x")._create_chat_result(kept(data))  # type: ignore[arg-type]  # a string will do
    message: Any = result.generations[0].message
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == f"not an object: {arguments}"


@pytest.mark.parametrize(
    "calls", [5, ["x"], [{}], [{"function": 5}], [{"id": 5, "function": {"name": "f", "arguments": ""}}], {"a": 1}]
)
def test_tool_calls_of_an_unknown_form_are_no_reply(calls: Any) -> None:
    assert "tool calls" in why(chat(tool_calls=calls))


@pytest.mark.parametrize(
    ("error", "codes", "status"),
    [
        ({"message": "no", "code": "insufficient_quota", "type": "x"}, ("insufficient_quota", "x"), None),
        ({"message": "no", "code": 402}, ("402",), 402),
        ({"message": "no", "code": "429"}, ("429",), 429),
        ({"message": "no", "status": "RESOURCE_EXHAUSTED"}, ("resource_exhausted",), None),
        ({"error": {"message": "no", "code": 401}}, ("401",), 401),
        ("no", ("no",), None),
        ({"message": "no", "code": True, "type": ["x"]}, (), None),
    ],
)
def test_an_error_in_the_place_of_a_reply_is_told_with_what_it_is_called(error: Any, codes: Any, status: int | None) -> None:
    for data in ({"error": error}, chat() | {"error": error}):
        with pytest.raises(ErrorReply) as caught:
            kept(data)
        assert (str(caught.value), caught.value.codes, caught.value.status) == ("no", codes, status)


@pytest.mark.parametrize(
    "data",
    [
        {"object": "error", "message": "no", "code": 404},
        {"message": "no", "code": 404},
        {"detail": "no", "code": 404},
        completion(choices=[{"error": {"message": "no", "code": 404}, "message": {"content": ""}}]),
    ],
)
def test_an_error_is_found_wherever_providers_put_it(data: Any) -> None:
    with pytest.raises(ErrorReply) as caught:
        kept(data)
    assert (str(caught.value), caught.value.status) == ("no", 404)


def answered(text: Any = "2", **item: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": [{"token": "x"}] * 1000}
    output = [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]} | item]
    return {
        "id": "1",
        "object": "response",
        "status": "completed",
        "model": "m",
        "output": output,
        "usage": {"input_tokens": 9},
    }


def test_a_body_of_the_responses_api_is_vetted_likewise() -> None:
    path = "/v1/responses"
    data = kept(answered(), path)
    assert data["output"][0]["content"] == [{"type": "output_text", "text": "2", "annotations": []}]
    assert data["usage"] is None
    assert why(answered(5), path) == "its content is a number, no text"
    assert why(answered(content="x"), path) == "its content is a text, not a short list of objects"
    assert why({"output": [{}] * (MAX_ITEMS + 1)}, path) == "its output is a list, not a short list of objects"
    assert why({"output": [{"type": "function_call", "name": "f"}]}, path) == "its function call is of an unknown form"
    for data in ({"error": {"message": "no"}}, {"detail": "no"}):
        with pytest.raises(ErrorReply, match="no"):
            kept(data, path)


def test_a_body_is_unpacked_as_it_is_packed_in_any_pieces() -> None:
    data = b'{"choices": []}' * 100
    ways = {
        "": data,
        "identity": data,
        "gzip": gzip.compress(data, mtime=0),
        "X-GZIP": gzip.compress(data, mtime=0) + b"more",
        "deflate": zlib.compress(data),
        " deflate ": zlib.compress(data)[2:-4],
        "deflate, gzip": gzip.compress(zlib.compress(data)),
    }
    for encodings, sent in ways.items():
        for size in (2, 100, len(sent)):
            body = Body(encodings, clock=float)
            for at in range(0, len(sent), size):
                body.add(sent[at : at + size])
            assert body.whole() == data


@pytest.mark.parametrize(
    ("encodings", "sent", "what"),
    [
        ("br", b"x", "nobody asked for"),
        ("gzip, gzip, gzip", b"x", "nobody asked for"),
        ("gzip", b"no gzip at all", "damaged"),
        ("gzip", gzip.compress(b"x" * 100, mtime=0)[:-9], "cut short"),
        ("gzip", gzip.compress(bytes(MAX_BODY + 1)), "when it is unpacked"),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(50 * MAX_BODY))), "when it is unpacked"),
        ("", bytes(MAX_BODY + 1), "longer than"),
    ],
    ids=["brotli", "three layers", "no gzip", "cut", "too long in one layer", "too long in two", "too long as it is"],
)
def test_a_body_that_cannot_be_unpacked_or_is_too_long_is_no_reply(encodings: str, sent: bytes, what: str) -> None:
    body = Body(encodings, clock=float)

    def taken_in() -> None:
        for at in range(0, len(sent), 4096):
            body.add(sent[at : at + 4096])
        body.whole()

    with pytest.raises(NoReply, match=what):
        taken_in()
    assert len(body.unpacked()) <= MAX_BODY


def test_pieces_without_end_are_given_up_unless_they_take_their_time() -> None:
    now = [0.0]
    body = Body("", clock=lambda: now[0])
    for _ in range(MAX_PIECES):
        body.add(b" ")
    with pytest.raises(NoReply, match="pieces at once"):
        body.add(b" ")
    body = Body("", clock=lambda: now[0])
    for _ in range(5000):  # a blank each tenth of a second, while a gateway waits
        body.add(b" ")
        now[0] += 0.1


EVENT = 'data: {"id": "1", "choices": [{"index": 0, "delta": {"content": "2"}, "finish_reason": null}]}\n\n'


@pytest.mark.parametrize("start", ["", "\n\n", ": waiting\n\n", "event: x\n"])
def test_a_stream_that_nobody_asked_for_is_one_reply(start: str) -> None:
    data = json.loads(vetted((start + 3 * EVENT + "data: [DONE]\n\n").encode(), CHAT))
    assert data["choices"][0]["message"]["content"] == "222"


def test_a_stream_of_something_else_is_no_reply() -> None:
    assert why(b"data: [DONE]\n\n") == "the body is a stream of events that are no completion"
    assert why(b"data: {}\n" * (MAX_EVENTS + 1)) == f"the body is a stream of more than {MAX_EVENTS:,} events"
    with pytest.raises(ErrorReply, match="no"):
        vetted(b'data: {"error": {"message": "no"}}\n\n', CHAT)


class Unhurried(Gate):
    """A gate that lets everybody pass at once: it is not what is tried here."""

    def ask(self) -> Pass | float:
        return Pass(self.clock(), probe=False)

    def back_off(self, failures: int) -> float:
        return 0.0 * failures


class Once:
    """A meter with one request at a time, so that what would be tried again is seen as that."""

    def __init__(self) -> None:
        self.left = 0

    def reserve(self, _: Usage, /) -> None:
        if not self.left:
            raise LimitReached("it would be tried again")
        self.left -= 1

    def settle(self, _: Usage, __: Call, /) -> None:
        pass

    def abandon(self, _: Usage, /, *, billed: bool) -> None:
        pass


class Asked:
    """Asks the server of odd responses for one after the other."""

    def __init__(self, url: str) -> None:
        self.once = Once()
        model = ChatOpenAI(model="gpt-4.1-mini", base_url=url, api_key=KEY)  # type: ignore[arg-type]  # a string will do
        calls: Any = {"meter": self.once, "gate": Unhurried(), "patience": 3600, "timeout": 10}
        self.sampler = Sampler([model], temperature=0.0, max_tokens=750, seed=None, calls=calls)

    async def response(self, number: int) -> str:
        """Return what became of response `number`."""
        self.once.left = 1
        try:
            sample = await self.sampler.adraw(str(number), 0)
        except LimitReached:
            return "tried again"
        except ProviderFailure as failure:
            return "unknown" if "Providers do not fail in this way" in str(failure) else failure.scope
        assert isinstance(sample, Sample)
        return "sample"

    async def close(self) -> None:
        for (copy,) in self.sampler._on_this_loop():
            await copy.root_async_client.close()  # type: ignore[attr-defined]  # a ChatOpenAI


async def test_2_000_odd_responses_are_samples_or_failures_that_are_told_apart() -> None:
    numbers, came = iter(range(2000)), Counter[str]()

    async def caller(url: str) -> None:
        asked = Asked(url)
        for number in numbers:
            came[await asked.response(number)] += 1
        await asked.close()

    with odd_server() as url:
        await asyncio.gather(*(caller(url) for _ in range(4)))
    assert came.total() == 2000
    assert set(came) == {"sample", "tried again", "run", "step"}
    assert came["sample"] > 300


def memory(line: str) -> float:
    """Return so many megabytes of this process: VmRSS, now; VmHWM, the most since `VmHWM` was last set back."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.partition(f"{line}:")[2].split()[0]) / 1024


def set_back() -> None:
    """Let `VmHWM` begin anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


async def taken(asked: Asked, number: int) -> tuple[str, float, float]:
    """Return what became of a response, the loop's processor time in milliseconds, and the megabytes that it took."""
    set_back()
    before, began = memory("VmRSS"), time.thread_time()
    came = await asked.response(number)
    return came, 1000 * (time.thread_time() - began), memory("VmHWM") - before


@pytest.mark.campaign
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the memory of one request is read from Linux")
async def test_100_000_odd_responses_take_50_ms_and_50_megabytes_each_at_most() -> None:
    came, slow, large, again = Counter[str](), [(0.0, 0)], [(0.0, 0)], 0
    with odd_server() as url:
        asked = Asked(url)
        await asked.response(0)
        gc.freeze()  # what the test process itself has imported takes the collector 100 ms
        for number in range(100_000):
            what, milliseconds, megabytes = await taken(asked, number)
            if milliseconds > 50 or megabytes > 50:  # the machine was busy, or the response is at fault: then it is each time
                again += 1
                others = [await taken(asked, number) for _ in range(3)]
                milliseconds = min(each[1] for each in others)
                megabytes = min(each[2] for each in others)
            came[what] += 1
            slow = sorted([*slow, (milliseconds, number)], reverse=True)[:5]
            large = sorted([*large, (megabytes, number)], reverse=True)[:5]
        await asked.close()
    print(f"\n{dict(came)}\nslowest, ms: {slow}\nlargest, MB: {large}\nmeasured again: {again}")  # noqa: T201  the figures of a campaign
    assert set(came) == {"sample", "tried again", "run", "step"}
    assert slow[0][0] <= 50
    assert large[0][0] <= 50
