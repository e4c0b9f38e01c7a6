"""No API key is kept or shown."""

import base64
import json
from typing import Any

import httpx2
import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from maker_graph.models.redaction import clean, keys_of, message_without_keys, redacted, sent_keys, without_keys
from maker_graph.models.sampler import Sampler
from tests.conftest import Scripted
from tests.models.serving import KEY, PROMPT, spellings

ODD = 'pa/ss+wo"rd=1234567'  # in a URL and in JSON it is written in other ways


def test_a_key_that_the_client_knows_is_found_in_it() -> None:
    assert redacted(f"a {KEY} b", [KEY]) == "a [key] b"


@pytest.mark.parametrize("key", [KEY, "sk-canary-1234567890abcdef", "3f2504e04f8911d39a0c0305e82c3301", ODD, "token-abc123"])
def test_a_key_is_taken_out_of_a_reply_as_it_is_in_a_url_and_in_json(key: str) -> None:
    url = str(httpx2.URL("http://x/", params={"key": key}))
    for text in (f"debug: Bearer {key}.", f"{key}{key}", url, json.dumps({key: [key]}), f"?k={key}&x"):
        assert key not in without_keys(text, [key])
        assert "[key]" in without_keys(text, [key])
    assert "pa%2Fss" not in without_keys(url, [key])


@pytest.mark.parametrize("key", [KEY, "sk-canary-1234567890abcdef", ODD, "sk-proj-" + "aB3_" * 39])
@pytest.mark.parametrize("way", spellings(KEY))
def test_a_key_is_taken_out_however_it_is_written(key: str, way: str) -> None:
    written = spellings(key)[way]
    for text in (f"Die Antwort: {written} (\u00c4)", json.dumps({"said": written}), f"Die {written} {written}"):
        got = without_keys(text, ["another-0123456789", key])
        assert "[key]" in got
        assert written not in got
        assert json.dumps(written)[1:-1] not in got
        assert got.startswith(text[:4]), "what is not the key stays"


def test_a_key_that_the_parts_of_a_reply_make_together_is_not_in_its_text() -> None:
    class Keyed(Scripted):
        api_key: SecretStr = SecretStr(KEY)

    parts: list[str | dict[str, Any]] = [{"type": "text", "text": KEY[:7]}, {"type": "text", "text": KEY[7:]}]
    model = Keyed(script=lambda *_: AIMessage(parts))
    assert Sampler([model], temperature=None, max_tokens=None, seed=None).draw(PROMPT, 0).text == "[key]"


def test_a_long_text_of_nothing_but_escapes_is_seen_through_in_passing() -> None:
    for text in ("%20" * 33_000, "\\n" * 50_000, "&#65;" * 20_000, "\\" * 100_000, KEY[:-1] * 5_000):
        assert without_keys(text, [KEY]) == text


@pytest.mark.parametrize("key", ["any", "EMPTY", "ollama", "lm-studio", "not-needed", "any-key-00", "no-key-required"])
def test_a_key_that_is_a_word_leaves_replies_as_they_are(key: str) -> None:
    text = f"the answer is {key}; sk-learn, Bearer bonds"
    assert without_keys(text, [key]) == text


def test_a_reply_without_a_key_is_the_same_byte_for_byte() -> None:
    text = "move = [1, 0, 2]\nnext_state = [[3, 2], [], [1]] sk-81101 Bearer x é\u200d漢 %2F \\u0041"
    assert without_keys(text, [KEY, ODD]) == text


def test_a_message_is_clean_wherever_it_holds_text() -> None:
    call = {"name": "find", "args": {KEY: [KEY]}, "id": "1"}
    message = AIMessage(
        [{"type": "text", "text": f"a {KEY}"}, "b"],
        tool_calls=[call],
        additional_kwargs={"reasoning_content": KEY},
        response_metadata={"id": KEY, "headers": {"x": KEY}, "n": 5},
    )
    got = message_without_keys(message, [KEY])
    assert KEY not in repr(got)
    assert got.text == "a [key]b"
    assert got.response_metadata["n"] == 5
    deep: Any = KEY
    for _ in range(1000):
        deep = [deep]
    assert KEY not in repr(clean(deep, [KEY]))


def test_the_keys_of_a_model_are_those_in_its_fields_and_in_the_variables_that_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Elsewhere(Scripted):
        my_api_key: str = "plain-0123456789"
        my_secret: SecretStr = SecretStr("hidden-0123456789")
        max_tokens: int | None = 123_456_789

        @property
        def lc_secrets(self) -> dict[str, str]:
            return {"my_api_key": "ELSEWHERE_API_KEY"}

    monkeypatch.setenv("ELSEWHERE_API_KEY", "environment-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-0123456789")
    assert set(keys_of(Elsewhere(script=lambda *_: "2"))) == {
        "plain-0123456789",
        "hidden-0123456789",
        "environment-0123456789",
    }
    assert keys_of(ChatOpenAI(model="m")) == ["sk-of-openai-0123456789"]


def test_the_keys_of_a_request_are_in_its_headers_and_its_address() -> None:
    headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": "other-0123456789", "Accept": "application/json-and-more"}
    request = httpx2.Request("POST", "http://127.0.0.1/v1?api_key=third-0123456789&api-version=2024-10-01", headers=headers)
    assert sorted(sent_keys(request)) == [KEY, "other-0123456789", "third-0123456789"]


def test_a_password_and_each_value_of_a_cookie_are_keys_too() -> None:
    basic = base64.b64encode(b"user:password-0123456789").decode()
    headers = {"Authorization": f"Basic {basic}", "Cookie": "session=session-0123456789; theme=dark"}
    found = sent_keys(httpx2.Request("POST", "http://127.0.0.1/v1", headers=headers))
    assert {basic, "password-0123456789", "session-0123456789"} <= set(found)
    assert "dark" not in found


@pytest.mark.parametrize("text", [f"debug: Authorization: Bearer {KEY}", json.dumps({"key": KEY})])
async def test_a_reply_of_any_integration_is_a_sample_without_the_models_key(text: str) -> None:
    class Keyed(Scripted):
        api_key: SecretStr = SecretStr(KEY)

    model = Keyed(script=lambda *_: AIMessage(text, additional_kwargs={"reasoning_content": KEY}))
    sample = await Sampler([model], temperature=None, max_tokens=None, seed=None).adraw(PROMPT, 0)
    assert sample.text == text.replace(KEY, "[key]")
    assert KEY not in repr(sample)
